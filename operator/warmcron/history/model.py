"""What history keeps, and the questions that can be asked of it: plain values, the same for every store.

Times are UTC epoch seconds. A reader answers from what has arrived; records reach it late and in batches.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

Row = TypeVar("Row")

# Of a place as text: numbers that a database can hold.
PLACE: Final = re.compile(r"(?P<seq>[0-9]{1,18})?(?:-(?P<mark>[0-9]{1,18}))?")

# Every state that a run is shown in; the last five are final.
STATES = ("Pending", "Running", "Succeeded", "Failed", "Cancelled", "Skipped", "Unknown")
FINAL = STATES[2:]
SEQ_ATTEMPT = 10**13


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """Everything that was done for one tick, or for one manual trigger.

    Attributes:
        trace_id: W3C trace id of the run, 32 hex digits; empty if none was made.
        progress: from 0 to 1, as the handler last said; None if it never did.
        result: what the handler returned, as JSON; None unless it succeeded and returned something.
        skipped_ticks: how many ticks a Skipped row stands for; 1 for every other.
    """

    run_id: str
    task_uid: str
    namespace: str
    task: str
    pool: str
    handler: str
    trigger: str
    scheduled: float
    state: str
    reason: str = ""
    attempts: int = 0
    pod_name: str = ""
    started: float | None = None
    finished: float | None = None
    trace_id: str = ""
    progress: float | None = None
    progress_text: str = ""
    result: Any = None
    error: dict[str, Any] | None = None
    skipped_ticks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One request to one worker.

    Attributes:
        answer: the kind of answer (`Finished`, `Accepted`, `Refused`, `NoAnswer`, …); empty while there is none.
        filtered: the pods that were passed over when this one was chosen, each with its reason.
        chosen_by: the routing policy that chose it.
        error: what the worker said went wrong: `type`, `message`, `traceback`; None if it said nothing.
        scheduled: the run's.
    """

    run_id: str
    attempt: int
    pod_name: str
    pod_uid: str
    epoch: int
    sent: float
    ended: float | None = None
    answer: str = ""
    reason: str = ""
    chosen_by: str = ""
    filtered: tuple[tuple[str, str], ...] = ()
    error: dict[str, Any] | None = None
    scheduled: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One line that a handler printed or logged.

    Attributes:
        seq: grows within the run, with gaps: by attempt, then by the worker's own numbers (see `line_seq`).
        pod_uid: of the worker that said it; with run and attempt it names the attempt. Empty for what no worker said.
        level: of a line of the logging module; empty for one that was printed.
    """

    run_id: str
    attempt: int
    seq: int
    time: float
    stream: str
    text: str
    level: str = ""
    pod_uid: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has read a log that is still written.

    What is there at first is read by its numbers, what comes after that by its arrival: the second worker of a
    broadcast may speak before the first one does, whose line has the lower number all the same.

    Attributes:
        seq: the last line read of those that were there at first; None once all of them are read.
        mark: what had arrived up to there was there at first, and is all read once `seq` is None. None before the
            first look.
    """

    seq: int | None = 0
    mark: int | None = None

    @property
    def text(self) -> str:
        """As somebody keeps it who comes back later."""
        return f"{'' if self.seq is None else self.seq}{'' if self.mark is None else f'-{self.mark}'}"


def place(text: str) -> Place | None:
    """A place read back, or the number of a line; None for what is neither."""
    found = PLACE.fullmatch(text)
    if not found or not text:
        return None
    seq, mark = found["seq"], found["mark"]
    return Place(int(seq) if seq else None, int(mark) if mark else None)


@dataclass(frozen=True, slots=True)
class Told:
    """Lines of a log that is still written, each with the place behind it; and the place behind what was looked at."""

    lines: tuple[tuple[LogRow, Place], ...]
    place: Place


def line_seq(attempt: int, event: int, index: int, *, shard: int = 0) -> int:
    """The `seq` of a line: attempt, shard, the number of the worker's event that brought it, its place in there.

    Every replica and every repetition of the event gives the line the same number, so that a line is kept once. It
    fits the 53 bits that JSON readers keep exactly: 900 attempts, 10,000 shards with six digits of events each (without
    shards, ten digits), 1,000 lines in each event. The lines of a broadcast are in the order of its shards.
    """
    numbered = shard * 10**6 + min(event, 10**6 - 1) if shard else min(event, 10**10 - 1)
    return attempt * SEQ_ATTEMPT + numbered * 1000 + index


def seq_attempt(seq: int) -> int:
    """The attempt that a line's `seq` begins with; 0 for what is before the first line."""
    return seq // SEQ_ATTEMPT


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs: every part that is given must hold.

    Attributes:
        namespaces: None for every namespace.
        uids: of these tasks only; None for every task.
        text: found in the run's id, task, reason, or in one of its log lines. In reasons and lines it is sought by
            words, in any order; a single word may be the beginning of one.
        since, until: bounds of the scheduled time, [since, until).
    """

    namespaces: tuple[str, ...] | None = None
    task: str = ""
    uids: tuple[str, ...] | None = None
    states: tuple[str, ...] = ()
    trigger: str = ""
    pod: str = ""
    since: float | None = None
    until: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows, newest first, and where to go on; `cursor` is empty on the last page.

    Attributes:
        searched: of a search that stopped before its end: lines that came before this time were not looked at, and
            `cursor` goes on with them. None where all were, or where more of what was found follows.
    """

    rows: tuple[Row, ...]
    cursor: str = ""
    searched: float | None = None


class Reader(Protocol):
    """Questions to the history. Raises `HistoryError` when the store does not answer."""

    async def runs(self, wanted: RunFilter, *, limit: int, cursor: str = "") -> Page[RunRow]:
        """Runs, newest scheduled time first."""

    async def run(self, run_id: str) -> RunRow | None:
        """One run."""

    async def first_from(self, task_uid: str, tick: float) -> RunRow | None:
        """The earliest run of that task's schedule at or after a tick; None if there is none."""

    async def attempts(self, run_id: str) -> tuple[AttemptRow, ...]:
        """The attempts of a run, first to last."""

    async def logs(self, run_id: str, *, after: int = 0, limit: int = 1000, last: bool = False) -> tuple[LogRow, ...]:
        """Log lines of a run with a `seq` above `after`, in order: the first `limit` of them, or the last."""

    async def onward(self, run_id: str, place: Place, *, limit: int = 1000) -> Told:
        """The next lines of a log that is still written; none if there is nothing new."""

    async def recent(self, tasks: tuple[str, ...], *, limit: int) -> dict[str, tuple[RunRow, ...]]:
        """The last runs of each of these tasks (uids), newest first: for strips in a list of tasks."""

    async def counts(self, namespaces: tuple[str, ...] | None, *, since: float) -> dict[str, int]:
        """How many runs are in each state, of those scheduled since then."""
