"""The runs that are running: starts them, watches their deadlines, stops them, ends them; never answers a request."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from warmworker import ending, records, run, runs
from warmworker.ending import Ending
from warmworker.errors import JournalBroken
from warmworker.execute import Execution, Executor
from warmworker.journal import Journal
from warmworker.output import Output
from warmworker.records import Record
from warmworker.registry import Handler
from warmworker.runs import Step
from warmworker.wire import Callback, ExecuteRequest

logger = logging.getLogger(__name__)
# How long a run that was told to stop at its deadline or at the end may take before it is reported without it.
STOP_PATIENCE: Final = 2.0
# The operator reads the type: what a draining worker gives back costs no retry, what a crash took does.
_SHUT_DOWN: Final = {"type": "Drained", "message": "the worker shut down, and its grace period was over"}
_CANCELLED: Final = {"type": "Cancelled", "message": "the run was cancelled"}
_TOO_LATE: Final = {"type": "DeadlineExceeded", "message": "the run was still running at its deadline"}


@dataclass(slots=True, eq=False)
class Live:
    """An attempt that is running now.

    Attributes:
        inline: its caller waits for the answer and will get the outcome with it.
        asked: somebody was told that it is running, so its end is reported by callback in any case.
        stopped: why it was told to stop: the step it takes then, and the error it has.
    """

    record: Record
    done: "asyncio.Future[Record]"
    inline: bool
    asked: bool = False
    output: Output = field(default_factory=Output)
    execution: Execution | None = None
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    stopped: tuple[Step, Mapping[str, str]] | None = None


class LiveRuns:
    """Runs between their durable start and their end."""

    def __init__(self, *, table: runs.RunTable, journal: Journal, executor: Executor) -> None:
        self._table = table
        self._journal = journal
        self._executor = executor
        self._live: dict[str, Live] = {}
        # Places taken: running handlers, and threads that go on after their run was reported without them.
        self.busy = 0

    def get(self, run_id: str) -> Live | None:
        """The run, while it runs."""
        return self._live.get(run_id)

    async def begin(self, request: ExecuteRequest, handler: Handler, *, also: list[runs.Change]) -> Live:
        """Start the attempt: durable first, then the handler. JournalBroken: it never started."""
        before, record = self._table.get(request.run_id), records.started(request, time.time())
        live = Live(record, asyncio.get_running_loop().create_future(), inline=request.wait > 0)
        # Place and run id are taken before the disk is asked: a second request of the same moment finds them taken.
        # A crash before the write returns leaves nothing here, and nobody was told more than that it is running.
        changes = self._table.start(record)
        self._live[request.run_id] = live
        self.busy += 1
        try:
            await self._journal.write([*also, *changes])
        except JournalBroken:
            self._table.undo_start(record, before)
            del self._live[request.run_id]
            self.busy -= 1
            raise
        # A crash from here on leaves a run that is Running on disk: the next life reports it as Interrupted, whether
        # or not its handler had been called.
        if live.stopped is None:
            self._call(live, request, handler)
        else:
            self.busy -= 1
            self._end(live, ending.STOPPED)
        return live

    def cancel(self, live: Live) -> None:
        """Somebody wants no result; a thread that never looks at `cancelled` goes on and says so."""
        self._stop(live, Step.CANCEL, _CANCELLED)

    def adopt(self, live: Live, callback: Callback) -> None:
        """A later request for the same attempt says where to report now."""
        self._table.adopt(live.record.run_id, callback)
        live.record = replace(live.record, callback=callback)

    async def drain(self, grace: float) -> None:
        """Let running work end for so long, then interrupt what is left."""
        if waiting := {live.done for live in self._live.values()}:
            logger.info("draining: %d runs may take up to %g s", len(waiting), grace)
            await asyncio.wait(waiting, timeout=grace)
        left = list(self._live.values())
        for live in left:
            self._stop(live, Step.INTERRUPT, _SHUT_DOWN)
        if left:
            logger.warning("the grace period is over: %d runs are interrupted", len(left))
            await asyncio.wait({live.done for live in left}, timeout=STOP_PATIENCE)
        for live in left:
            self._end(live, ending.STOPPED)

    def _call(self, live: Live, request: ExecuteRequest, handler: Handler) -> None:
        current = run.of_request(request, live.output)
        remaining = request.deadline - time.time()
        live.timers.append(asyncio.get_running_loop().call_later(remaining, self._too_late, live))
        try:
            live.execution = self._executor.start(handler, request.payload, current)
        except Exception as error:  # noqa: BLE001 - no thread to be had: the attempt failed, and its place is free again
            self._returned(live, ending.raised(error))
            return
        live.execution.future.add_done_callback(lambda future: self._returned(live, future.result()))

    def _too_late(self, live: Live) -> None:
        self._stop(live, Step.FAIL, _TOO_LATE)
        # What ends now can still say its last lines. What does not is reported without it and keeps its place.
        loop = asyncio.get_running_loop()
        live.timers.append(loop.call_later(STOP_PATIENCE, self._end, live, ending.STOPPED))

    def _stop(self, live: Live, step: Step, error: Mapping[str, str]) -> None:
        if live.stopped is None or step is Step.INTERRUPT:
            live.stopped = live.stopped or (step, error)
            if live.execution is not None:
                live.execution.stop()
        elif step is Step.FAIL:
            live.stopped = (step, error)  # cancelled, but not ended by its deadline

    def _returned(self, live: Live, ended: Ending) -> None:
        self.busy -= 1
        self._end(live, ended)

    def _end(self, live: Live, ended: Ending) -> None:
        if live.done.done():
            return
        for timer in live.timers:
            timer.cancel()
        step, error = live.stopped or (ended.step, ended.error)
        changes = self._table.finish(
            live.record.run_id,
            live.record.attempt,
            step,
            finish_time=time.time(),
            result=ended.result,
            error=error,
            retry=not ended.rejected,
            reported=live.record.callback is None or self._told_inline(live, step),
            weight=ended.weight,
        )
        live.output.finish()
        if ended.note is not None:
            live.output.log("WARNING", ended.note)
        # Not waited for: a crash before it is on disk turns an outcome that was told into Interrupted, which only
        # somebody who missed the outcome asks for; waiting would cost every run a second write to the disk.
        self._journal.post(changes)
        live.record = self._table.get(live.record.run_id) or live.record
        self._live.pop(live.record.run_id, None)
        live.done.set_result(live.record)

    @staticmethod
    def _told_inline(live: Live, step: Step) -> bool:
        return live.inline and not live.asked and step in {Step.SUCCEED, Step.FAIL}
