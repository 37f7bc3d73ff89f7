"""The operator's engine on a clock that jumps, with one worker that does what it is told: what would happen, and why.

The decisions are the engine's own. Made up here are only the world around it: a worker that is always ready and runs
each attempt for the same time, an operator that stops and comes back, a user who suspends and resumes.
"""

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from warmcron.cli.inputs import Window
from warmcron.core import decide, runs, times
from warmcron.core.pool import Address, Worker
from warmcron.core.status import Json
from warmcron.core.tasks import NEVER, RunRecord, Task, TaskRef, TaskSpec, tick_run_id
from warmcron.engine import Engine
from warmcron.engine.intents import InMemoryIntents
from warmcron.errors import UsageError
from warmcron.history.nothing import Nothing
from warmcron.spec.task import ConcurrencyPolicy
from warmcron.workers.protocol import Report

MAX_ROWS: Final = 50_000
KEPT_RECORDS: Final = 20
DUE, CATCH_UP, QUEUED, CONCURRENT = "Due", "CatchUp", "Queued", "ConcurrentRun"


@dataclass(frozen=True, slots=True)
class Row:
    """One decision about one tick. Times are UTC epoch seconds.

    Attributes:
        decision: Start, Skip, Queue, Replace or Retry. A queued tick has a second row, Start, when its turn comes.
        reason: why it was skipped or retried; of a start Due, CatchUp or Queued; else ConcurrentRun.
    """

    scheduled: int
    time: float
    decision: str
    reason: str
    run_id: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be simulated, from `start` to `end` inclusive.

    Attributes:
        last: the last tick that was decided before `start`; None for a task that is created at `start`.
        run_seconds: how long an attempt takes.
        failing: how many attempts of each run fail before one succeeds.
    """

    ref: TaskRef
    spec: TaskSpec
    created: int
    start: float
    end: float
    last: int | None = None
    down: Sequence[Window] = ()
    suspended: Sequence[Window] = ()
    run_seconds: float = 0.0
    failing: int = 0


def simulate(plan: Plan) -> list[Row]:
    """All decisions, in order; raises UsageError for more than can be of use."""
    return _World(plan).run()


class _World:
    """Clock, gate, sender, recorder and observer of one engine."""

    epoch = 1

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._now = plan.start
        self._rows: list[Row] = []
        self._seen: set[str] = set()  # run ids that have a row
        self._queued: set[str] = set()
        self._worker = Worker("simulated", "simulated-worker", plan.spec.pool, Address("127.0.0.1", 1), ready=True)
        self._worker.heard = True
        self._worker.concurrency = 1_000_000
        self._answers: list[tuple[float, int, str, int, runs.Event]] = []
        self._order = itertools.count()
        self._has: dict[str, Report] = {}  # what the worker knows of each run
        self._generation = 1
        self._up = False
        self._status: Json = {}
        random = Random(0)  # noqa: S311 - the same backoff in every simulation
        intents = InMemoryIntents()
        self._engine = intents.inbox = Engine(
            clock=self,
            gate=self,
            sender=self,
            intents=intents,
            recorder=self,
            observer=self,
            journal=Nothing(),
            random=random,
        )

    def run(self) -> list[Row]:
        """Jumps from one moment at which something happens to the next."""
        self._status = _status_before(self._plan)
        boundaries = {edge for window in (*self._plan.down, *self._plan.suspended) for edge in window}
        moments = sorted({self._plan.start, *(edge for edge in boundaries if edge > self._plan.start)})
        while True:
            engine = min(self._engine.tasks.next_due(), self._engine.runner.alarms.next()) if self._up else NEVER
            answer = self._answers[0][0] if self._answers else NEVER
            moment = min(engine, answer, moments[0] if moments else NEVER)
            if moment > self._plan.end:
                # Of what is decided at one moment the older tick comes first.
                return sorted(self._rows, key=lambda row: (row.time, row.scheduled))
            self._now = max(self._now, moment)
            if moments and moments[0] <= self._now:
                moments.pop(0)
                self._change()
            self._deliver()  # a run that ends at the moment of a tick has ended
            while self._up and self._engine.tick():
                pass
            self._note_queued()

    # ---- what happens around the engine ----------------------------------------------------------------------

    def _change(self) -> None:
        """The operator stops or comes back; somebody suspends or resumes."""
        up = not _inside(self._plan.down, self._now)
        if self._up and not up:
            found = self._engine.status_of(self._plan.ref.uid)
            self._status = found[1] if found else self._status
            self._engine.follow()
        if up:
            self._apply()
        comes_back, self._up = up and not self._up, up
        if comes_back:
            self._engine.apply_worker(self._worker)
            for key in self._engine.lead():
                self._engine.open_pool(key, self._has.values())

    def _apply(self) -> None:
        suspend = self._plan.spec.suspend or _inside(self._plan.suspended, self._now)
        known = self._engine.tasks.get(self._plan.ref.uid)
        if known and known.spec and known.spec.suspend is not suspend:
            self._generation += 1
        self._engine.apply_task(
            self._plan.ref,
            generation=self._generation,
            created=self._plan.created,
            spec=replace(self._plan.spec, suspend=suspend, history_limit=KEPT_RECORDS),
            problem=None,
            trigger=None,
            written=self._status,
        )

    def _deliver(self) -> None:
        """What the worker has to say by now: kept for the operator while it is down, as a worker does."""
        while self._answers and self._answers[0][0] <= self._now:
            _, _, run_id, attempt, event = heapq.heappop(self._answers)
            if isinstance(event, runs.Finished):
                known = self._has[run_id]
                if (known.attempt, known.event) != (attempt, runs.Accepted()):
                    continue  # cancelled meanwhile
                self._has[run_id] = replace(known, event=event)
            if self._up:
                self._engine.on_event(runs.Attempt(run_id, attempt, self._worker.uid), event)

    def _answer(self, run: runs.Run, event: runs.Event, *, after: float = 0.0) -> None:
        heapq.heappush(self._answers, (self._now + after, next(self._order), run.id, run.attempt, event))

    # ---- clock and gate --------------------------------------------------------------------------------------

    def now(self) -> float:
        """The simulated time."""
        return self._now

    def may_send(self) -> bool:
        """Whether the operator is there."""
        return self._up

    # ---- sender: the worker ----------------------------------------------------------------------------------

    def execute(self, run: runs.Run, worker: Worker) -> None:  # noqa: ARG002 - the port's signature
        """The worker takes the attempt, and ends it in its time, or at its deadline should the operator be down."""
        if run.attempt > 1:
            self._add(Row(run.scheduled, self._now, "Retry", run.reason, run.id))
        elif run.id in self._queued:
            self._queued.discard(run.id)
            self._add(Row(run.scheduled, self._now, "Start", QUEUED, run.id))
        elif run.id not in self._seen:
            due = decide.due_time(run.spec, run.task.uid, run.scheduled)
            reason = DUE if self._now - due < decide.ON_TIME_SECONDS else CATCH_UP
            self._add(Row(run.scheduled, self._now, "Start", reason, run.id))
        self._has[run.id] = Report(
            run.id,
            run.attempt,
            self._worker.uid,
            runs.Accepted(),
            task_uid=run.task.uid,
            scheduled=run.scheduled,
            shard=(run.shard.index, run.shard.total) if run.shard else None,
        )
        left = min(run.deadline, run.attempt_deadline) - self._now
        end = runs.Finished(runs.Outcome.SUCCEEDED)
        if self._plan.run_seconds > left:
            end = runs.Finished(runs.Outcome.FAILED, runs.OVERDUE[run.deadline > run.attempt_deadline])
        elif run.attempt <= self._plan.failing:
            end = runs.Finished(runs.Outcome.FAILED, "SimulatedFailure")
        self._answer(run, end, after=min(self._plan.run_seconds, left))

    def ask(self, run: runs.Run, worker: Worker, *, fence: bool) -> None:  # noqa: ARG002 - the port's signature
        """The worker says what it knows."""
        known = self._has.get(run.id)
        self._answer(run, known.event if known and known.attempt == run.attempt else runs.Forgotten())

    def cancel(self, run: runs.Run, worker: Worker) -> None:  # noqa: ARG002 - the port's signature
        """The worker stops at once."""
        self._answer(run, runs.Finished(runs.Outcome.CANCELLED))

    # ---- recorder and observer -------------------------------------------------------------------------------

    def note(self, uid: str, *, urgent: bool) -> None:
        """Statuses are read when the operator stops."""

    def started(self, run: runs.Run, delay: float) -> None:
        """Seen by the worker."""

    def ended(self, run: runs.Run, record: RunRecord) -> None:
        """Its end is no decision."""

    def ignored(self, event: runs.Event) -> None:
        """Too late."""

    def broke(self, task: TaskRef, error: Exception) -> None:  # noqa: ARG002 - the port's signature
        """A simulation shows a fault of ours, it does not go on after it."""
        raise error

    def skipped(self, task: Task, reason: str, count: int) -> None:
        """Ticks are not started: one row for each of them, though the operator keeps one record for all."""
        record = task.history.recent[0]
        tick, spec = record.scheduled, self._plan.spec
        if count > 1:
            # Those before it that have no row yet; a record stands for the ticks since the last decision.
            latest, _ = decide.latest_ticks(
                spec.schedule, after=task.history.cursor, until=tick - 1, count=MAX_ROWS + 1
            )
            for earlier in latest:
                if (run_id := tick_run_id(task.ref.uid, earlier)) not in self._seen:
                    self._add(Row(earlier, self._now, "Skip", reason, run_id))
        self._queued.discard(record.run_id)
        self._add(Row(tick, self._now, "Skip", reason, record.run_id))

    def _note_queued(self) -> None:
        """What the engine has put into the line of the task since the last look."""
        task = self._engine.tasks.get(self._plan.ref.uid)
        for ticket in task.queued if task and self._up else ():
            if ticket.run_id in self._seen:
                continue
            if self._plan.spec.concurrency is ConcurrencyPolicy.REPLACE:
                self._add(Row(ticket.tick, self._now, "Replace", CONCURRENT, ticket.run_id))
            else:
                self._queued.add(ticket.run_id)
                self._add(Row(ticket.tick, self._now, "Queue", CONCURRENT, ticket.run_id))

    def _add(self, row: Row) -> None:
        if len(self._rows) >= MAX_ROWS:
            raise UsageError(f"--to: more than {MAX_ROWS:,} decisions from --from to there; choose a shorter time")
        self._seen.add(row.run_id)
        self._rows.append(row)


def _inside(windows: Sequence[Window], moment: float) -> bool:
    return any(window.start <= moment < window.end for window in windows)


def _status_before(plan: Plan) -> Json:
    """The status that an operator left behind which decided `last` and nothing after it."""
    if plan.last is None:
        return {}
    return {"lastScheduleTime": times.text(plan.last)}
