"""How each state is shown: an icon, a word and a tone, so that none of the three has to be told apart alone."""

from dataclasses import dataclass
from typing import Final

from warmcron.web.sources import Flag


@dataclass(frozen=True, slots=True)
class Mark:
    """An icon's name in `icons.html`, the word (English; the page translates it) and the tone in `site.css`."""

    icon: str
    word: str
    tone: str


RUN: Final = {
    "Pending": Mark("clock", "Pending", "wait"),
    "Running": Mark("play", "Running", "busy"),
    "Succeeded": Mark("check", "Succeeded", "good"),
    "Failed": Mark("cross", "Failed", "bad"),
    "Cancelled": Mark("stop", "Cancelled", "dull"),
    "Skipped": Mark("skip", "Skipped", "dull"),
    "Unknown": Mark("question", "Unknown", "warn"),
}
TASK: Final = {
    Flag.INVALID: Mark("alert", "Invalid", "bad"),
    Flag.FAILING: Mark("cross", "Failing", "bad"),
    Flag.NO_WORKER: Mark("plug", "No worker", "warn"),
    Flag.HELD: Mark("hand", "Held", "warn"),
    Flag.SUSPENDED: Mark("pause", "Suspended", "dull"),
    Flag.RUNNING: Mark("play", "Running", "busy"),
    Flag.SCHEDULED: Mark("clock", "Scheduled", "good"),
}
WORKER: Final = {
    "Ready": Mark("check", "Ready", "good"),
    "Busy": Mark("play", "Busy", "busy"),
    "Draining": Mark("hourglass", "Draining", "warn"),
    "NotReady": Mark("cross", "Not ready", "bad"),
}
ANSWER: Final = {
    "Finished": Mark("check", "Finished", "good"),
    "Accepted": Mark("play", "Accepted", "busy"),
    "Refused": Mark("hand", "Refused", "warn"),
    "Rejected": Mark("cross", "Rejected", "bad"),
    "Broke": Mark("alert", "Broke", "bad"),
    "NoAnswer": Mark("question", "No answer", "warn"),
    "Fenced": Mark("hand", "Fenced", "warn"),
    "Forgotten": Mark("question", "Forgotten", "warn"),
    "WorkerLost": Mark("plug", "Worker lost", "bad"),
}
FAULT: Final = Mark("cross", "Failed", "bad")


def run(state: str) -> Mark:
    """The mark of a run's state; a state of a newer version is shown by its own word."""
    return RUN.get(state) or Mark("question", state, "warn")


def task(flag: Flag) -> Mark:
    """The mark of a task."""
    return TASK[flag]


def answer(kind: str, reason: str) -> Mark:
    """The mark of an attempt's answer; one that finished with a reason did not end well."""
    return FAULT if kind == "Finished" and reason else ANSWER.get(kind) or Mark("question", kind, "dull")


def worker(state: str) -> Mark:
    """The mark of a worker's state."""
    return WORKER.get(state) or Mark("question", state, "warn")
