"""What the pages ask and what they can order, as protocols; adapters fit these, and so do the fakes of the tests.

Times are UTC epoch seconds. Texts may come from anybody who can create an object or write a log line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from warmcron.core.schedule import Schedule
from warmcron.core.tasks import RunRecord
from warmcron.errors import WarmcronError
from warmcron.history.model import RunRow


class OrderError(WarmcronError):
    """What was asked for was refused; the message says by whom and why, for the user to read.

    Attributes:
        status: the HTTP status that says the same.
    """

    def __init__(self, message: str = "", *, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class Flag(StrEnum):
    """What can be said of a task besides its name; several may hold at once, `Scheduled` only alone.

    The order is that of urgency.
    """

    INVALID = "Invalid"
    FAILING = "Failing"
    NO_WORKER = "NoWorker"
    HELD = "Held"
    SUSPENDED = "Suspended"
    RUNNING = "Running"
    SCHEDULED = "Scheduled"


class Order(StrEnum):
    """What a viewer may ask for."""

    TRIGGER = "trigger"
    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task as a list shows it.

    Attributes:
        plan: when it is due; None for a task that cannot be scheduled.
        message: why it cannot be scheduled, why it fails or waits; empty when there is nothing to say.
        active: ids of the runs that go on.
    """

    uid: str
    namespace: str
    name: str
    schedule: str
    zone: str
    plan: Schedule | None
    pool: str
    handler: str
    flags: frozenset[Flag]
    message: str = ""
    next: float | None = None
    last: float | None = None
    failures: int = 0
    active: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a task's status."""

    kind: str
    status: str
    reason: str
    message: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDetail:
    """A task as its own page shows it.

    Attributes:
        settings: the fields of its spec with their values, in the spec's order.
        recent: the runs that its status remembers, newest first: what is there when no history answers.
    """

    row: TaskRow
    created: float
    settings: tuple[tuple[str, str], ...]
    payload: Any
    conditions: tuple[Condition, ...]
    counters: dict[str, int]
    last_success: float | None
    recent: tuple[RunRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker pod.

    Attributes:
        state: `Ready`, `Busy` (no room for another run), `Draining` or `NotReady`.
        runs: ids of what it runs now.
        handlers: None when it has not said.
    """

    namespace: str
    pool: str
    name: str
    uid: str
    state: str
    reason: str = ""
    runs: tuple[str, ...] = ()
    capacity: int = 1
    handlers: tuple[str, ...] | None = None
    version: str = ""
    address: str = ""
    started: float | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """A pool, and how many runs it has to do with; see `core.demand`.

    Attributes:
        capacity: how many runs its ready workers take at once.
    """

    namespace: str
    pool: str
    running: int
    waiting: int
    due: int
    ready_workers: int
    capacity: int


class Live(Protocol):
    """What the engine has in memory. `namespaces` None means every one."""

    async def tasks(self, namespaces: tuple[str, ...] | None) -> Sequence[TaskRow]:
        """Every task, in any order; a snapshot that may be a second old."""

    async def task(self, namespace: str, name: str) -> TaskDetail | None:
        """One task."""

    async def workers(self, namespaces: tuple[str, ...] | None) -> Sequence[WorkerRow]:
        """Every worker, in any order."""

    async def holder(self, run_id: str) -> tuple[str, str] | None:
        """Namespace and name of the task whose run goes on or waits for its turn; None if there is none."""

    async def run(self, run_id: str) -> RunRow | None:
        """A run that goes on, waits for its turn, or is among the last of its task; without what its worker said."""

    async def demand(self, namespace: str, pool: str, *, within: float) -> PoolRow | None:
        """A pool with what is due in so many seconds; None while nobody here knows all that runs."""


class Viewer(Protocol):
    """Who looks."""

    @property
    def name(self) -> str:
        """How the cluster calls them; empty where nobody logs in."""

    async def namespaces(self) -> tuple[str, ...] | None:
        """The namespaces whose tasks they may see; None for all."""

    async def may(self, order: Order, namespace: str) -> bool:
        """Whether they may ask for that there."""


class Orders(Protocol):
    """What can be asked for. Each raises `OrderError` when it is refused."""

    async def trigger(self, viewer: Viewer, namespace: str, name: str, *, payload: dict[str, Any] | None) -> str:
        """Runs a task now; returns the id that the run will have."""

    async def suspend(self, viewer: Viewer, namespace: str, name: str, *, suspend: bool) -> None:
        """Stops or resumes a task's schedule."""

    async def cancel(self, viewer: Viewer, run_id: str) -> None:
        """Tells the run to stop."""

    async def retry(self, viewer: Viewer, run_id: str) -> str:
        """Runs once more what that run did; returns the new run's id."""

    async def manifest(self, viewer: Viewer, namespace: str, name: str) -> dict[str, Any]:
        """The task's whole object, as the viewer may read it."""


class Labels(Protocol):
    """Knows the labels of tasks."""

    async def select(self, viewer: Viewer, selector: str, *, namespaces: tuple[str, ...] | None) -> frozenset[str]:
        """The uids of the tasks that a label selector chooses; raises `OrderError` for one that makes no sense."""


class Guard(Protocol):
    """Turns a credential into a viewer."""

    @property
    def open(self) -> bool:
        """Whether nobody has to log in: one user's own machine."""

    async def viewer(self, token: str) -> Viewer | None:
        """The owner of a bearer token; None for a token that the cluster does not accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One page of rows with what the filters beside it need.

    Attributes:
        labels: `key=value` of the labels that most tasks have, for suggestions.
    """

    rows: tuple[TaskRow, ...]
    total: int
    page: int
    pages: int
    counts: dict[Flag, int]
    namespaces: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
