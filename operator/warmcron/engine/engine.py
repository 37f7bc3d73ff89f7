"""All tasks and workers as they are seen, and the loop that does what is due. Who leads decides, the others watch.

`run()` is the only loop and holds the only timer. Everything happens on one event loop, so nothing is locked.
"""

import asyncio
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

from warmcron.core import runs, status
from warmcron.core.pool import Pool, Worker
from warmcron.core.table import Tasks
from warmcron.core.tasks import PoolKey, Problem, Task, TaskRef, TaskSpec, Trigger, manual_run_id
from warmcron.engine.backlog import Backlog
from warmcron.engine.fleet import Fleet
from warmcron.engine.ports import Clock, Gate, IntentWriter, Journal, Observer, Recorder, Sender
from warmcron.engine.runner import Runner
from warmcron.engine.terms import Terms
from warmcron.engine.ticks import Ticks
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
        self._clock, self._gate, self._observer = clock, gate, observer
        self.busy = False  # more is due than one turn could decide
        self._backlog = Backlog(self._hear)
        self._wake = asyncio.Event()
        self._ticks = Ticks(
            tasks=self.tasks,
            clock=clock,
            recorder=recorder,
            observer=observer,
            journal=journal,
            workers=self.pool.ready_count,
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
            catch_up=self._backlog.catch_up,
            on_alarm=self._wake.set,
            on_ended=self._ticks.on_ended,
        )
        self._terms = Terms(
            tasks=self.tasks,
            pool=self.pool,
            ticks=self._ticks,
            clock=clock,
            recorder=recorder,
            observer=observer,
            journal=journal,
        )
        self._fleet = Fleet(
            pool=self.pool,
            tasks=self.tasks,
            runner=self.runner,
            clock=clock,
            recorder=recorder,
            opened=self._terms.heard,
            on_untold=self._wake.set,
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
        if task is None or not self._terms.ours(task):
            self.tasks.forget(ref.uid)
            history = status.restore(written, created=created)
            task = Task(ref, generation, created, spec, problem, trigger, history, version, cancel)
            self.tasks.put(task)
            self._terms.see(task)
            return
        # Not the version: we know the status as it was at the one we took over from. A write after another's would be
        # accepted; after ours it is refused, and what another leader has written meanwhile is read.
        task.trigger, task.cancel = trigger, cancel
        self._catch_up(task)
        if generation != task.generation:
            self._ticks.edit(task, generation, spec, problem)
        self._ticks.pull_trigger(task)
        self._ticks.pull_cancel(task)

    def forget_task(self, uid: str) -> None:
        """The object is deleted: what runs is told to stop, and nothing is written about it any more."""
        task = self.tasks.forget(uid)
        if task:
            self._catch_up(task)
            for run in self._ticks.runs_of(task):
                self.runner.feed(run, runs.CancelAsked("TaskDeleted"))

    def apply_worker(self, seen: Worker) -> bool:
        """A worker pod exists as described. True if it should be asked what it can do: it is new or ready anew."""
        return self._fleet.see(seen)

    def forget_worker(self, uid: str, reason: str) -> None:
        """The pod is gone, and with it what it ran, but for what it had told us before."""
        worker = self.pool.get(uid)
        for key in list(worker.runs) if worker else ():
            if run := self.runner.runs.get(key):
                self._backlog.catch_up(run.id)
        self._fleet.gone(uid, reason)

    def set_abilities(self, uid: str, abilities: Abilities | None) -> None:
        """What a worker says it can do, which it is sent nothing before; None for one that could not be asked."""
        self._fleet.can(uid, abilities)

    def on_event(self, about: runs.Attempt, event: runs.Event) -> None:
        """Something was heard of one attempt. What is due is sent first, before it is taken in."""
        if self.busy:
            self._backlog.put(about, event)
        else:
            self._hear(about, event)

    def _hear(self, about: runs.Attempt, event: runs.Event) -> None:
        """Of any other attempt than the run's present one it comes too late."""
        run = self.runner.broadcasts.find(about)
        if run is None:
            self._observer.ignored(event)
            return
        try:
            self.runner.feed(run, event)
        except Exception as error:  # noqa: BLE001 - one run that breaks must not take all others with it
            self._observer.broke(run.task, error)

    def _catch_up(self, task: Task) -> None:
        """Something is about to be decided about a task: what was heard of its runs is taken in before."""
        for run_id in list(task.active):
            self._backlog.catch_up(run_id)

    # ---- orders ----------------------------------------------------------------------------------------------

    def cancel(self, run_id: str) -> bool:
        """Ends a run, whether it goes on or waits for its turn; False if there is none of that id."""
        self._backlog.catch_up(run_id)
        holder = self._holder(run_id)
        return holder is not None and self._ticks.cancel(holder, run_id)

    def task_of(self, run_id: str) -> TaskRef | None:
        """The task of a run that goes on or waits for its turn; None if there is none of that id."""
        holder = self._holder(run_id)
        return holder.ref if holder else None

    def own_payload(self, uid: str, run_id: str) -> bytes | None:
        """The payload that a manual run was given beside its task's, as long as the task's annotations tell of it."""
        task = self.tasks.get(uid)
        if task is None or task.trigger is None or run_id != manual_run_id(uid, task.trigger.value):
            return None
        return task.trigger.payload

    def _holder(self, run_id: str) -> Task | None:
        if run := self.runner.runs.get(run_id):
            return self.tasks.get(run.task.uid)
        if self._terms.leading:
            return next((task for task in self.tasks if any(each.run_id == run_id for each in task.queued)), None)
        # A follower knows what the leader wrote.
        return next((task for task in self.tasks if any(each.run_id == run_id for each in task.history.active)), None)

    # ---- leadership ------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether we lead and have heard every pool out, so that a run we do not know is over."""
        return self._terms.settled

    def lead(self) -> list[PoolKey]:
        """A term begins. Returns the pools to ask; until `open_pool`, the tasks of a pool start nothing."""
        self._wake.set()
        return self._terms.lead()

    def open_pool(self, key: PoolKey, reports: Iterable[Report]) -> None:
        """The workers of a pool have said what they have: take it over, then go on with the schedule."""
        for _ in self.opening(key, reports):
            pass

    def opening(self, key: PoolKey, reports: Iterable[Report]) -> Iterator[None]:
        """`open_pool` in steps, between which others may have a turn."""
        return self._terms.opening(key, reports)

    def follow(self) -> None:
        """The term is over: everything that is not on the objects is the next leader's to find out."""
        self._backlog.clear()
        self._terms.follow()

    def reread(self, uid: str, written: status.Json, version: str) -> None:
        """The status that we took a task over from was not the last one: another leader wrote after it."""
        task = self.tasks.get(uid)
        if task is not None and self._terms.ours(task):
            task.version = version
            self._terms.reread(task, written)

    # ---- statuses --------------------------------------------------------------------------------------------

    def namespace_of(self, uid: str) -> str:
        """Where a task is; empty for one that is gone."""
        task = self.tasks.get(uid)
        return task.ref.namespace if task else ""

    def status_of(self, uid: str) -> tuple[TaskRef, status.Json] | None:
        """What the status of a task should be now; None when the task is gone or not ours to speak of."""
        task = self.tasks.get(uid)
        if task is None or not self._terms.ours(task):
            return None
        return task.ref, status.render(task, self._ticks.runs_of(task), epoch=self._gate.epoch)

    def version_of(self, uid: str) -> str:
        """The resourceVersion at which a task was last read; empty if it is not known."""
        return task.version if (task := self.tasks.get(uid)) else ""

    # ---- the loop --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Handles what is due, then sleeps until something is. Ends only by cancellation."""
        try:
            await self._run()
        finally:
            self._backlog.take(len(self._backlog))  # what was heard is still to be written
            self.busy = False

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self.busy = self.tick() if self._terms.leading and self._gate.may_send() else self._taking_in()
            if self.busy:
                await asyncio.sleep(0)
                continue
            next_look = min(self.tasks.next_due(), self.runner.alarms.next())
            pause = next_look - self._clock.now() if self._terms.leading else SLEEP_SECONDS_MAX
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
            self._look(task, now)  # 2. what becomes of their ticks; steps 3 to 6 are the runner's
        if len(due) < SLICE or self.runner.held_up:
            self._backlog.take(SLICE)
        woken = self.runner.wake_due(now, SLICE)
        untold = self._fleet.tell(SLICE)
        self.busy = untold or len(due) == SLICE or woken == SLICE or len(self._backlog) > 0
        return self.busy

    def _taking_in(self) -> bool:
        """Takes in a part of what was heard, while nothing may be sent. True if some of it is left."""
        self._backlog.take(SLICE)
        return len(self._backlog) > 0

    def _look(self, task: Task, now: float) -> None:
        try:
            self._catch_up(task)
            self._ticks.look(task, now)
        except Exception as error:  # noqa: BLE001 - one task that cannot be decided must not take all others with it
            self._observer.broke(task.ref, error)
