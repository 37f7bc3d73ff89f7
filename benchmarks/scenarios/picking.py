"""Microseconds for the choice of a worker, by routing policy and size of the pool. No server, one process."""

import statistics
import time
from random import Random
from typing import Any, Final

from warmcron.core.pool import Address, NoWorker, Pool, Worker
from warmcron.core.tasks import PoolKey
from warmcron.spec.task import RoutingPolicy

Record = dict[str, Any]
SIZES: Final = (10, 100, 1000)
RUNS: Final = 1000
REPEATS: Final = 5
KEY: Final = PoolKey("bench", "bench")
POLICIES: Final = [routing for routing in RoutingPolicy if routing is not RoutingPolicy.BROADCAST]


def picking() -> list[Record]:
    """One row for each size: a herd of 1,000 is given to workers, and its runs end; the median of five herds."""
    return [{"workers": size, **{routing.value: _time(size, routing) for routing in POLICIES}} for size in SIZES]


def _time(size: int, routing: RoutingPolicy) -> float:
    pool = Pool(Random(1))  # noqa: S311 - a choice that can be repeated, not a secret
    for number in range(size):
        worker = Worker(f"uid-{number:04}", f"pod-{number}", KEY, Address("10.0.0.1", 8080), ready=True)
        worker.heard, worker.handlers, worker.concurrency = True, frozenset({"noop"}), RUNS
        pool.put(worker)
    return round(statistics.median(_herd(pool, routing) for _ in range(REPEATS + 1)) * 1e6 / RUNS, 1)


def _herd(pool: Pool, routing: RoutingPolicy) -> float:
    given = []
    began = time.process_time()
    for number in range(RUNS):
        choice = pool.pick(
            KEY, routing=routing, routing_key=f"task-{number}", handler="noop", avoid=frozenset(), now=0.0
        )
        if isinstance(choice, NoWorker):
            raise TypeError(f"nobody was chosen: {choice.reason}")
        pool.take(choice.worker, str(number))
        given.append(choice.worker)
    for number, worker in enumerate(given):
        pool.release(worker, str(number))
    return time.process_time() - began
