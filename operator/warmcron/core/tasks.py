"""The tasks as they stand: what was asked for, what has been done, and who is due next."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from warmcron.core import agenda
from warmcron.core.notices import NOTHING, Told
from warmcron.core.schedule import Schedule
from warmcron.spec.task import (
    ConcurrencyPolicy,
    DeliveryPolicy,
    MissedRunPolicy,
    NoWorkerPolicy,
    RoutingPolicy,
)

NEVER: Final = agenda.NEVER


class PoolKey(NamedTuple):
    """A pool is a name inside a namespace: no task ever reaches the workers of another namespace."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class TaskRef:
    """Which task: its object's uid and where it is."""

    uid: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What the user asked for, checked and parsed. Durations are seconds, `payload` is JSON text in UTF-8."""

    schedule: Schedule
    schedule_text: str
    suspend: bool
    starting_deadline: int | None
    missed_runs: MissedRunPolicy
    max_missed: int
    concurrency: ConcurrencyPolicy
    max_queued: int
    jitter: int
    pool: PoolKey
    routing: RoutingPolicy
    routing_key: str  # empty for the task's own name
    handler: str
    payload: bytes | None
    delivery: DeliveryPolicy
    active_deadline: int
    attempt_deadline: int | None
    backoff_limit: int
    backoff_initial: float
    backoff_multiplier: float
    backoff_max: float
    no_worker: NoWorkerPolicy
    suspend_after_failures: int | None
    history_limit: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a task cannot be scheduled: a reason for the `Ready` condition and a message that names the field."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """A manual run that somebody asked for: the annotation's value and the payload that came with it."""

    value: str
    payload: bytes | None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A run that is to begin: at once, or when its turn comes. `tick` is UTC epoch seconds."""

    run_id: str
    trigger: str
    tick: int
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Shard:
    """One worker's part of a run that every worker gets. It belongs to that worker and never moves to another."""

    index: int
    total: int
    pod_name: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A finished run as `status.recentRuns` shows it. Times are UTC epoch seconds."""

    run_id: str
    scheduled: int
    trigger: str
    outcome: str
    reason: str
    pod_name: str
    attempts: int
    started: float | None
    duration: float


@dataclass(frozen=True, slots=True)
class ActiveRecord:
    """A run that goes on as `status.active` shows it; what a new leader knows of it before it asks the worker.

    Attributes:
        attempt: 0 while it waits for its turn under Queue or Replace.
        shards: of a broadcast, how many workers got a part, how many parts succeeded, and how many failed.
    """

    run_id: str
    scheduled: int
    trigger: str
    attempt: int
    pod_name: str
    pod_uid: str
    started: float | None
    epoch: int = 0
    shards: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the status; `since` is when its status last changed."""

    status: str
    reason: str
    message: str
    since: float
    generation: int


@dataclass(slots=True)
class History:
    """What has happened so far: the part of a task that lives in its status and outlives the leader."""

    last_tick: int = 0  # the last tick that was decided: started or skipped; 0 if none was
    schedule_changed: int = 0  # ticks up to here are not started: the schedule was changed, or taken up again, then
    schedule_text: str = ""
    last_success: float | None = None
    last_trigger: str = ""
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    missed: int = 0
    consecutive_failures: int = 0
    generation: int = 0  # of the spec that all this speaks of
    idle: bool = False  # no tick was to start: suspended, held after failures, or the spec could not be done
    active: tuple[ActiveRecord, ...] = ()
    recent: list[RunRecord] = field(default_factory=list)  # the latest first
    conditions: dict[str, Condition] = field(default_factory=dict)
    told: Told = field(default=NOTHING, compare=False)  # what a user has been told of all this

    @property
    def cursor(self) -> int:
        """Ticks up to this one are settled."""
        return max(self.last_tick, self.schedule_changed)


@dataclass(slots=True)
class Task:
    """One ScheduledTask as the operator knows it."""

    ref: TaskRef
    generation: int
    created: int
    spec: TaskSpec | None
    problem: Problem | None
    trigger: Trigger | None
    history: History
    version: str = ""  # resourceVersion at which the history was read; empty where nobody counts versions
    cancel: str = ""  # the run that somebody wants to end
    next_tick: int | None = None
    due: float = NEVER
    # Kept small: a deque of nothing is 760 bytes, a set of nothing 216, and 100,000 tasks have them.
    active: dict[str, None] = field(default_factory=dict)
    queued: list[Ticket] = field(default_factory=list)
    # Ticks after the cursor whose runs a new leader found on the workers: decided by the leader before.
    adopted: frozenset[int] = frozenset()
    serving: bool = False  # the queue is being served

    @property
    def held(self) -> bool:
        """Whether failures in a row have stopped the task until somebody edits it."""
        limit = self.spec.suspend_after_failures if self.spec else None
        return limit is not None and self.history.consecutive_failures >= limit

    @property
    def idle(self) -> bool:
        """Whether no tick starts, because somebody or something said so."""
        return self.spec is None or self.spec.suspend or self.held


def tick_run_id(uid: str, tick: int) -> str:
    """The id of a tick's run: the same on every replica and after every restart."""
    return str(uuid.uuid5(uuid.UUID(uid), str(tick)))


def manual_run_id(uid: str, value: str) -> str:
    """The id of the manual run that one value of the trigger annotation asks for."""
    return str(uuid.uuid5(uuid.UUID(uid), f"manual:{value}"))


class Tasks:
    """All tasks by uid, and when each is due next."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._agenda = agenda.Agenda(self._due)
        self._pools: dict[PoolKey, set[str]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._tasks.values()))

    def get(self, uid: str) -> Task | None:
        """The task of that uid, if it is known."""
        return self._tasks.get(uid)

    def put(self, task: Task) -> None:
        """Adds a task or takes it up again after its spec changed."""
        self._tasks[task.ref.uid] = task
        if task.spec:
            self._pools.setdefault(task.spec.pool, set()).add(task.ref.uid)

    def forget(self, uid: str) -> Task | None:
        """Removes a task."""
        task = self._tasks.pop(uid, None)
        if task is None:
            return None
        if task.spec:
            self._leave_pool(task.spec.pool, uid)
        return task

    def replace_spec(self, task: Task, spec: TaskSpec | None) -> None:
        """Gives a task a new spec, and moves it to another pool where the spec says so."""
        if task.spec:
            self._leave_pool(task.spec.pool, task.ref.uid)
        task.spec = spec
        self.put(task)

    def pools(self) -> set[PoolKey]:
        """The pools that tasks use."""
        return set(self._pools)

    def of_pool(self, key: PoolKey) -> list[Task]:
        """The tasks that use a pool."""
        return [self._tasks[uid] for uid in self._pools.get(key, ())]

    def schedule(self, task: Task, *, next_tick: int | None, due: float) -> None:
        """Says when a task is to be looked at next; NEVER takes it off the clock."""
        task.next_tick = next_tick
        if due != task.due:
            task.due = due
            if due != NEVER:
                self._agenda.put(task.ref.uid, task.ref.namespace, due)

    def pop_due(self, now: float, limit: int) -> list[Task]:
        """At most `limit` tasks whose time has come, one namespace after the other, the earliest of each first.

        Each must be scheduled again by the caller.
        """
        due: list[Task] = []
        while len(due) < limit and (uid := self._agenda.pop(now)) is not None:
            task = self._tasks[uid]
            task.due = NEVER
            due.append(task)
        return due

    def next_due(self) -> float:
        """When the earliest task is due; NEVER when nothing is scheduled."""
        return self._agenda.next()

    def _due(self, uid: str) -> float:
        task = self._tasks.get(uid)
        return task.due if task else NEVER

    def _leave_pool(self, key: PoolKey, uid: str) -> None:
        members = self._pools.get(key)
        if members:
            members.discard(uid)
            if not members:
                del self._pools[key]
