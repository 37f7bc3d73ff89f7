"""What becomes of each task's ticks: decided, begun, queued or skipped, and counted when their runs have ended."""

from collections.abc import Callable
from typing import Final

from warmcron.core import bookkeeping, decide, runs
from warmcron.core.decide import Reason
from warmcron.core.table import Tasks
from warmcron.core.tasks import PoolKey, Problem, RunRecord, Task, TaskSpec, Ticket, manual_run_id, tick_run_id
from warmcron.engine.ports import Clock, Journal, Observer, Recorder
from warmcron.engine.runner import Runner

CANCELLED: Final = "CancelledByUser"


class Ticks:
    """The schedule of every task, between the clock and the runner.

    Args:
        workers: how many workers of a pool are ready.
        on_scheduled: some task is due at another time than before.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        tasks: Tasks,
        clock: Clock,
        recorder: Recorder,
        observer: Observer,
        journal: Journal,
        workers: Callable[[PoolKey], int],
        on_scheduled: Callable[[], None],
    ) -> None:
        self._tasks, self._workers = tasks, workers
        self._clock, self._recorder, self._observer, self._journal = clock, recorder, observer, journal
        self._on_scheduled = on_scheduled
        self.runner: Runner  # given once, right after both are made: each needs the other

    def look(self, task: Task, now: float) -> None:
        """A task is due: says what becomes of each of its ticks, and does it."""
        decisions, cursor = decide.decide(task, now)
        for decision in decisions:
            match decision:
                case decide.Skip(tick, reason, count):
                    self.skip(task, tick, reason, count)
                case _:
                    payload = task.spec.payload if task.spec else None
                    ticket = Ticket(tick_run_id(task.ref.uid, decision.tick), "Schedule", decision.tick, payload)
                    self.admit(task, decision, ticket, now)
        if cursor > task.history.cursor:
            task.history.last_tick = cursor
        if task.adopted:
            task.adopted = frozenset(tick for tick in task.adopted if tick > task.history.cursor)
        self.schedule(task, now)
        self._recorder.note(task.ref.uid, urgent=False)

    def schedule(self, task: Task, now: float) -> None:
        """Looks up when a task is due next."""
        next_tick, due = decide.next_look(task, now)
        self._tasks.schedule(task, next_tick=next_tick, due=due)
        self._on_scheduled()

    def admit(
        self, task: Task, decision: decide.Start | decide.Queue | decide.Replace, ticket: Ticket, now: float
    ) -> None:
        """Does what was decided of one tick or manual run that is to be run."""
        match decision:
            case decide.Start():
                self._begin(task, ticket, now)
            case decide.Queue():
                task.queued.append(ticket)
            case decide.Replace():  # the newest waits for the runs before it to end, and they are told to
                self._give_up_queue(task, Reason.REPLACED)
                task.queued.append(ticket)
                self.stop(task, Reason.REPLACED)

    def skip(self, task: Task, tick: int, reason: str, count: int = 1, *, ticket: Ticket | None = None) -> None:
        """Ticks end without a run, and not without a word."""
        trigger, run_id = (ticket.trigger, ticket.run_id) if ticket else ("Schedule", "")
        record = bookkeeping.skip(task, tick, reason, count=count, trigger=trigger, run_id=run_id)
        self._observer.skipped(task, reason, count)
        self._journal.skipped(task.ref, task.spec, record, count, self._clock.now())

    def pull_trigger(self, task: Task) -> None:
        """A manual run that was asked for and has not been started. Each value of the annotation runs once."""
        trigger, spec = task.trigger, task.spec
        if trigger is None or spec is None or trigger.value == task.history.last_trigger:
            return
        now = self._clock.now()
        task.history.last_trigger = trigger.value
        self._recorder.note(task.ref.uid, urgent=True)
        payload = trigger.payload if trigger.payload is not None else spec.payload
        ticket = Ticket(manual_run_id(task.ref.uid, trigger.value), "Manual", int(now), payload)
        decision = decide.admit(spec, ticket.tick, active=len(task.active), queued=len(task.queued))
        if trigger.problem:
            decision = decide.Skip(ticket.tick, trigger.problem.message)
        if isinstance(decision, decide.Skip):
            self.skip(task, ticket.tick, decision.reason, ticket=ticket)
            return
        self.admit(task, decision, ticket, now)

    def pull_cancel(self, task: Task) -> None:
        """A run that somebody wants to end. The annotation stays; a run id never comes back."""
        if task.cancel:
            self.cancel(task, task.cancel)

    def cancel(self, task: Task, run_id: str) -> bool:
        """Ends a run of the task, whether it goes on or waits for its turn; False if it has none of that id."""
        if run_id in task.active and (run := self.runner.runs.get(run_id)):
            if run.state is not runs.State.CANCELLING:
                self.runner.feed(run, runs.CancelAsked(CANCELLED))
            return True
        ticket = next((ticket for ticket in task.queued if ticket.run_id == run_id), None)
        if ticket is None or task.spec is None:
            return False
        task.queued.remove(ticket)
        self.runner.call_off(_run(task, task.spec, ticket, self._clock.now()), CANCELLED)
        return True

    def stop(self, task: Task, reason: str) -> None:
        """Every run of the task that goes on is told to stop."""
        for run in self.runs_of(task):
            if run.state is not runs.State.CANCELLING:
                self.runner.feed(run, runs.CancelAsked(reason))

    def edit(self, task: Task, generation: int, spec: TaskSpec | None, problem: Problem | None) -> None:
        """The user changed the spec. Nothing that lies before the change is ever started because of it."""
        now = self._clock.now()
        old, was_idle = task.spec, task.idle
        held_back = decide.outstanding(task, now)
        if task.held:
            task.history.consecutive_failures = 0
        task.generation, task.problem = generation, problem
        self._tasks.replace_spec(task, spec)
        rescheduled = old is None or spec is None or old.schedule_text != spec.schedule_text
        if held_back and (rescheduled or task.idle):
            reason = held_back.reason if rescheduled else Reason.SUSPENDED
            self.skip(task, held_back.tick, reason, held_back.count)
            task.history.last_tick = held_back.tick
        workers = self._workers(spec.pool) if spec else 0
        bookkeeping.settle(task, now, moved=was_idle and not task.idle, workers=workers)
        self.settle(task, now)
        self._recorder.note(task.ref.uid, urgent=True)

    def settle(self, task: Task, now: float) -> None:
        """The task starts no ticks any more, for now: those that wait in its queue are not started either.

        A manual run goes on waiting: who asks for one wants it also of a task that is suspended.
        """
        if task.idle:
            reason = task.problem.reason if task.problem else Reason.SUSPENDED
            self._give_up_queue(task, reason, keep_manual=task.spec is not None)
        self.schedule(task, now)

    def on_ended(self, run: runs.Run, record: RunRecord) -> None:
        """A run is over: it is counted, and whoever waited for it in the task's queue is next."""
        task = self._tasks.get(run.task.uid)
        if task is None:
            return
        now = self._clock.now()
        task.active.pop(run.id, None)
        was_idle = task.idle
        bookkeeping.count(task, run, record, now)
        if run.outcome is runs.Outcome.SKIPPED:
            self._observer.skipped(task, record.reason, 1)
        if task.idle and not was_idle:
            self.settle(task, now)
        self.serve_queue(task, now)
        self._recorder.note(task.ref.uid, urgent=False)

    def serve_queue(self, task: Task, now: float) -> None:
        """Begins what waits while nothing of the task goes on. A run may end at once: a loop, not a recursion."""
        if task.serving:
            return
        task.serving = True
        try:
            while task.queued and not task.active and task.spec is not None:
                self._begin(task, task.queued.pop(0), now)
        finally:
            task.serving = False

    def runs_of(self, task: Task) -> list[runs.Run]:
        """The runs of a task that go on, the oldest first."""
        found = [self.runner.runs[run_id] for run_id in task.active if run_id in self.runner.runs]
        return sorted(found, key=lambda run: (run.scheduled, run.id)) if len(found) > 1 else found

    def _begin(self, task: Task, ticket: Ticket, now: float) -> None:
        if task.spec is None or ticket.run_id in self.runner.runs:
            return
        task.active[ticket.run_id] = None
        self.runner.begin(_run(task, task.spec, ticket, now))

    def _give_up_queue(self, task: Task, reason: str, *, keep_manual: bool = False) -> None:
        kept = [ticket for ticket in task.queued if keep_manual and ticket.trigger != "Schedule"]
        given_up = [ticket for ticket in task.queued if ticket not in kept]
        task.queued.clear()
        task.queued.extend(kept)
        for ticket in given_up:
            self.skip(task, ticket.tick, reason, ticket=ticket)


def _run(task: Task, spec: TaskSpec, ticket: Ticket, now: float) -> runs.Run:
    return runs.Run(
        id=ticket.run_id,
        task=task.ref,
        spec=spec,
        trigger=ticket.trigger,
        scheduled=ticket.tick,
        created=now,
        deadline=now + spec.active_deadline,
        payload=ticket.payload,
    )
