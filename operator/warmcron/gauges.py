"""Brings the gauges up to date from the engine, just before somebody reads them. It changes nothing else."""

import asyncio
import heapq
from collections.abc import Mapping
from typing import Final

from prometheus_client import Gauge

from warmcron.core import demand
from warmcron.core.tasks import PoolKey, Task
from warmcron.engine import Engine
from warmcron.observe import Metrics
from warmcron.series import Row, row

# Tasks that fail are named one by one; when so many do, the number is what matters.
MOST_FAILING: Final = 500
# How far ahead `warmcron_pool_demand` looks; the API can be asked for any time.
AHEAD_SECONDS: Final = 60
# Tasks looked at before the loop gives others a turn: a scrape holds up no tick.
SLICE: Final = 1000


async def refresh(metrics: Metrics, engine: Engine, now: float) -> None:
    """All of them. 10,000 tasks take about 20 ms, in turns of a few."""
    metrics.tasks.set(len(engine.tasks))
    metrics.active.set(len(engine.runner.runs))
    metrics.lag.set(max(now - engine.tasks.next_due(), 0.0) if metrics.leading else 0.0)
    _workers(metrics, engine)
    _pools(metrics.pending, engine.runner.waiting())
    await _tasks(metrics, engine, now)


def _workers(metrics: Metrics, engine: Engine) -> None:
    states: dict[tuple[PoolKey, str], int] = {}
    capacities: dict[PoolKey, int] = {}
    for worker in engine.pool.all():
        state = "ready" if worker.ready else "not_ready"
        states[worker.pool, state] = states.get((worker.pool, state), 0) + 1
        capacities[worker.pool] = capacities.get(worker.pool, 0) + (worker.concurrency if worker.ready else 0)
    metrics.pool_workers.clear()
    total = {"ready": 0, "not_ready": 0}
    for (key, state), count in states.items():
        metrics.pool_workers.labels(key.namespace, key.name, state).set(count)
        total[state] += count
    for state, count in total.items():
        metrics.workers.labels(state).set(count)
    _pools(metrics.capacity, capacities)


async def _tasks(metrics: Metrics, engine: Engine, now: float) -> None:
    """One pass over all tasks. What changes while it waits for its turn is told at the next look."""
    failing = dict[tuple[str, str], int]()
    eldest = _Eldest(metrics.series.most, among=len(engine.tasks))
    demands: dict[PoolKey, demand.Demand] = {}
    number = 0
    for number, task in enumerate(engine.tasks if metrics.leading else (), 1):
        if (failures := task.history.consecutive_failures) and len(failing) < MOST_FAILING:
            failing[task.ref.namespace, task.ref.name] = failures
        if task.spec and demand.due_soon(task, now + AHEAD_SECONDS):
            demands.setdefault(task.spec.pool, demand.Demand()).due += 1
        eldest.put(task)
        if number % SLICE == 0:
            await asyncio.sleep(0)
    rows = list[Row]()
    for named, task in enumerate(eldest.found(), 1):
        rows.append(row(task))
        if named % SLICE == 0:
            await asyncio.sleep(0)
    demand.count_runs(engine.runner.runs.values(), demands)
    # While runs are still being taken over there is no number: one that is too small would end workers that are needed.
    _pools(metrics.demand, {key: found.total for key, found in demands.items()} if engine.settled else {})
    metrics.failing.clear()
    for names, count in failing.items():
        metrics.failing.labels(*names).set(count)
    metrics.series.show(rows)
    metrics.unnamed.set(number - len(rows))


class _Eldest:
    """Of the tasks that are put, those that were created first: the same ones on every replica, whoever leads.

    Args:
        most: how many.
        among: of how many.
    """

    def __init__(self, most: int, *, among: int) -> None:
        self._most, self._all = most, among <= most
        self._tasks: list[Task] = []
        self._heap: list[_Aged] = []  # the youngest first

    def put(self, task: Task) -> None:
        """One of them."""
        if self._all:
            self._tasks.append(task)
        elif len(self._heap) < self._most:
            heapq.heappush(self._heap, _Aged(task))
        elif self._heap and self._heap[0] < (aged := _Aged(task)):
            heapq.heapreplace(self._heap, aged)

    def found(self) -> list[Task]:
        """Those, in any order."""
        return self._tasks or [aged.task for aged in self._heap]


class _Aged:
    """A task that is less than those that were created before it: a heap of them has the youngest at its head."""

    __slots__ = ("age", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.age = task.created, task.ref.namespace, task.ref.name

    def __lt__(self, other: "_Aged") -> bool:
        return self.age > other.age


def _pools(gauge: Gauge, counts: Mapping[PoolKey, float]) -> None:
    gauge.clear()
    for key, count in counts.items():
        gauge.labels(key.namespace, key.name).set(count)
