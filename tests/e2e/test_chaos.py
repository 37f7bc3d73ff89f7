"""Faults at moments that nobody chose, over many ticks. The ledger says what was started, not the operator."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, Final
from zlib import crc32

import pytest

from e2e import ledger, space
from e2e.cluster import Cluster, measured, until
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import Task, epoch
from faults import checker

# Another seed kills at other moments: WARMCRON_SEED=7 make e2e.
SEED: Final = int(os.environ.get("WARMCRON_SEED", "20261124"))
# Nothing may be dropped because too much of it came late.
ALL: Final[dict[str, Any]] = {"missedRunPolicy": "RunAll", "maxMissedRuns": 100, "concurrencyPolicy": "Allow"}
# Longer than the lease: the standby leads before the old leader can wake.
PAUSED_SECONDS: Final = 9
AWAY_SECONDS: Final = 60
KILLS: Final = 5


@pytest.fixture(scope="module")
def here(cluster: Cluster, operator: Release) -> Iterator[Space]:
    with space.opened(cluster, "chaos") as found:
        found.workers(2)
        yield found


@pytest.fixture
def ticking(here: Space, operator: Release, request: pytest.FixtureRequest) -> list[Task]:
    """Tasks with short and with longer runs, ticking when the test begins."""
    operator.leader()
    slug = f"chaos-{crc32(request.node.name.encode()):x}"
    tasks = [
        here.task(f"{slug}-tick", schedule="@every 1s", **ALL),
        here.task(f"{slug}-nap", schedule="@every 2s", handler="nap", payload={"seconds": 3}, **ALL),
    ]
    until("every task ticks", lambda: all(len(here.ledger.starts(task.name)) > 1 for task in tasks))
    return tasks


def settle(here: Space, tasks: list[Task], *, since: float) -> None:
    """Waits for ticks after the fault, then holds the ledger against what every task should have had."""
    until("ticks after the fault", lambda: all(_after(here, task, since) >= 4 for task in tasks), seconds=120)
    for task in tasks:
        task.suspend()
        task.rest()
        starts, status = here.ledger.starts(task.name), task.status
        every = 1 if task.name.endswith("tick") else 2
        expected = ledger.every(every, created=task.created, after=0, until=epoch(status["lastScheduleTime"]))
        ledger.check_ticks(task.uid, starts, expected)
        ledger.judge(task.uid, here.ledger.entries(task.name), spec(task, every), until=expected[-1])
        assert (status["succeeded"], status["failed"], status["skipped"]) == (len(starts), 0, 0)


def spec(task: Task, seconds: int, **more: bool) -> checker.Version:
    """What the task was from its creation on, for the checker."""
    return checker.Version(task.created, checker.every(seconds, created=task.created), **more)


def _after(here: Space, task: Task, moment: float) -> int:
    return sum(entry.scheduled > moment for entry in here.ledger.starts(task.name))


def _successor(operator: Release, term: int) -> str:
    """Who leads after that term; empty as long as nobody does."""
    return operator.holder() if operator.term() > term else ""


def test_the_leader_is_killed_again_and_again(here: Space, operator: Release, ticking: list[Task]) -> None:
    random, gaps = Random(SEED), []
    for _ in range(KILLS):
        leader = operator.leader()
        time.sleep(random.uniform(0, 2))
        term, killed = operator.term(), time.time()
        operator.kill_process(leader)
        until("another term has begun", partial(_successor, operator, term), pause=0.05)
        gaps.append(time.time() - killed)
    settle(here, ticking, since=time.time())
    measured(f"leader killed {KILLS} times, seed {SEED}: a new term after {min(gaps):.1f} to {max(gaps):.1f} s")


def test_a_leader_that_sleeps_past_its_lease_starts_nothing_when_it_wakes(
    here: Space, operator: Release, ticking: list[Task]
) -> None:
    random = Random(SEED)
    for _ in range(2):
        leader, term = operator.leader(), operator.term()
        time.sleep(random.uniform(0, 1))
        pod = here.cluster.core.read_namespaced_pod(leader, operator.namespace)
        with here.cluster.frozen(pod):
            until("the standby leads", partial(_successor, operator, term), pause=0.1)
            time.sleep(PAUSED_SECONDS)
        time.sleep(2)
    settle(here, ticking, since=time.time())


def test_no_tick_is_lost_or_doubled_while_the_api_server_is_away(
    here: Space, operator: Release, ticking: list[Task]
) -> None:
    (server,) = here.cluster.pods("kube-system", "component=kube-apiserver")
    with here.cluster.frozen(server):
        time.sleep(AWAY_SECONDS)
    until("the API server answers", here.cluster.answers, seconds=180)
    back = time.time()
    operator.leader()
    here.wait_ready(2, "app=worker")
    settle(here, ticking, since=back)


def test_no_tick_is_lost_or_doubled_while_the_workers_are_replaced(here: Space, ticking: list[Task]) -> None:
    for _ in range(2):
        here.kubectl("rollout", "restart", "deployment/worker")
        here.kubectl("rollout", "status", "deployment/worker", "--timeout=120s")
    settle(here, ticking, since=time.time())


def test_a_run_whose_answer_is_lost_is_asked_after_and_not_repeated(make_space: Callable[[str], Space]) -> None:
    here = make_space("lossy")
    here.worker("deaf", behind_proxy=True)
    here.worker("other")
    for handler, payload in (("tick", {"lose": True}), ("nap", {"lose": True, "seconds": 6})):
        task = here.task(f"lost-{handler}", handler=handler, payload=payload, routingPolicy="RoundRobin")
        for value in ("first", "second"):  # one of them gets the pod behind the proxy
            task.trigger(value)
            record = task.finished(ledger.manual_run_id(task.uid, value), seconds=90)
            assert (record["outcome"], record["attempts"]) == ("Succeeded", 1)
        starts = here.ledger.starts(task.name)
        assert [entry.attempt for entry in starts] == [1, 1]
        assert {entry.pod for entry in starts} == {"deaf", "other"}


def test_at_most_once_starts_nothing_twice_whoever_is_killed(here: Space, operator: Release) -> None:
    random = Random(SEED)
    once = here.task(
        "once", schedule="@every 1s", handler="nap", payload={"seconds": 0.5}, deliveryPolicy="AtMostOnce", **ALL
    )
    until("it ticks", lambda: len(here.ledger.starts(once.name)) > 2)
    for _ in range(3):
        leader, term = operator.leader(), operator.term()
        time.sleep(random.uniform(0, 2))
        operator.kill_process(leader)
        until("another term has begun", partial(_successor, operator, term), pause=0.05)
        here.cluster.kill(random.choice(here.cluster.pods(here.name, "app=worker")))
        here.wait_ready(2, "app=worker")
    back = time.time()
    until("it ticks again", lambda: _after(here, once, back) >= 4, seconds=120)
    once.suspend()
    once.rest()
    starts, status = here.ledger.starts(once.name), once.status
    doubled = [run for run, count in Counter(entry.run_id for entry in starts).items() if count > 1]
    assert not doubled, f"started twice: {doubled}"
    ticks = ledger.every(1, created=once.created, after=0, until=epoch(status["lastScheduleTime"]))
    assert {entry.scheduled for entry in starts} <= set(ticks)
    # Which of them ended without a start the status does not remember for so long; how many is judged below.
    version = spec(once, 1, at_most_once=True)
    ledger.judge(once.uid, here.ledger.entries(once.name), version, until=ticks[-1], recorded=ticks)
    # Never silence: what was not started, or whose end nobody knows, has ended in words.
    assert status["succeeded"] + status["failed"] + status["skipped"] == len(ticks)
    assert status["succeeded"] <= len(starts)
    measured(f"AtMostOnce: of {len(ticks)} ticks {status['succeeded']} succeeded, {status['failed']} ended as unknown")
