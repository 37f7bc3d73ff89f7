"""The demand of a pool: what goes on, what waits, and what will come; never counted twice, never a broadcast."""

from typing import Any

import pytest

from fakes.engine import World
from warmcron.core import demand, runs
from warmcron.core.demand import Demand
from warmcron.core.tasks import PoolKey

KEY = PoolKey("ns", "p")


def of(world: World, within: float = 30) -> Demand:
    engine, until = world.engine, world.clock.now() + within
    due = sum(demand.due_soon(task, until) for task in engine.tasks.of_pool(KEY))
    return demand.of_pool(KEY, due=due, runs=engine.runner.runs.values())


# How many of one such task, idle until now and due in ten seconds, are due within thirty.
DUE: list[tuple[dict[str, Any], int]] = [
    ({}, 1),  # three ticks, and never more than one run at a time
    ({"concurrencyPolicy": "Allow"}, 1),  # one at a time as long as each ends before the next
    ({"schedule": "@every 60s"}, 0),
    ({"suspend": True}, 0),
    ({"routingPolicy": "Broadcast"}, 0),  # it takes the workers that there are
    ({"schedule": "nonsense"}, 0),
    ({"pool": "other"}, 0),
]


@pytest.mark.parametrize(("spec", "due"), DUE)
def test_a_task_is_due_once(spec: dict[str, Any], due: int) -> None:
    world = World()
    world.task(**spec)
    assert of(world) == Demand(due=due)


def test_a_herd_is_seen_before_it_comes_and_until_it_is_done() -> None:
    world = World()
    for number in range(5):
        world.task(f"task-{number}", schedule="@every 60s", backoffLimit=1)
    assert of(world, within=59).total == 0
    assert of(world, within=60) == Demand(due=5)
    world.pass_time(60)
    assert of(world) == Demand(waiting=5)  # nobody is there yet
    world.worker(concurrency=3)
    assert of(world) == Demand(running=3, waiting=2)
    world.succeed(world.sent()[0])
    assert of(world) == Demand(running=3, waiting=1)
    world.fail(world.sent()[1])
    assert of(world).total == 4  # it comes back


def test_a_task_whose_run_goes_on_is_counted_once_unless_its_runs_may_overlap() -> None:
    for policy, due in (("Forbid", 0), ("Queue", 0), ("Replace", 0), ("Allow", 1)):
        world = World()
        world.worker()
        world.task(concurrencyPolicy=policy)
        world.pass_time(10)
        assert of(world) == Demand(running=1, due=due), policy


def test_a_broadcast_and_its_shards_ask_for_no_workers() -> None:
    world = World()
    world.worker("pod-a")
    world.worker("pod-b")
    world.task(routingPolicy="Broadcast")
    world.pass_time(10)
    assert len(world.sent()) == 2
    world.answer(world.sent()[0], runs.Accepted())
    assert of(world) == Demand()
