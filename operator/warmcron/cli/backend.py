"""What the verbs need of a warmcron, and what they are told: the same for a cluster and for the embedded mode."""

from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task as a list shows it. Times are RFC 3339 text, empty where there is none.

    Attributes:
        ready: True, False or Unknown.
        seen: whether the operator has seen the task as it is now.
        raw: what `-o json` prints.
    """

    namespace: str
    name: str
    uid: str
    schedule: str
    time_zone: str
    suspended: bool
    active: tuple[str, ...]
    last: str
    next: str
    ready: str
    reason: str
    message: str
    created: str
    pool: str
    handler: str
    failures: int
    concurrency: str
    routing: str
    seen: bool
    workers_available: str
    counters: dict[str, int] = field(default_factory=dict)
    recent: tuple[Json, ...] = ()
    conditions: tuple[Json, ...] = ()
    raw: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerView:
    """A worker.

    Attributes:
        state: Ready, Busy, Draining or NotReady.
        runs: how many it has; None where that is not known.
        handlers: None where that is not known.
        version: of what it runs; empty if it has not said, None where that is not known.
    """

    namespace: str
    pool: str
    name: str
    uid: str
    state: str
    reason: str
    runs: int | None
    capacity: int | None
    handlers: tuple[str, ...] | None
    version: str | None
    raw: Json = field(default_factory=dict)


class Backend(Protocol):
    """A warmcron. Raises NotThereError for what is not there, KubeError or ServerError for what does not answer."""

    @property
    def namespace(self) -> str:
        """The namespace that is meant when none is named."""

    async def tasks(self, namespace: str | None, selector: str) -> list[TaskView]:
        """Tasks of a namespace, of all when it is None, by namespace and name."""

    async def task(self, namespace: str, name: str) -> TaskView:
        """One task."""

    async def trigger(self, task: TaskView, payload: Json | None) -> str:
        """Asks for a manual run; returns its id."""

    async def outcome(self, task: TaskView, run_id: str) -> Json | None:
        """How a run has ended (`outcome`, `reason`); None while it has not."""

    async def suspend(self, task: TaskView, *, suspended: bool) -> None:
        """Suspends or resumes."""

    async def workers(self, namespace: str | None, selector: str = "") -> list[WorkerView]:
        """Workers of a namespace, of all when it is None; of those the ones whose pods the selector chooses."""

    async def close(self) -> None:
        """Ends the connection."""
