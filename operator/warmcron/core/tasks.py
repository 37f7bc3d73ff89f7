"""A task as it stands: what was asked for, what was done, what goes on. Plain values; `table` holds all of them."""

import hashlib
from dataclasses import dataclass, field, replace
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
    led: bool = field(default=False, compare=False)  # we have led it: the object need not say all of it yet

    def copy(self) -> "History":
        """What it says now."""
        return replace(self, recent=list(self.recent), conditions=dict(self.conditions))

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
    return _uuid5(uid, str(tick))


def manual_run_id(uid: str, value: str) -> str:
    """The id of the manual run that one value of the trigger annotation asks for."""
    return _uuid5(uid, f"manual:{value}")


def _uuid5(uid: str, name: str) -> str:
    """`uuid.uuid5` as text. Python's own makes two objects of integers on the way, which takes four times as long."""
    hashed = hashlib.sha1(bytes.fromhex(uid.replace("-", "")) + name.encode(), usedforsecurity=False).digest()
    found = bytearray(hashed[:16])
    found[6], found[8] = found[6] & 0x0F | 0x50, found[8] & 0x3F | 0x80  # version 5, variant of RFC 9562
    digits = found.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
