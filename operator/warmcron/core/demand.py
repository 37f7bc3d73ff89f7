"""How many runs each pool has to do with: those that go on, those that wait, those that are due soon. Pure.

It is what a pool's number of workers is to be scaled by, ahead of a herd. Broadcasts are left out: they take as many
workers as there are, and would make more of them each time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from warmcron.core.run import Run, State
from warmcron.core.tasks import PoolKey, Task
from warmcron.spec.task import ConcurrencyPolicy, RoutingPolicy


@dataclass(slots=True)
class Demand:
    """Of one pool.

    Attributes:
        waiting: runs that wait for a worker or for their next attempt.
        due: tasks that will start another run; a task counts once, however often it is due.
    """

    running: int = 0
    waiting: int = 0
    due: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.running + self.waiting + self.due


def due_soon(task: Task, until: float) -> bool:
    """Whether the task will start another run by then, beside those that it has now."""
    spec = task.spec
    if spec is None or task.idle or task.next_tick is None or task.next_tick > until:
        return False
    return spec.routing is not RoutingPolicy.BROADCAST and (
        spec.concurrency is ConcurrencyPolicy.ALLOW or not task.active
    )


def count_runs(runs: Iterable[Run], demands: dict[PoolKey, Demand]) -> None:
    """Adds the runs that go on to the demand of their pools."""
    for run in runs:
        if run.parts is not None or run.shard is not None or run.spec.routing is RoutingPolicy.BROADCAST:
            continue
        demand = demands.setdefault(run.spec.pool, Demand())
        if run.state is State.PENDING:
            demand.waiting += 1
        else:
            demand.running += 1


def of_pool(key: PoolKey, *, due: int, runs: Iterable[Run]) -> Demand:
    """The demand of one pool, given how many of its tasks are due soon, and all runs."""
    found = {key: Demand(due=due)}
    count_runs((run for run in runs if run.spec.pool == key), found)
    return found[key]
