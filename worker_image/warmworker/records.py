"""What the worker remembers of a run, and how that reads as JSON; never how it changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from warmworker import times
from warmworker.wire import Callback, ExecuteRequest, Shard, TaskRef

# A duplicate that comes later than this after the deadline is refused for being late, so the run id may be forgotten.
# The slack is for clocks that differ and for callers that ask how a run ended.
KEEP_AFTER_DEADLINE: Final = 900.0
KEEP_FENCE: Final = 7 * 86400.0


class RunState(StrEnum):
    """Where an attempt stands on this pod."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    INTERRUPTED = "Interrupted"
    FENCED = "Fenced"


@dataclass(frozen=True, slots=True)
class Record:
    """The latest attempt of a run on this pod.

    Attributes:
        retry: False when another attempt cannot help (the handler rejected the payload).
        reported: nothing is owed to the operator any more.
        weight: how many characters of result and error it holds.
    """

    run_id: str
    attempt: int
    epoch: int
    state: RunState
    trigger: str
    scheduled_time: float
    deadline: float
    task: TaskRef
    handler: str
    start_time: float
    callback: Callback | None = None
    finish_time: float | None = None
    result: Any = None
    error: Mapping[str, str] | None = None
    retry: bool = True
    reported: bool = False
    weight: int = 0
    shard: Shard | None = None

    @property
    def keep_until(self) -> float:
        """When the run id may be forgotten."""
        return max(self.deadline, self.finish_time or 0.0) + KEEP_AFTER_DEADLINE


def started(request: ExecuteRequest, now: float) -> Record:
    """The record of an attempt that is about to start."""
    return Record(
        run_id=request.run_id,
        attempt=request.attempt,
        epoch=request.epoch,
        state=RunState.RUNNING,
        trigger=request.trigger,
        scheduled_time=request.scheduled_time,
        deadline=request.deadline,
        task=request.task,
        handler=request.handler,
        start_time=now,
        callback=request.callback,
        shard=request.shard,
    )


@dataclass(frozen=True, slots=True)
class Fence:
    """A promise: no attempt up to `through` (None: none at all) that is not here yet will ever start here."""

    run_id: str
    through: int | None
    keep_until: float

    def covers(self, attempt: int) -> bool:
        """Whether this attempt is one of them."""
        return self.through is None or attempt <= self.through


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod this worker is; empty names when nobody told it."""

    name: str = ""
    uid: str = ""


def document(record: Record, pod: Pod) -> dict[str, Any]:
    """The run document of the protocol."""
    task = record.task
    found: dict[str, Any] = {
        "runId": record.run_id,
        "attempt": record.attempt,
        "epoch": record.epoch,
        "state": record.state.value,
        "task": {"namespace": task.namespace, "name": task.name, "uid": task.uid},
        "trigger": record.trigger,
        "scheduledTime": times.text(record.scheduled_time),
        "handler": record.handler,
        "startTime": times.text(record.start_time),
        "podUID": pod.uid,
        "podName": pod.name,
    }
    if record.finish_time is not None:
        found["finishTime"] = times.text(record.finish_time)
    if record.shard is not None:
        found["shard"] = {"index": record.shard.index, "total": record.shard.total}
    if record.result is not None:
        found["result"] = record.result
    if record.error is not None:
        found["error"] = dict(record.error)
    if not record.retry:
        found["retry"] = False
    return found


def fenced_document(run_id: str, attempt: int, *, epoch: int, pod: Pod) -> dict[str, Any]:
    """The run document of an attempt that never was here: all that is known of it is that it never will be."""
    return {
        "runId": run_id,
        "attempt": attempt,
        "epoch": epoch,
        "state": RunState.FENCED.value,
        "podUID": pod.uid,
        "podName": pod.name,
    }
