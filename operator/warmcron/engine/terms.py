"""Terms of leadership: whose tasks they are, how they are taken over from the leader before and handed to the next one.

Between taking a pool over and having taken over each of its tasks, others get turns of the loop. What happens to a task
in such a turn is only noted: nothing is decided, sent or written about a task that is not `ours` yet.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from warmcron.core import bookkeeping, status
from warmcron.core.decide import Reason
from warmcron.core.pool import Pool
from warmcron.core.table import Tasks
from warmcron.core.tasks import NEVER, PoolKey, Task
from warmcron.engine import takeover
from warmcron.engine.ports import Clock, Journal, Observer, Recorder
from warmcron.engine.ticks import Ticks
from warmcron.spec.task import ConcurrencyPolicy, DeliveryPolicy
from warmcron.workers.protocol import Report

# Tasks taken over before the loop gives others a turn: 10,000 take half a second, and the lease must be renewed.
SLICE: Final = 50


class Terms:
    """Whether we lead, and which tasks we have taken over.

    Attributes:
        leading: a term of ours goes on.
    """

    def __init__(  # noqa: PLR0913 - what it works on, each by name
        self,
        *,
        tasks: Tasks,
        pool: Pool,
        ticks: Ticks,
        clock: Clock,
        recorder: Recorder,
        observer: Observer,
        journal: Journal,
    ) -> None:
        self._tasks, self._pool, self._ticks = tasks, pool, ticks
        self._clock, self._recorder, self._observer, self._journal = clock, recorder, observer, journal
        self.leading = False
        self._number = 0
        self._asking: set[PoolKey] = set()  # pools that have not yet told this leader what they have
        self._waiting: set[str] = set()  # tasks of those that have, until each is taken over
        self._refused: set[str] = set()  # tasks that could not be taken over as they are

    @property
    def settled(self) -> bool:
        """Whether we lead and have heard every pool out, so that a run we do not know is over."""
        return self.leading and not self._asking and not self._waiting

    def ours(self, task: Task) -> bool:
        """Whether we lead and have taken the task over: only then is anything decided, sent or written about it."""
        if not self.leading or task.ref.uid in self._waiting or task.ref.uid in self._refused:
            return False
        return task.spec is None or task.spec.pool not in self._asking

    def heard(self, key: PoolKey) -> bool:
        """Whether we lead and the workers of a pool have said what they have."""
        return self.leading and key not in self._asking

    def see(self, task: Task) -> None:
        """A task is new to us, or was read anew: it is taken over, unless its pool has still to be heard out."""
        self._refused.discard(task.ref.uid)
        if self.ours(task):
            self._take(task, ())

    def lead(self) -> list[PoolKey]:
        """A term begins. Returns the pools to ask; until `opening`, the tasks of a pool start nothing."""
        self.leading = True
        self._asking = {worker.pool for worker in self._pool.all()} | self._tasks.pools()
        for task in self._tasks:
            if task.spec is None:
                self._take(task, ())
        return list(self._asking)

    def opening(self, key: PoolKey, reports: Iterable[Report]) -> Iterator[None]:
        """The workers of a pool have said what they have: its tasks are taken over, with turns for others between.

        A crash before its end leaves runs on workers that nobody here knows of; the next leader asks again.
        """
        if not self.leading or key not in self._asking:
            return
        known, term = takeover.by_task(reports), self._number
        uids = [task.ref.uid for task in self._tasks.of_pool(key)]
        self._asking.discard(key)
        self._waiting.update(uids)
        for number, uid in enumerate(uids, 1):
            self._waiting.discard(uid)
            if task := self._tasks.get(uid):
                self._take(task, known.get(uid, []) + known.get("", []))
            if number % SLICE == 0:
                yield
                if self._number != term:
                    return
        if not self._waiting:
            self._waiting = set()  # an emptied one keeps the room it had

    def follow(self) -> None:
        """The term is over: everything that is not on the objects is the next leader's to find out."""
        self.leading = False
        self._number += 1
        for uids in (self._asking, self._waiting, self._refused):
            uids.clear()
        for task in self._tasks:
            if task.active or task.queued:  # ours again, should nobody else lead before we do
                task.history.active = takeover.hand_over(task, self._ticks.runs_of(task))
        self._ticks.runner.clear()
        for task in self._tasks:
            task.history.led = True
            task.active.clear()
            task.queued.clear()
            task.adopted = frozenset()
            self._tasks.schedule(task, next_tick=None, due=NEVER)

    def reread(self, task: Task, written: status.Json) -> None:
        """The status that we took a task over from was not the last one: another leader wrote after it.

        Under AtMostOnce what it decided is taken over again: in this term none of the task's runs was sent, for that
        takes a write of ours, after which nobody else's succeeds. Under AtLeastOnce ours is the later word: runs may
        have been sent and have ended since, and to decide their ticks again would start them again.
        """
        if task.spec is None or task.spec.delivery is not DeliveryPolicy.AT_MOST_ONCE:
            return
        for run in self._ticks.runs_of(task):
            self._ticks.runner.drop(run)
        task.active.clear()
        task.queued.clear()
        task.history = status.restore(written, created=task.created)
        self._take(task, ())

    def _take(self, task: Task, reports: Iterable[Report]) -> None:
        try:
            self._take_over(task, reports)
        except Exception as error:  # noqa: BLE001 - one that cannot be taken over must not take the others with it
            self._refused.add(task.ref.uid)
            self._observer.broke(task.ref, error)

    def _take_over(self, task: Task, reports: Iterable[Report]) -> None:
        """Takes a task over from its status and from what the workers say."""
        now, history = self._clock.now(), task.history
        before = None if history.led else history.copy()
        if task.held and history.generation != task.generation:  # edited while nobody looked
            history.consecutive_failures = 0
        workers = self._pool.ready_count(task.spec.pool) if task.spec else 0
        bookkeeping.settle(task, now, moved=history.idle and not task.idle, workers=workers)
        for record in history.recent:
            self._journal.recalled(task.ref, task.spec, record)
        if task.problem:
            # Nobody can lead its runs: deadlines, handler and policy are in a spec that cannot be read.
            for lost in [record for record in history.active if record.attempt]:
                self._journal.recalled(task.ref, None, bookkeeping.lose(task, lost, task.problem.reason, now))
        task.queued.extend(takeover.queue_of(task))
        task.serving = True  # whose turn it is shows when all of them are here: some end at once
        try:
            for found in takeover.runs_of(task, reports, now):
                self._adopt(task, found)
        finally:
            task.serving = False
        history.active = ()  # from here on the runner knows better
        self._ticks.pull_trigger(task)
        self._ticks.pull_cancel(task)
        self._ticks.settle(task, now)
        if task.queued and task.spec and task.spec.concurrency is ConcurrencyPolicy.REPLACE:
            # The leader before may have died before it told the run that is to be replaced.
            self._ticks.stop(task, Reason.REPLACED)
        if task.adopted:
            # Before anybody writes the status: a run that has ended already is not in it, and its tick must be behind
            # the cursor, or the next leader would begin it once more.
            self._ticks.look(task, now)
        self._ticks.serve_queue(task, now)
        # Most objects say all this already, and ten thousand writes would keep the API server busy for a minute.
        if history != before or task.active or task.queued:
            self._recorder.note(task.ref.uid, urgent=True)

    def _adopt(self, task: Task, found: takeover.Found) -> None:
        runner = self._ticks.runner
        if found.run.key in runner.runs:
            return
        task.active[found.run.id] = None
        if found.shards is not None:
            runner.adopt_shards(found.run, found.shards, total=found.total, done=found.done)
            return
        worker = self._pool.get(found.run.pod_uid)
        found.run.pod_name = worker.name if worker else found.run.pod_name
        runner.adopt(found.run, found.event)
