"""What a handler sees of its run: `current_run()`; never anything of the server around it."""

import contextvars
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from warmworker import times
from warmworker.wire import ExecuteRequest, Shard, TaskRef


class Sink(Protocol):
    """Where a run's output goes: a buffer in this process, or a pipe to the parent."""

    def write(self, stream: str, text: str) -> None:
        """Text printed to stdout or stderr."""

    def log(self, level: str, text: str) -> None:
        """A record of the logging module."""

    def progress(self, fraction: float, text: str) -> None:
        """How far the handler says it is."""


@dataclass(slots=True, eq=False)
class Run:
    """The attempt a handler works on.

    Attributes:
        run_id: the same for every attempt of this run: give it to whatever must not happen twice.
        attempt: counts the attempts.
        epoch: the term of the leader that sent this attempt; it never goes down. A store that refuses an older one
            than it has seen keeps out an attempt of the past (a fencing token).
        scheduled_time: the tick this run stands for; it does not change over retries.
        deadline: after it the run has failed whatever the handler does.
        trigger: `Schedule` or `Manual`.
        handler: the name the handler was registered under.
        task: namespace, name and uid of the ScheduledTask.
        shard: which part of a broadcast run this is, else None.
        traceparent: W3C Trace Context of the request, if it had one.
        log: a logger whose lines reach the operator.
    """

    run_id: str
    attempt: int
    epoch: int
    scheduled_time: datetime
    deadline: datetime
    trigger: str
    handler: str
    task: TaskRef
    shard: Shard | None
    traceparent: str | None
    _sink: Sink = field(repr=False)
    log: logging.Logger = field(default=logging.getLogger("warmworker.run"), repr=False)
    _cancelled: bool = False

    @property
    def cancelled(self) -> bool:
        """True once nobody wants the result any more: a sync handler that runs for long looks here and returns."""
        return self._cancelled

    def progress(self, fraction: float, text: str = "") -> None:
        """Tell the operator how far the work is: `fraction` from 0 to 1."""
        self._sink.progress(min(1.0, max(0.0, float(fraction))), str(text)[:1024])

    def cancel(self) -> None:
        """Say that the result is not wanted; called by the worker, harmless from anywhere."""
        self._cancelled = True


_current: contextvars.ContextVar[Run | None] = contextvars.ContextVar("warmworker_run", default=None)


def current_run() -> Run:
    """The run of the handler that calls this; LookupError outside of one."""
    run = _current.get()
    if run is None:
        msg = "current_run() was called outside of a handler. Call it in the handler and pass the run on."
        raise LookupError(msg)
    return run


def running_or_none() -> Run | None:
    """The run of this context, if it has one."""
    return _current.get()


def enter(run: Run) -> None:
    """From here on, this context belongs to the run."""
    _current.set(run)


def of_request(request: ExecuteRequest, sink: Sink) -> Run:
    """The run a handler sees for this request."""
    return Run(
        run_id=request.run_id,
        attempt=request.attempt,
        epoch=request.epoch,
        scheduled_time=times.moment(request.scheduled_time),
        deadline=times.moment(request.deadline),
        trigger=request.trigger,
        handler=request.handler,
        task=request.task,
        shard=request.shard,
        traceparent=request.traceparent,
        _sink=sink,
    )


Payload = dict[str, Any]
