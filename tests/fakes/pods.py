"""A worker pod without HTTP: the run table of the worker image, and what was started by it."""

from dataclasses import dataclass, field

from warmcron.core import runs
from warmcron.workers.protocol import Report

SUCCEEDED = runs.Finished(runs.Outcome.SUCCEEDED)
FAILED = runs.Finished(runs.Outcome.FAILED, "boom")
INTERRUPTED = runs.WorkerLost("WorkerCrashed", counted=True)


@dataclass
class Had:
    """The latest attempt of a run on this pod, and how it stands."""

    attempt: int
    task_uid: str
    scheduled: int
    event: runs.Event = field(default_factory=runs.Accepted)

    @property
    def running(self) -> bool:
        return isinstance(self.event, runs.Accepted)


@dataclass
class Pod:
    """One pod.

    Attributes:
        starts: (run id, attempt) of every handler that was called, in order.
    """

    name: str
    table: dict[str, Had] = field(default_factory=dict)
    fences: dict[str, int] = field(default_factory=dict)
    epoch: int = 0
    starts: list[tuple[str, int]] = field(default_factory=list)

    @property
    def uid(self) -> str:
        return f"uid-{self.name}"

    def execute(self, run_id: str, attempt: int, *, epoch: int, task_uid: str, scheduled: int) -> runs.Event:
        if epoch < self.epoch:
            return runs.Refused("StaleEpoch", pause=1.0)
        self.epoch = epoch
        had = self.table.get(run_id)
        if had and (attempt <= had.attempt or had.running or had.event == SUCCEEDED):
            return had.event
        if attempt <= self.fences.get(run_id, 0):
            return runs.Fenced()
        self.starts.append((run_id, attempt))
        self.table[run_id] = Had(attempt, task_uid, scheduled)
        return runs.Accepted()

    def fence(self, run_id: str, attempt: int, *, epoch: int) -> runs.Event:
        if epoch < self.epoch:
            return runs.Unreachable()
        self.epoch = epoch
        had = self.table.get(run_id)
        if had is None or (attempt > had.attempt and not had.running and had.event != SUCCEEDED):
            self.fences[run_id] = max(attempt, self.fences.get(run_id, 0))
            return runs.Fenced()
        return had.event

    def ask(self, run_id: str) -> runs.Event:
        had = self.table.get(run_id)
        return had.event if had else runs.Fenced() if run_id in self.fences else runs.Forgotten()

    def cancel(self, run_id: str) -> runs.Event:
        had = self.table.get(run_id)
        if had is None:
            return runs.Forgotten()
        if had.running:
            had.event = runs.Finished(runs.Outcome.CANCELLED)
        return had.event

    def end(self, run_id: str, event: runs.Event) -> None:
        self.table[run_id].event = event

    def restart(self) -> None:
        for had in self.table.values():
            if had.running:
                had.event = INTERRUPTED

    def reports(self) -> list[Report]:
        return [
            Report(run_id, had.attempt, self.uid, had.event, had.task_uid, had.scheduled)
            for run_id, had in self.table.items()
        ]

    def running(self) -> list[str]:
        return [run_id for run_id, had in self.table.items() if had.running]
