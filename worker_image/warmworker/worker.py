"""One worker: joins the run table, its journal, the running runs and the reporter; never speaks HTTP."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from warmworker import protocol, records, runs, settings
from warmworker.errors import JournalBroken
from warmworker.execute import Executor
from warmworker.journal import Journal
from warmworker.live import Live, LiveRuns
from warmworker.output import Line
from warmworker.protocol import Problem
from warmworker.records import Record, RunState
from warmworker.registry import Handler
from warmworker.reporter import Reporter
from warmworker.settings import Settings
from warmworker.wire import ExecuteRequest, TermRequest

logger = logging.getLogger(__name__)
REPORT_PATIENCE: Final = 3.0
PRUNE_SECONDS: Final = 30.0
_RESTARTED: Final = {"type": "Interrupted", "message": "the worker's process ended while the run was running"}
# States of an earlier attempt that answer for the whole run; after the others a later attempt is a new question.
_DECISIVE: Final = frozenset({RunState.RUNNING, RunState.SUCCEEDED})
_BY_ITS_HANDLER: Final = frozenset({RunState.SUCCEEDED, RunState.FAILED})


@dataclass(frozen=True, slots=True)
class Done:
    """The attempt ended while the caller waited."""

    record: Record
    log: list[Line]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The attempt goes on, or something other than its handler ended it; events follow by callback."""

    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conflict:
    """The attempt is here already, or was promised never to be."""

    document: dict[str, Any]


Answer = Done | Accepted | Conflict | Problem


class Worker:
    """Everything a worker does; use it on one event loop. `start` before anything else, `close` after."""

    def __init__(self, handlers: Mapping[str, Handler], configured: Settings) -> None:
        self.handlers = handlers
        self.settings = configured
        self.pod = configured.pod
        self.draining = False
        self.ready = False
        directory, sentence = settings.state_directory(configured.state_dir)
        self._journal = Journal(directory, pod_uid=self.pod.uid)
        logger.info("%s", sentence)
        found = self._journal.load()
        self._table = runs.RunTable(records=found.records, fences=found.fences, epoch=found.epoch)
        self._executor = Executor(concurrency=configured.concurrency, log_format=configured.log_format)
        self._live = LiveRuns(table=self._table, journal=self._journal, executor=self._executor)
        authority = configured.tls.authority if configured.tls else None
        self._reporter = Reporter(self.pod, told=self._told, authority=authority)
        self._pruning: asyncio.Task[None] | None = None

    @property
    def busy(self) -> int:
        """How many places are taken."""
        return self._live.busy

    @property
    def writable(self) -> bool:
        """Whether runs can be remembered."""
        return not self._journal.broken

    async def start(self) -> None:
        """Settle what an earlier life of this worker left, then be ready."""
        self._journal.start()
        # A run that is Running on disk had its handler called by a process that is gone, or was about to have. Nobody
        # can tell which, so it is not started again here: the operator decides. A crash on this line repeats it.
        if interrupted := self._table.interrupt_all(time.time(), _RESTARTED):
            logger.warning("%d runs were interrupted by the end of the last process", len(interrupted))
            await self._journal.write(interrupted)
        for record in self._table.recent(time.time()):
            if record.callback is not None and not record.reported:
                self._reporter.settle(record)
        self._executor.prepare(self.handlers.values())
        self._pruning = asyncio.get_running_loop().create_task(self._prune())
        self.ready = True

    async def execute(self, request: ExecuteRequest) -> Answer:
        """One attempt, from the request to the answer."""
        decision = protocol.decide(request, table=self._table, worker=self._view(), now=time.time())
        if isinstance(decision, protocol.NotForUs):
            return decision.problem
        heard = self._table.hear(request.epoch)
        try:
            if isinstance(decision, protocol.Start):
                live = await self._live.begin(request, self.handlers[request.handler], also=heard)
                return await self._wait(live, request.wait)
            if heard:  # a leader's term outlives a crash from the first answer on that this leader got
                await self._journal.write(heard)
        except JournalBroken:
            return protocol.NOT_WRITABLE
        match decision:
            case protocol.Here(record):
                return Conflict(self._here(record, request))
            case protocol.Promised():
                return Conflict(self._never(request.run_id, request.attempt))
            case protocol.Refuse(problem):
                return problem

    async def fence(self, run_id: str, request: TermRequest) -> dict[str, Any] | Problem:
        """Promise never to start what is not here; the promise is durable before it is given."""
        if request.epoch is not None and request.epoch < self._table.epoch:
            return protocol.stale_epoch(request.epoch, self._table.epoch)
        try:
            # Written also when it is empty: an earlier fence or a start may still be on its way to the disk.
            await self._journal.write(self._promise(run_id, request))
            if again := self._promise(run_id, request):  # the start that stood in its way was not written: undone
                await self._journal.write(again)
        except JournalBroken:
            return protocol.NOT_WRITABLE
        record, asked = self._table.get(run_id), request.attempt
        if record is None or (asked is not None and asked > record.attempt and record.state not in _DECISIVE):
            return self._never(run_id, asked or 0)
        return self._shown(record)

    def cancel(self, run_id: str, request: TermRequest) -> tuple[int, dict[str, Any]] | Problem:
        """Tell the run to stop; 202 while it has not. A later attempt than the one that is meant is left alone."""
        if request.epoch is not None and request.epoch < self._table.epoch:
            return protocol.stale_epoch(request.epoch, self._table.epoch)
        record = self._table.get(run_id)
        if record is None:
            return protocol.unknown_run(run_id)
        meant = request.attempt is None or request.attempt >= record.attempt
        if meant and (live := self._live.get(run_id)) is not None:
            self._live.cancel(live)
            return 202, self._shown(record)
        return 200, self._shown(record)

    def document(self, run_id: str) -> dict[str, Any] | Problem:
        """The run document."""
        if (record := self._table.get(run_id)) is not None:
            return self._shown(record)
        fence = self._table.fence_of(run_id)
        return self._never(run_id, fence.through or 0) if fence else protocol.unknown_run(run_id)

    def recent(self) -> list[dict[str, Any]]:
        """The run documents of what runs and of what ended lately."""
        return [self._shown(record) for record in self._table.recent(time.time())]

    async def drain(self, grace: float) -> None:
        """Take nothing new, let running work end, interrupt the rest."""
        self.draining = True
        await self._live.drain(grace)

    async def close(self) -> None:
        """The last callbacks and the last writes."""
        self.ready = False
        if self._pruning is not None:
            self._pruning.cancel()
        await self._reporter.close(REPORT_PATIENCE)
        self._executor.close()
        await asyncio.to_thread(self._journal.close)

    def not_received(self, done: Done) -> None:
        """The caller left before the answer: what it said is reported by callback instead."""
        self._reporter.settle(done.record, done.log)

    async def _wait(self, live: Live, wait: float) -> Answer:
        if wait > 0:
            await asyncio.wait({live.done}, timeout=wait)
        if wait > 0 and live.done.done() and live.record.state in _BY_ITS_HANDLER:
            if live.asked:
                self._reporter.follow(live)
            return Done(live.record, live.output.take())
        live.inline = False
        self._reporter.follow(live)
        return Accepted(records.document(live.record, self.pod))

    def _view(self) -> protocol.Worker:
        return protocol.Worker(
            self.pod.uid, self.handlers, self.busy, self.settings.concurrency, self.draining, self.writable
        )

    def _here(self, record: Record, request: ExecuteRequest) -> dict[str, Any]:
        live = self._live.get(record.run_id)
        if live is not None and request.callback is not None and request.attempt == record.attempt:
            self._live.adopt(live, request.callback)
        return self._shown(record)

    def _shown(self, record: Record) -> dict[str, Any]:
        # Whoever hears "Running" will wait for the end, and need not be the caller who gets it with the answer.
        if (live := self._live.get(record.run_id)) is not None:
            live.asked = True
        return records.document(record, self.pod)

    def _never(self, run_id: str, attempt: int) -> dict[str, Any]:
        return records.fenced_document(run_id, attempt, epoch=self._table.epoch, pod=self.pod)

    def _promise(self, run_id: str, request: TermRequest) -> list[runs.Change]:
        record = self._table.get(run_id)
        changes = self._table.hear(request.epoch or 0)
        if record is None or request.attempt is None or request.attempt > record.attempt:
            changes += self._table.fence(run_id, request.attempt, now=time.time())
        return changes

    def _told(self, record: Record) -> None:
        # A crash before this is on disk repeats the last callback after the restart: the operator has it already.
        self._journal.post(self._table.reported(record.run_id, record.attempt))

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            before = self._table.forgotten_early
            self._journal.post(self._table.prune(time.time()))
            if early := self._table.forgotten_early - before:
                logger.error("%d run ids were forgotten before their deadline: too many runs for one worker", early)
