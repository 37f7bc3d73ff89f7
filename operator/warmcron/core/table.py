"""All tasks, by uid and by pool, and when each is due next. What is due is for others to decide."""

from collections.abc import Iterator

from warmcron.core import agenda
from warmcron.core.tasks import NEVER, PoolKey, Task, TaskSpec


class Tasks:
    """All tasks by uid, and when each is due next."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._agenda = agenda.Agenda(self._due)
        self._pools: dict[PoolKey, dict[str, None]] = {}  # a set of as many uids would take twice as much

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._tasks.values()))

    def uids(self) -> set[str]:
        """The uids of all of them."""
        return set(self._tasks)

    def get(self, uid: str) -> Task | None:
        """The task of that uid, if it is known."""
        return self._tasks.get(uid)

    def put(self, task: Task) -> None:
        """Adds a task or takes it up again after its spec changed."""
        self._tasks[task.ref.uid] = task
        if task.spec:
            self._pools.setdefault(task.spec.pool, {})[task.ref.uid] = None

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

    def uids_of(self, key: PoolKey) -> dict[str, None]:
        """Which tasks use a pool; a copy."""
        return dict(self._pools.get(key, {}))

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
            members.pop(uid, None)
            if not members:
                del self._pools[key]
