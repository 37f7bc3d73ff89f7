"""Tasks and their ticks: what was seen comes in, what is due is decided, and runs are handed to the runner.

`run()` is the only loop and holds the only timer. Everything happens on one event loop, so nothing is locked.
"""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Final

from warmcron.core import bookkeeping, decide, runs, status
from warmcron.core.pool import Pool, Worker
from warmcron.core.tasks import (
    NEVER,
    PoolKey,
    Problem,
    RunRecord,
    Task,
    TaskRef,
    Tasks,
    TaskSpec,
    Ticket,
    Trigger,
    manual_run_id,
    tick_run_id,
)
from warmcron.engine import takeover
from warmcron.engine.ports import Clock, Gate, Journal, Observer, Recorder, Sender
from warmcron.engine.runner import Runner
from warmcron.workers.protocol import Abilities, Report

# Tasks handled before the loop gives others a turn: a herd of 10,000 must not keep the lease from being renewed.
SLICE: Final = 50
# The wall clock may be set while we sleep on the monotonic one.
SLEEP_SECONDS_MAX: Final = 60.0


class Engine:
    """All tasks and workers, and what becomes of their ticks."""

    def __init__(  # noqa: PLR0913 - the ports it needs, each by name
        self,
        *,
        clock: Clock,
        gate: Gate,
        sender: Sender,
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
        self._leading = False
        self._wake = asyncio.Event()
        self.runner = Runner(
            pool=self.pool,
            clock=clock,
            gate=gate,
            sender=sender,
            recorder=recorder,
            observer=observer,
            journal=journal,
            random=random,
            on_alarm=self._wake.set,
            on_ended=self._on_ended,
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
    ) -> None:
        """A ScheduledTask exists as described. `written` is its status: a leader believes only its own memory."""
        task = self.tasks.get(ref.uid)
        if task is None or not self._opened(task):
            self.tasks.forget(ref.uid)
            history = status.restore(written, created=created)
            task = Task(ref, generation, created, spec, problem, trigger, history)
            self.tasks.put(task)
            if self._opened(task):
                self._restore(task, {})
            return
        task.trigger = trigger
        if generation != task.generation:
            self._edit(task, generation, spec, problem)
        self._pull_trigger(task)

    def forget_task(self, uid: str) -> None:
        """The object is deleted: what runs is told to stop, and nothing is written about it any more."""
        task = self.tasks.forget(uid)
        if task:
            for run in self._runs_of(task):
                self.runner.feed(run, runs.CancelAsked("TaskDeleted"))

    def apply_worker(self, seen: Worker) -> bool:
        """A worker pod exists as described. True if it should be asked what it can do: it is new or ready anew."""
        worker = self.pool.get(seen.uid)
        if worker is None or worker.pool != seen.pool:
            self.pool.forget(seen.uid)
            self.pool.put(seen)
            self._pool_changed(seen.pool)
            return seen.ready
        restarted = bool(worker.started and seen.started) and worker.started != seen.started
        was_ready = worker.ready
        worker.address, worker.ready, worker.reason = seen.address, seen.ready, seen.reason
        worker.started = seen.started or worker.started
        if restarted:
            for run_id in list(worker.runs):
                self.runner.look_at(run_id)
        if worker.ready != was_ready:
            worker.busy_until = 0.0
            self._pool_changed(worker.pool)
        return worker.ready and (restarted or not was_ready)

    def forget_worker(self, uid: str, reason: str) -> None:
        """The pod is gone, and with it what it ran."""
        worker = self.pool.forget(uid)
        if worker:
            self.runner.lost(worker, reason)
            self._pool_changed(worker.pool)

    def set_abilities(self, uid: str, abilities: Abilities | None) -> None:
        """What a worker says it can do; None for one that keeps no such list."""
        worker = self.pool.get(uid)
        if worker and abilities:
            worker.handlers, worker.concurrency = abilities.handlers, abilities.concurrency
            worker.plain = abilities.handlers is None
            self.runner.serve_line(worker.pool)

    def on_event(self, run_id: str, attempt: int, event: runs.Event) -> None:
        """An answer or a callback arrived for one attempt of a run."""
        run = self.runner.runs.get(run_id)
        if run is None or run.attempt != attempt:
            self._observer.ignored(event)
            return
        self.runner.feed(run, event)

    # ---- leadership ------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether we lead and have heard every pool out, so that a run we do not know is over."""
        return self._leading and not self._asking

    def lead(self) -> list[PoolKey]:
        """A term begins. Returns the pools to ask; until `open_pool`, the tasks of a pool start nothing."""
        self._leading = True
        self._asking = {worker.pool for worker in self.pool.all()}
        for task in self.tasks:
            if self._opened(task):
                self._restore(task, {})
        self._wake.set()
        return list(self._asking)

    def open_pool(self, key: PoolKey, reports: Iterable[Report]) -> None:
        """The workers of a pool have said what they have: take it over, then go on with the schedule.

        A crash before this line leaves runs on workers that nobody here knows of; the next leader asks again.
        """
        if not self._leading or key not in self._asking:
            return
        self._asking.discard(key)
        known = takeover.latest(reports)
        for task in self.tasks.of_pool(key):
            self._restore(task, known)

    def follow(self) -> None:
        """The term is over: everything that is not on the objects is the next leader's to find out."""
        self._leading = False
        self._asking.clear()
        self.runner.clear()
        for task in self.tasks:
            task.active.clear()
            task.queued.clear()
            self.tasks.schedule(task, next_tick=None, due=NEVER)

    def status_of(self, uid: str) -> tuple[TaskRef, status.Json] | None:
        """What the status of a task should be now; None when the task is gone or not ours to speak of."""
        task = self.tasks.get(uid)
        if task is None or not self._opened(task):
            return None
        return task.ref, status.render(task, self._runs_of(task))

    # ---- the loop --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Handles what is due, then sleeps until something is. Ends only by cancellation."""
        while True:
            self._wake.clear()
            if self._leading and self._gate.may_send() and self.tick():
                await asyncio.sleep(0)
                continue
            pause = self._next_look() - self._clock.now() if self._leading else SLEEP_SECONDS_MAX
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
            self._decide(task, now)  # 2. what becomes of their ticks; steps 3 to 6 are the runner's
        woken = self.runner.wake_due(now, SLICE)
        return len(due) == SLICE or woken == SLICE

    def _decide(self, task: Task, now: float) -> None:
        decisions, cursor = decide.decide(task, now)
        for decision in decisions:
            match decision:
                case decide.Skip(tick, reason, count):
                    self._skip(task, tick, reason, count)
                case _:
                    payload = task.spec.payload if task.spec else None
                    ticket = Ticket(tick_run_id(task.ref.uid, decision.tick), "Schedule", decision.tick, payload)
                    self._admit(task, decision, ticket, now)
        task.history.cursor = max(task.history.cursor, cursor)
        task.adopted = {tick for tick in task.adopted if tick > task.history.cursor}
        self._schedule(task, now)
        self._recorder.note(task.ref.uid, urgent=False)

    def _admit(
        self, task: Task, decision: decide.Start | decide.Queue | decide.Replace, ticket: Ticket, now: float
    ) -> None:
        match decision:
            case decide.Start():
                self._begin(task, ticket, now)
            case decide.Queue():
                task.queued.append(ticket)
            case decide.Replace():  # the newest waits for the runs before it to end, and they are told to
                while task.queued:
                    self._skip(task, task.queued.popleft().tick, "Replaced", 1)
                task.queued.append(ticket)
                for run in self._runs_of(task):
                    self.runner.feed(run, runs.CancelAsked("Replaced"))

    def _begin(self, task: Task, ticket: Ticket, now: float) -> None:
        if task.spec is None or ticket.run_id in self.runner.runs:
            return
        task.active.add(ticket.run_id)
        self.runner.begin(
            runs.Run(
                id=ticket.run_id,
                task=task.ref,
                spec=task.spec,
                trigger=ticket.trigger,
                scheduled=ticket.tick,
                created=now,
                deadline=now + task.spec.active_deadline,
                payload=ticket.payload,
            )
        )

    def _skip(self, task: Task, tick: int, reason: str, count: int) -> None:
        record = bookkeeping.skip(task, tick, reason, count=count)
        self._observer.skipped(task, reason, count)
        self._journal.skipped(task.ref, task.spec, record, count, self._clock.now())

    def _on_ended(self, run: runs.Run, record: RunRecord) -> None:
        task = self.tasks.get(run.task.uid)
        if task is None:
            return
        now = self._clock.now()
        task.active.discard(run.id)
        bookkeeping.count(task, run, record, now)
        if run.outcome is runs.Outcome.SKIPPED:
            self._observer.skipped(task, record.reason, 1)
        if task.held:
            self._schedule(task, now)
        if task.queued and not task.active:
            self._begin(task, task.queued.popleft(), now)
        self._recorder.note(task.ref.uid, urgent=False)

    # ---- tasks -----------------------------------------------------------------------------------------------

    def _opened(self, task: Task) -> bool:
        """Whether we lead and have heard the task's pool out."""
        return self._leading and (task.spec is None or task.spec.pool not in self._asking)

    def _edit(self, task: Task, generation: int, spec: TaskSpec | None, problem: Problem | None) -> None:
        """The user changed the spec. Nothing that lies before the change is ever started because of it."""
        now = self._clock.now()
        old, was_held = task.spec, task.held
        resumed = old is None or (old.suspend and spec is not None and not spec.suspend)
        task.generation, task.problem = generation, problem
        self.tasks.replace_spec(task, spec)
        if was_held:
            task.history.consecutive_failures = 0
        bookkeeping.settle(task, now, moved=resumed or was_held, workers=self._ready_workers(task))
        self._schedule(task, now)
        self._recorder.note(task.ref.uid, urgent=True)

    def _restore(self, task: Task, reports: dict[str, Report]) -> None:
        """Takes a task over from its status and from what the workers say."""
        now = self._clock.now()
        resumed = task.history.suspended and task.spec is not None and not task.spec.suspend
        bookkeeping.settle(task, now, moved=resumed, workers=self._ready_workers(task))
        for record in task.history.recent:
            self._journal.recalled(task.ref, task.spec, record)
        for found in takeover.runs_of(task, reports, now):
            if found.run.id not in self.runner.runs:
                task.active.add(found.run.id)
                worker = self.pool.get(found.run.pod_uid)
                found.run.pod_name = worker.name if worker else found.run.pod_name
                self.runner.adopt(found.run, found.event)
        self._pull_trigger(task, reports)
        self._schedule(task, now)
        self._recorder.note(task.ref.uid, urgent=True)

    def _pull_trigger(self, task: Task, reports: dict[str, Report] | None = None) -> None:
        """A manual run that was asked for and has not been started. Each value of the annotation runs once."""
        trigger, spec = task.trigger, task.spec
        if trigger is None or spec is None or trigger.value == task.history.last_trigger:
            return
        now = self._clock.now()
        task.history.last_trigger = trigger.value
        self._recorder.note(task.ref.uid, urgent=True)
        payload = trigger.payload if trigger.payload is not None else spec.payload
        ticket = Ticket(manual_run_id(task.ref.uid, trigger.value), "Manual", int(now), payload)
        if report := (reports or {}).get(ticket.run_id):
            found = takeover.sent_before(task, spec, ticket, report, now)
            task.active.add(ticket.run_id)
            self.runner.adopt(found.run, found.event)
            return
        decision = decide.admit(spec, ticket.tick, active=len(task.active), queued=len(task.queued))
        if trigger.problem:
            decision = decide.Skip(ticket.tick, trigger.problem.message)
        if isinstance(decision, decide.Skip):
            record = bookkeeping.skip(task, ticket.tick, decision.reason, trigger="Manual", run_id=ticket.run_id)
            self._journal.skipped(task.ref, spec, record, 1, now)
            self._observer.skipped(task, trigger.problem.reason if trigger.problem else decision.reason, 1)
            return
        self._admit(task, decision, ticket, now)

    def _schedule(self, task: Task, now: float) -> None:
        next_tick, due = decide.next_look(task, now)
        self.tasks.schedule(task, next_tick=next_tick, due=due)
        self._wake.set()

    def _ready_workers(self, task: Task) -> int:
        return self.pool.ready_count(task.spec.pool) if task.spec else 0

    def _pool_changed(self, key: PoolKey) -> None:
        """A pod of a pool came, went, or changed its readiness."""
        if not self._leading or key in self._asking:
            return
        now, workers = self._clock.now(), self.pool.ready_count(key)
        for task in self.tasks.of_pool(key):
            if bookkeeping.set_available(task, now, workers=workers):
                self._recorder.note(task.ref.uid, urgent=False)
        self.runner.serve_line(key)

    def _runs_of(self, task: Task) -> list[runs.Run]:
        found = [self.runner.runs[run_id] for run_id in task.active if run_id in self.runner.runs]
        return sorted(found, key=lambda run: (run.scheduled, run.id))

    def _next_look(self) -> float:
        return min(self.tasks.next_due(), self.runner.next_alarm())
