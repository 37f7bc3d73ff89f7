"""What the engine knows of a run, as the rows that history keeps. Pure; made when rows are written, not before."""

import json
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from warmcron.core import runs
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.core.trace import trace_id
from warmcron.history.model import AttemptRow, RunRow

# Events that say what became of an attempt; all others come from us, or say only that nobody could be asked.
ANSWERS: Final = (
    runs.Accepted,
    runs.Finished,
    runs.Refused,
    runs.Rejected,
    runs.Broke,
    runs.NoAnswer,
    runs.Fenced,
    runs.Forgotten,
    runs.WorkerLost,
)
# Events after which the attempt may still go on.
OPEN: Final = (runs.Accepted, runs.NoAnswer)
# Characters of JSON that the results of all shards of a run may have together.
SHARD_RESULTS: Final = 64 * 1024
MORE: Final = "…"  # no pod's name
# Of the pods that were passed over, at most so many are kept with an attempt.
FILTERED_KEPT: Final = 50


@dataclass(slots=True)
class Said:
    """What the worker said of a run while it went on."""

    progress: float | None = None
    progress_text: str = ""
    result: Any = None
    error: dict[str, Any] | None = None
    size: int = 0  # of the results of shards, in characters of JSON

    def add(self, pod_name: str, result: Any) -> None:
        """What one worker returned of a run that every worker got: kept by the pod's name, as many as fit."""
        if result is None:
            return
        self.size += len(json.dumps(result))
        fits = self.size <= SHARD_RESULTS
        self.result = self.result or {}
        self.result |= {pod_name: result} if fits else {MORE: f"not kept: over {SHARD_RESULTS} bytes together"}


class Note(NamedTuple):
    """A run that is to be written: it is read when that happens. `finished` is None while it goes on."""

    run: runs.Run
    finished: float | None
    said: Said | None


@dataclass(slots=True)
class Attempt:
    """An attempt as far as it is known; becomes an `AttemptRow` when it is written."""

    run_id: str
    attempt: int
    pod_uid: str
    pod_name: str
    epoch: int
    sent: float
    scheduled: float = 0.0
    chosen_by: str = ""
    filtered: tuple[tuple[str, str], ...] = ()
    ended: float | None = None
    answer: str = ""
    reason: str = ""
    error: dict[str, Any] | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        """One request: a refused attempt goes to another pod under the same number."""
        return self.run_id, self.attempt, self.pod_uid

    def hear(self, event: runs.Event, now: float) -> None:
        """Takes an answer in."""
        self.answer = type(event).__name__
        self.reason = getattr(event, "reason", "") or self.reason
        self.ended = None if isinstance(event, OPEN) else now


def state(run: runs.Run) -> str:
    """The state in which a run is shown."""
    if run.outcome is not None:
        return run.outcome.value
    return "Pending" if run.state is runs.State.PENDING else "Running"


def run_row(note: Note | RunRow) -> RunRow:
    """The row of a run as it is now."""
    if isinstance(note, RunRow):
        return note
    run, finished, said = note
    succeeded = run.outcome is runs.Outcome.SUCCEEDED
    return RunRow(
        run_id=run.id,
        task_uid=run.task.uid,
        namespace=run.task.namespace,
        task=run.task.name,
        pool=run.spec.pool.name,
        handler=run.spec.handler,
        trigger=run.trigger,
        scheduled=float(run.scheduled),
        state=state(run),
        reason="" if succeeded else run.reason,
        attempts=run.parts.attempts if run.parts else run.attempt if run.started is not None else 0,
        pod_name=run.pod_name,
        started=run.started,
        finished=finished,
        trace_id=trace_id(run.id),
        progress=said.progress if said else None,
        progress_text=said.progress_text if said else "",
        result=said.result if said and (succeeded or run.parts) else None,
        error=said.error if said and not succeeded else None,
    )


def of_record(task: TaskRef, spec: TaskSpec | None, record: RunRecord, *, count: int, finished: float | None) -> RunRow:
    """The row of a run of which only its record is left, or which never began."""
    return RunRow(
        run_id=record.run_id,
        task_uid=task.uid,
        namespace=task.namespace,
        task=task.name,
        pool=spec.pool.name if spec else "",
        handler=spec.handler if spec else "",
        trigger=record.trigger,
        scheduled=float(record.scheduled),
        state=record.outcome,
        reason=record.reason,
        attempts=record.attempts,
        pod_name=record.pod_name,
        started=record.started,
        finished=finished,
        trace_id=trace_id(record.run_id),
        skipped_ticks=count,
    )


def attempt_row(attempt: Attempt | AttemptRow) -> AttemptRow:
    """The row of an attempt as it is now."""
    if isinstance(attempt, AttemptRow):
        return attempt
    return AttemptRow(
        run_id=attempt.run_id,
        attempt=attempt.attempt,
        pod_name=attempt.pod_name,
        pod_uid=attempt.pod_uid,
        epoch=attempt.epoch,
        sent=attempt.sent,
        ended=attempt.ended,
        answer=attempt.answer,
        reason=attempt.reason,
        chosen_by=attempt.chosen_by,
        filtered=attempt.filtered[:FILTERED_KEPT],
        error=attempt.error,
        scheduled=attempt.scheduled,
    )
