"""Engine, dispatcher and callbacks, wired to each other: what the cluster and the embedded mode share.

Who owns a hub brings the rest: where tasks and workers are seen, who leads, where statuses go.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

import structlog

from warmcron import gauges
from warmcron.api.memory import Memory
from warmcron.core.pool import Worker
from warmcron.core.runs import Attempt, Run
from warmcron.core.tasks import PoolKey, Problem
from warmcron.engine import Engine
from warmcron.engine.intents import InMemoryIntents
from warmcron.engine.ports import Gate, IntentWriter, Recorder
from warmcron.errors import KubeError
from warmcron.history.nothing import Nothing
from warmcron.history.several import Listener
from warmcron.kube import translate
from warmcron.observe import Metrics
from warmcron.workers.callbacks import Callbacks
from warmcron.workers.dispatcher import Dispatcher
from warmcron.workers.introductions import Introductions
from warmcron.workers.protocol import Report
from warmcron.workers.reports import Reports
from warmcron.workers.signing import Signer
from warmcron.workers.tls import Tls
from warmcron.workers.tokens import Tokens

log = structlog.get_logger("warmcron")

# A worker that cannot say what it runs holds its pool back at most this often, then the schedule goes on.
ASK_TIMES: Final = 3
# After this long the schedule goes on with what the watch has told: less than the ten seconds that make a tick missed.
REREAD_SECONDS: Final = 5.0
REREAD_PAUSE_SECONDS: Final = 0.2


class WallClock:
    """The real time."""

    def now(self) -> float:
        """UTC epoch seconds."""
        return time.time()


class Hub:
    """One replica's engine and how it talks to workers.

    Args:
        gate: leadership; its epoch goes into every request.
        recorder: where a task whose status has changed is noted.
        intents: where AtMostOnce runs are written down before they are sent; in memory unless given.
        leader_address: where the replica that leads takes callbacks; empty for this one.
        callback_url: where workers report what they could not finish at once.
        signer: signs every request to a worker; who starts workers gives them its public keys.
        tls: certificates for both directions; None for plain HTTP.
        reread: lists a namespace's tasks once more, or raises KubeError; None where nobody else writes their statuses.
        journal: where the past is kept; None for nowhere.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        gate: Gate,
        recorder: Recorder,
        intents: IntentWriter | None = None,
        leader_address: Callable[[], str],
        callback_url: str,
        callback_key: bytes,
        signer: Signer,
        tls: Tls | None = None,
        metrics: Metrics,
        random: Random,
        reread: Callable[[str], Coroutine[Any, Any, None]] | None = None,
        journal: Listener | None = None,
    ) -> None:
        self._gate = gate
        self._journal = Nothing() if journal is None else journal
        self._metrics, self._reread = metrics, reread
        self._readings: dict[str, asyncio.Task[None]] = {}  # of statuses as the leader before left them, by namespace
        self._talks: set[asyncio.Task[None]] = set()
        self._notes = recorder
        self._clock = clock = WallClock()
        tokens = Tokens(callback_key)
        reports = Reports(
            archive=self._journal, find=self._attempted, shard=self._shard, now=clock.now, silenced=metrics.silenced
        )
        self.dispatcher = Dispatcher(
            may_send=gate.may_send,
            epoch=lambda: gate.epoch,
            callback_url=callback_url,
            signer=signer,
            tls=tls,
            tokens=tokens,
            metrics=metrics,
            reports=reports,
        )
        in_memory = InMemoryIntents()
        self.engine = Engine(
            clock=clock,
            gate=gate,
            sender=self.dispatcher,
            intents=intents or in_memory,
            recorder=self,
            observer=metrics,
            journal=self._journal,
            random=random,
        )
        self.dispatcher.inbox = in_memory.inbox = self.engine
        self._introductions = Introductions(
            ask=self.dispatcher.abilities, find=self.engine.pool.get, tell=self.engine.set_abilities
        )
        self.memory = Memory(self.engine, clock)
        self.callbacks = Callbacks(
            inbox=self.engine,
            reports=reports,
            known=lambda run_id: run_id in self.engine.runner.runs,
            ready=lambda: self.engine.settled,
            leader=leader_address,
            tls=tls,
            tokens=tokens,
            metrics=metrics,
        )

    def _attempted(self, about: Attempt) -> Run | None:
        return self.engine.runner.broadcasts.find(about)

    def _shard(self, about: Attempt) -> int:
        return self.engine.runner.broadcasts.number(about)

    async def close(self) -> None:
        """Ends what is under way."""
        self._hush()
        await self._introductions.close()
        await self.dispatcher.close()

    def note(self, uid: str, *, urgent: bool) -> None:
        """The status of this task has changed: it is to be written, and shown."""
        self.memory.note(uid)
        self._notes.note(uid, urgent=urgent)

    def task_gone(self, uid: str) -> None:
        """A ScheduledTask is deleted."""
        self.engine.forget_task(uid)
        self.memory.note(uid)

    def herd(self) -> bool:
        """Whether runs wait to be sent: what can wait then should."""
        return self.engine.busy or self.dispatcher.herd()

    def task_seen(self, raw: dict[str, Any]) -> None:
        """A ScheduledTask exists as described; what it asks for is checked once for each generation of it."""
        if raw["metadata"].get("deletionTimestamp"):  # kept only by somebody's finalizer
            self.engine.forget_task(raw["metadata"]["uid"])
            return
        ref = translate.task_ref(raw)
        generation = raw["metadata"]["generation"]
        known = self.engine.tasks.get(ref.uid)
        if known and known.generation == generation:
            spec, problem = known.spec, known.problem
        else:
            found = translate.task_spec(raw)
            spec, problem = (None, found) if isinstance(found, Problem) else (found, None)
        self.engine.apply_task(
            ref,
            generation=generation,
            created=translate.created(raw),
            spec=spec,
            problem=problem,
            trigger=translate.trigger(raw),
            written=raw.get("status") or {},
            version=raw["metadata"].get("resourceVersion", ""),
            cancel=translate.cancel(raw),
        )
        self.memory.label(ref.uid, raw["metadata"].get("labels") or {})
        self.memory.note(ref.uid)

    def worker_seen(self, worker: Worker) -> None:
        """A worker exists as described; one that has just become ready is asked what it can do."""
        if self.engine.apply_worker(worker):
            self._introductions.begin(worker.uid)

    def lead(self) -> None:
        """A term begins: every pool is heard out before anything in it is started."""
        self._metrics.leading = True
        self._metrics.leader.set(1)
        self._metrics.epoch.set(self._gate.epoch)
        for key in self.engine.lead():
            self._talk(self._take_over(key, self._gate.epoch))

    def follow(self) -> None:
        """The term is over."""
        self._metrics.leading = False
        self._metrics.leader.set(0)
        self._hush()
        self.engine.follow()
        self._journal.follow()

    async def refresh_metrics(self) -> None:
        """Brings the gauges up to date, just before somebody reads them."""
        await gauges.refresh(self._metrics, self.engine, self._clock.now())

    async def _take_over(self, key: PoolKey, epoch: int) -> None:
        """Asks every worker of a pool what it has, ready or not, before anything in the pool is repeated."""
        workers = [worker for worker in self.engine.pool.of(key) if worker.address]
        reports: list[Report] = []
        for _ in range(ASK_TIMES):
            answers = await asyncio.gather(*(self.dispatcher.reports(worker) for worker in workers))
            reports += [report for answer in answers for report in answer or ()]
            workers = [worker for worker, answer in zip(workers, answers, strict=True) if answer is None]
            if not any(worker.ready for worker in workers):
                break
        if workers:
            log.warning("workers not asked", pool=f"{key.namespace}/{key.name}", count=len(workers))
        await self._until_reread(key)
        if self._gate.epoch == epoch:
            for _ in self.engine.opening(key, reports):
                await asyncio.sleep(0)

    async def _until_reread(self, key: PoolKey) -> None:
        """Waits for the statuses as the leader before left them, where no worker can tell what it has sent.

        Our watch may be behind the last of its writes: a tick that it had done would be done once more. A worker with
        a table of runs would say so; a plain endpoint keeps none (docs/adr/0015-statuses-are-read-afresh.md).
        """
        if self._reread is None or all(worker.handlers is not None for worker in self.engine.pool.of(key)):
            return
        reading = self._readings.get(key.namespace)
        if reading is None:
            reading = self._readings[key.namespace] = self._talk(self._read(key.namespace))
        await asyncio.wait({reading}, timeout=REREAD_SECONDS)
        if not reading.done():
            log.warning("statuses not read afresh", pool=f"{key.namespace}/{key.name}")

    async def _read(self, namespace: str) -> None:
        while self._reread is not None:
            try:
                await self._reread(namespace)
            except KubeError as error:
                log.warning("statuses not read", namespace=namespace, error=str(error))
                await asyncio.sleep(REREAD_PAUSE_SECONDS)
            else:
                return

    def _talk(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._talks.add(task)  # the loop holds only a weak reference
        task.add_done_callback(self._talks.discard)
        return task

    def _hush(self) -> None:
        self._readings.clear()
        for task in self._talks:
            task.cancel()
