"""Tasks and workers as they are seen, and terms of leadership: who leads decides what is due, everybody else watches.

`run()` is the only loop and holds the only timer. Everything happens on one event loop, so nothing is locked.
"""

import asyncio
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

from warmcron.core import bookkeeping, decide, runs, status
from warmcron.core.pool import Pool, Worker
from warmcron.core.tasks import NEVER, PoolKey, Problem, Task, TaskRef, Tasks, TaskSpec, Trigger
from warmcron.engine import takeover
from warmcron.engine.fleet import Fleet
from warmcron.engine.ports import Clock, Gate, IntentWriter, Journal, Observer, Recorder, Sender
from warmcron.engine.runner import Runner
from warmcron.engine.ticks import Ticks
from warmcron.spec.task import DeliveryPolicy
from warmcron.workers.protocol import Abilities, Report

# Tasks handled before the loop gives others a turn: a herd of 10,000 must not keep the lease from being renewed.
SLICE: Final = 50
# The wall clock may be set while we sleep on the monotonic one.
SLEEP_SECONDS_MAX: Final = 60.0


class Engine:
    """All tasks and workers, and what becomes of their ticks."""

    def __init__(  # noqa: PLR0913 - its ports, each by name
        self,
        *,
        clock: Clock,
        gate: Gate,
        sender: Sender,
        intents: IntentWriter,
        recorder: Recorder,
        observer: Observer,
        journal: Journal,
        random: Random,
    ) -> None:
        self.tasks = Tasks()
        self.pool = Pool(random)
        self._clock, self._gate = clock, gate
        self._recorder, self._observer, self._journal = recorder, observer, journal
        self._asking: set[PoolKey] = set()  # pools that have not yet told this leader what they have
        self._opening: set[PoolKey] = set()  # pools that are being taken over
        self.busy = False  # more is due than one turn could decide
        self._leading = False
        self._term = 0
        self._wake = asyncio.Event()
        self._ticks = Ticks(
            tasks=self.tasks,
            clock=clock,
            recorder=recorder,
            observer=observer,
            journal=journal,
            on_scheduled=self._wake.set,
        )
        self.runner = self._ticks.runner = Runner(
            pool=self.pool,
            clock=clock,
            gate=gate,
            sender=sender,
            intents=intents,
            recorder=recorder,
            observer=observer,
            journal=journal,
            random=random,
            on_alarm=self._wake.set,
            on_ended=self._ticks.on_ended,
        )
        self._fleet = Fleet(
            pool=self.pool,
            tasks=self.tasks,
            runner=self.runner,
            clock=clock,
            recorder=recorder,
            opened=lambda key: self._leading and key not in self._asking,
        )

    # ---- what was seen ---------------------------------------------------------------------------------------

    def apply_task(  # noqa: PLR0913 - the parts of an object that matter
        self,
        ref: TaskRef,
        *,
        generation: int,
        created: int,
        spec: TaskSpec | None,
        problem: Problem | None,
        trigger: Trigger | None,
        written: status.Json,
        version: str = "",
        cancel: str = "",
    ) -> None:
        """A ScheduledTask exists as described. `written` is its status: a leader believes only its own memory."""
        task = self.tasks.get(ref.uid)
        if task is None or not self._opened(task):
            self.tasks.forget(ref.uid)
            history = status.restore(written, created=created)
            task = Task(ref, generation, created, spec, problem, trigger, history, version, cancel)
            self.tasks.put(task)
            if self._opened(task):
                self._restore(task, ())
            return
        task.trigger, task.version, task.cancel = trigger, version, cancel
        if generation != task.generation:
            self._edit(task, generation, spec, problem)
        self._ticks.pull_trigger(task)
        self._pull_cancel(task)

    def forget_task(self, uid: str) -> None:
        """The object is deleted: what runs is told to stop, and nothing is written about it any more."""
        task = self.tasks.forget(uid)
        if task:
            for run in self._ticks.runs_of(task):
                self.runner.feed(run, runs.CancelAsked("TaskDeleted"))

    def apply_worker(self, seen: Worker) -> bool:
        """A worker pod exists as described. True if it should be asked what it can do: it is new or ready anew."""
        return self._fleet.see(seen)

    def forget_worker(self, uid: str, reason: str) -> None:
        """The pod is gone, and with it what it ran."""
        self._fleet.gone(uid, reason)

    def set_abilities(self, uid: str, abilities: Abilities | None) -> None:
        """What a worker says it can do; None for one that could not be asked."""
        self._fleet.can(uid, abilities)

    def on_event(self, about: runs.Attempt, event: runs.Event) -> None:
        """Something was heard of one attempt. Of any other than the run's present one it comes too late."""
        run = self.runner.broadcasts.find(about)
        if run is None:
            self._observer.ignored(event)
            return
        self.runner.feed(run, event)

    # ---- leadership ------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether we lead and have heard every pool out, so that a run we do not know is over."""
        return self._leading and not self._asking and not self._opening

    def lead(self) -> list[PoolKey]:
        """A term begins. Returns the pools to ask; until `open_pool`, the tasks of a pool start nothing."""
        self._leading = True
        self._asking = {worker.pool for worker in self.pool.all()} | self.tasks.pools()
        for task in self.tasks:
            if task.spec is None:
                self._restore(task, ())
        self._wake.set()
        return list(self._asking)

    def open_pool(self, key: PoolKey, reports: Iterable[Report]) -> None:
        """The workers of a pool have said what they have: take it over, then go on with the schedule."""
        for _ in self.opening(key, reports):
            pass

    def opening(self, key: PoolKey, reports: Iterable[Report]) -> Iterator[None]:
        """`open_pool` in steps, between which others may have a turn: 10,000 tasks take half a second.

        A crash before its end leaves runs on workers that nobody here knows of; the next leader asks again.
        """
        if not self._leading or key not in self._asking:
            return
        self._asking.discard(key)
        self._opening.add(key)
        known, term = takeover.by_task(reports), self._term
        for number, task in enumerate(self.tasks.of_pool(key), 1):
            if self.tasks.get(task.ref.uid) is task:
                self._restore(task, known.get(task.ref.uid, []) + known.get("", []))
            if number % SLICE == 0:
                yield
                if self._term != term:
                    return
        self._opening.discard(key)

    def follow(self) -> None:
        """The term is over: everything that is not on the objects is the next leader's to find out."""
        self._leading = False
        self._term += 1
        self._asking.clear()
        self._opening.clear()
        for task in self.tasks:
            if task.active or task.queued:  # ours again, should nobody else lead before we do
                task.history.active = takeover.hand_over(task, self._ticks.runs_of(task))
        self.runner.clear()
        for task in self.tasks:
            task.active.clear()
            task.queued.clear()
            task.adopted = frozenset()
            self.tasks.schedule(task, next_tick=None, due=NEVER)

    def reread(self, uid: str, written: status.Json, version: str) -> None:
        """The status that we took a task over from was not the last one: another leader wrote after it.

        Under AtMostOnce what it decided is taken over again: in this term none of the task's runs was sent, for that
        takes a write of ours, after which nobody else's succeeds. Under AtLeastOnce ours is the later word: runs may
        have been sent and have ended since, and to decide their ticks again would start them again.
        """
        task = self.tasks.get(uid)
        if task is None or not self._opened(task):
            return
        task.version = version
        if task.spec is None or task.spec.delivery is not DeliveryPolicy.AT_MOST_ONCE:
            return
        for run in self._ticks.runs_of(task):
            self.runner.drop(run)
        task.active.clear()
        task.queued.clear()
        task.history = status.restore(written, created=task.created)
        self._restore(task, ())

    def namespace_of(self, uid: str) -> str:
        """Where a task is; empty for one that is gone."""
        task = self.tasks.get(uid)
        return task.ref.namespace if task else ""

    def status_of(self, uid: str) -> tuple[TaskRef, status.Json] | None:
        """What the status of a task should be now; None when the task is gone or not ours to speak of."""
        task = self.tasks.get(uid)
        if task is None or not self._opened(task):
            return None
        return task.ref, status.render(task, self._ticks.runs_of(task), epoch=self._gate.epoch)

    def version_of(self, uid: str) -> str:
        """The resourceVersion at which a task was last read; empty if it is not known."""
        return task.version if (task := self.tasks.get(uid)) else ""

    # ---- the loop --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Handles what is due, then sleeps until something is. Ends only by cancellation."""
        while True:
            self._wake.clear()
            self.busy = self._leading and self._gate.may_send() and self.tick()
            if self.busy:
                await asyncio.sleep(0)
                continue
            next_look = min(self.tasks.next_due(), self.runner.alarms.next())
            pause = next_look - self._clock.now() if self._leading else SLEEP_SECONDS_MAX
            try:
                async with asyncio.timeout(min(max(pause, 0.0) + 0.0005, SLEEP_SECONDS_MAX)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def tick(self) -> bool:
        """One turn: what is due is decided, picked, remembered and sent. True if more may be due already."""
        now = self._clock.now()
        due = self.tasks.pop_due(now, SLICE)  # 1. which tasks are due
        for task in due:
            self._ticks.look(task, now)  # 2. what becomes of their ticks; steps 3 to 6 are the runner's
        woken = self.runner.wake_due(now, SLICE)
        return len(due) == SLICE or woken == SLICE

    # ---- tasks -----------------------------------------------------------------------------------------------

    def _opened(self, task: Task) -> bool:
        """Whether we lead and have heard the task's pool out."""
        return self._leading and (task.spec is None or task.spec.pool not in self._asking)

    def _edit(self, task: Task, generation: int, spec: TaskSpec | None, problem: Problem | None) -> None:
        """The user changed the spec. Nothing that lies before the change is ever started because of it."""
        now = self._clock.now()
        old, was_idle = task.spec, task.idle
        held_back = decide.outstanding(task, now)
        if task.held:
            task.history.consecutive_failures = 0
        task.generation, task.problem = generation, problem
        self.tasks.replace_spec(task, spec)
        rescheduled = old is None or spec is None or old.schedule_text != spec.schedule_text
        if held_back and (rescheduled or task.idle):
            self._ticks.skip(task, held_back.tick, held_back.reason, held_back.count)
            task.history.last_tick = held_back.tick
        bookkeeping.settle(task, now, moved=was_idle and not task.idle, workers=self._workers_of(task))
        self._ticks.settle(task, now)
        self._recorder.note(task.ref.uid, urgent=True)

    def _restore(self, task: Task, reports: Iterable[Report]) -> None:
        """Takes a task over from its status and from what the workers say."""
        now = self._clock.now()
        history = task.history
        if task.held and history.generation != task.generation:  # edited while nobody looked
            history.consecutive_failures = 0
        bookkeeping.settle(task, now, moved=history.idle and not task.idle, workers=self._workers_of(task))
        for record in history.recent:
            self._journal.recalled(task.ref, task.spec, record)
        task.queued.extend(takeover.queue_of(task))
        for found in takeover.runs_of(task, reports, now):
            if found.run.key in self.runner.runs:
                continue
            task.active[found.run.id] = None
            if found.shards is not None:
                self.runner.adopt_shards(found.run, found.shards, total=found.total, done=found.done)
            else:
                worker = self.pool.get(found.run.pod_uid)
                found.run.pod_name = worker.name if worker else found.run.pod_name
                self.runner.adopt(found.run, found.event)
        history.active = ()  # from here on the runner knows better
        self._ticks.pull_trigger(task)
        self._pull_cancel(task)
        self._ticks.settle(task, now)
        if task.adopted:
            # Before anybody writes the status: a run that has ended already is not in it, and its tick must be behind
            # the cursor, or the next leader would begin it once more.
            self._ticks.look(task, now)
        self._ticks.serve_queue(task, now)
        self._recorder.note(task.ref.uid, urgent=True)

    def _pull_cancel(self, task: Task) -> None:
        """A run that somebody wants to end. The annotation stays; a run id never comes back."""
        run = self.runner.runs.get(task.cancel)
        if run and run.task.uid == task.ref.uid and run.state is not runs.State.CANCELLING:
            self.runner.feed(run, runs.CancelAsked("CancelledByUser"))

    def _workers_of(self, task: Task) -> int:
        return self.pool.ready_count(task.spec.pool) if task.spec else 0
