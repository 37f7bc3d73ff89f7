"""What the engine needs of the world, as protocols. The adapters fit these; the fakes of the tests do too."""

from typing import Protocol

from warmcron.core import runs
from warmcron.core.pool import Worker
from warmcron.core.tasks import RunRecord, Task, TaskRef, TaskSpec


class Clock(Protocol):
    """Wall time for schedules."""

    def now(self) -> float:
        """UTC epoch seconds."""


class Gate(Protocol):
    """Leadership."""

    @property
    def epoch(self) -> int:
        """The number of our term; 0 when we do not lead."""

    def may_send(self) -> bool:
        """Whether a request that leaves now leaves inside our term."""


class Sender(Protocol):
    """Carries requests to workers; every answer comes back through `Engine.on_event`."""

    def execute(self, run: runs.Run, worker: Worker) -> None:
        """Sends the run."""

    def ask(self, run: runs.Run, worker: Worker, *, fence: bool) -> None:
        """Asks what the worker knows of the run; with `fence`, so that it never takes this attempt later."""

    def cancel(self, run: runs.Run, worker: Worker) -> None:
        """Tells the worker to stop the run."""


class IntentWriter(Protocol):
    """Writes down, for AtMostOnce, which worker is about to get a run. Nothing is sent before that is certain."""

    def commit(self, run: runs.Run) -> None:
        """Puts the run with its worker into its task's status, by compare-and-set.

        `Committed` comes back through `Engine.on_event` only if the status is known to hold it, `NotCommitted` in
        every other case: refused, in doubt, or not ours to write any more.
        """


class Inbox(Protocol):
    """Where answers go: the engine."""

    def on_event(self, about: runs.Attempt, event: runs.Event) -> None:
        """Something was heard of one attempt."""


class Recorder(Protocol):
    """Writes statuses, later."""

    def note(self, uid: str, *, urgent: bool) -> None:
        """The status of this task has changed; urgent is what a user waits for."""


class Observer(Protocol):
    """Counts."""

    def started(self, run: runs.Run, delay: float) -> None:
        """A run was first sent, this many seconds after its tick."""

    def ended(self, run: runs.Run, record: RunRecord) -> None:
        """A run is over."""

    def skipped(self, task: Task, reason: str, count: int) -> None:
        """Ticks were not started."""

    def ignored(self, event: runs.Event) -> None:
        """An answer or callback came too late, twice, or for a run that is not here."""

    def broke(self, task: TaskRef, error: Exception) -> None:
        """An error of ours that nobody expected: the task is left alone, the others go on."""


class Journal(Protocol):
    """Is told what happens to runs, for whoever asks later. Returns at once, raises nothing, decides nothing."""

    def changed(self, run: runs.Run) -> None:
        """A run has begun, was taken over or has moved on: it is read again before its next change matters."""

    def sent(self, run: runs.Run, filtered: tuple[tuple[str, str], ...], now: float) -> None:
        """An attempt goes to the worker that the run names; `filtered` says why others were passed over."""

    def answered(self, run: runs.Run, attempt: int, pod_uid: str, event: runs.Event, now: float) -> None:
        """Something was heard of that attempt on that pod."""

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:
        """A run is over."""

    def skipped(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord, count: int, now: float) -> None:
        """`count` ticks up to the record's were not started."""

    def recalled(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord) -> None:
        """The leader before ended this run; whether it lived to say so here is not known."""
