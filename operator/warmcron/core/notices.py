"""What a user is told of a task, and when it is news: a change of state, never a run. Pure; nothing is posted here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from warmcron.core.tasks import Condition, History

WARNING: Final = "Warning"
NORMAL: Final = "Normal"
# What the API server takes as a note: 1 KiB of UTF-8.
NOTE_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is told.

    Attributes:
        kind: Normal or Warning.
        reason: one word of docs/reference/reasons.md.
        action: what was done, or could not be, when this came up; one word.
        text: one printable line of at most `NOTE_BYTES`.
    """

    kind: str
    reason: str
    action: str
    text: str


class Told(NamedTuple):
    """What of a task's status makes news when it changes. Empty is what nobody has said anything of yet."""

    ready: str = ""  # the reason of Ready
    problem: str = ""  # its message, while it is False
    workers: str = ""  # the status of WorkersAvailable
    last_run: str = ""  # the status of LastRunSucceeded
    missed: int = 0


NOTHING: Final = Told()


def told(history: "History") -> Told:
    """What a status says to whoever reads it. The same for most tasks, and then the same object."""
    return _shared(_told(history))


def news(history: "History") -> list[Notice]:
    """What has become news since this was asked last; from now on it counts as told."""
    now, before = _told(history), history.told
    if now == before:
        return []
    history.told = _shared(now)
    return list(between(before, now, history.conditions))


def between(before: Told, now: Told, conditions: Mapping[str, "Condition"]) -> Iterator[Notice]:
    """What follows from one change. That all is well with what is new is no news."""
    yield from _of_ready(before, now, conditions)
    if now.workers != before.workers:
        yield from _of_workers(before, now, conditions)
    if now.last_run != before.last_run:
        yield from _of_runs(before, now, conditions)
    if now.missed > before.missed:
        count = now.missed - before.missed
        ticks = "1 tick was" if count == 1 else f"{count} ticks were"
        yield Notice(WARNING, "Missed", "Schedule", f"{ticks} not started in time; {now.missed} so far")


def line(text: str) -> str:
    """One printable line that the API server takes as a note."""
    shown = text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
    content = shown.encode()
    return shown if len(content) <= NOTE_BYTES else content[: NOTE_BYTES - 3].decode(errors="ignore") + "…"


def _of_ready(before: Told, now: Told, conditions: Mapping[str, "Condition"]) -> Iterator[Notice]:
    if (now.ready, now.problem) == (before.ready, before.problem):
        return
    message = line(conditions["Ready"].message)
    if now.problem:
        yield Notice(WARNING, now.ready, "Validate", message)
    elif now.ready == "SuspendedAfterFailures":
        yield Notice(WARNING, now.ready, "Schedule", message)
    elif before.problem:
        yield Notice(NORMAL, now.ready, "Validate", message or "the spec can be done now")
    elif before.ready == "SuspendedAfterFailures" and now.ready == "Scheduled":
        yield Notice(NORMAL, now.ready, "Schedule", "edited after failures: runs start again")


def _of_workers(before: Told, now: Told, conditions: Mapping[str, "Condition"]) -> Iterator[Notice]:
    found = conditions["WorkersAvailable"]
    if now.workers == "False":
        yield Notice(WARNING, found.reason, "Pick", line(found.message))
    elif before.workers == "False":
        yield Notice(NORMAL, found.reason, "Pick", "there is a ready worker again")


def _of_runs(before: Told, now: Told, conditions: Mapping[str, "Condition"]) -> Iterator[Notice]:
    failing = before.last_run in ("False", "Unknown")
    if now.last_run == "True" and failing:
        yield Notice(NORMAL, "Recovered", "Run", "a run has succeeded after failures")
    elif now.last_run != "True" and not failing:
        found = conditions["LastRunSucceeded"]
        how = "its end is unknown" if found.status == "Unknown" else "it failed"
        yield Notice(WARNING, "Failing", "Run", line(f"the last run, its retries spent: {how}: {found.message}"))


def _told(history: "History") -> Told:
    conditions = history.conditions
    ready, workers = conditions.get("Ready"), conditions.get("WorkersAvailable")
    last_run = conditions.get("LastRunSucceeded")
    return Told(
        ready.reason if ready else "",
        ready.message if ready and ready.status == "False" else "",
        workers.status if workers else "",
        last_run.status if last_run else "",
        history.missed,
    )


@lru_cache(maxsize=4096)
def _shared(found: Told) -> Told:
    """100,000 tasks are told a handful of different things."""
    return found
