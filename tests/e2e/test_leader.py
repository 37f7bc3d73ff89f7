"""The leader goes: politely, by force, in an upgrade. The standby goes on, and no tick is lost or doubled."""

import time
from collections.abc import Callable, Iterator

import pytest

from e2e import ledger, space
from e2e.cluster import Cluster, measured, until
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import Task, epoch
from faults import checker

EVERY = 2
# One tick is missed, and the next one is not due before both replicas are back and the tasks are suspended.
ONCE = 45
# Longer than the lease lasts, and less than the ten seconds after which parts of Kubernetes give up.
FROZEN_SECONDS = 7
# Nothing may be dropped because too much of it came late.
ALL = {"missedRunPolicy": "RunAll", "maxMissedRuns": 100, "maxQueuedRuns": 100}
# Forbid too: ticks that come due together after a gap are skipped by it, but each of them is counted.
POLICIES = ("Allow", "Queue", "Forbid")


@pytest.fixture(scope="module")
def here(cluster: Cluster, operator: Release) -> Iterator[Space]:
    with space.opened(cluster, "leader") as found:
        found.workers(2)
        yield found


def delete(operator: Release, leader: str) -> None:
    operator.cluster.kubectl("-n", operator.namespace, "delete", "pod", leader, "--wait=false")


def delete_by_force(operator: Release, leader: str) -> None:
    operator.cluster.kubectl("-n", operator.namespace, "delete", "pod", leader, "--grace-period=0", "--force")


def kill(operator: Release, leader: str) -> None:
    operator.kill_process(leader)


def kill_all(operator: Release, leader: str) -> None:
    for pod in operator.pods():
        operator.kill_process(pod)


def roll_out(operator: Release, leader: str) -> None:
    operator.restart()


@pytest.mark.parametrize("end", [delete, delete_by_force, kill, roll_out, kill_all])
def test_no_tick_is_lost_or_doubled_when_the_leader_goes(
    here: Space, operator: Release, end: Callable[[Release, str], None]
) -> None:
    slug = end.__name__.replace("_", "-")
    tasks = _tasks(here, slug)
    long = here.task(f"{slug}-long", handler="nap", payload={"seconds": 12})
    leader = operator.leader()
    until("every task ticks", lambda: all(len(here.ledger.starts(task.name)) > 1 for task in tasks))
    long.trigger("now")
    until("a long run goes on", lambda: here.ledger.starts(long.name))
    began, term = time.time(), operator.term()
    end(operator, leader)
    until("another term has begun", lambda: operator.term() > term and operator.holder(), pause=0.1)
    changed = time.time()
    until("ticks after the change", lambda: all(_after(here, task, changed) >= 4 for task in tasks))
    record = long.finished()
    for task in tasks:
        task.suspend()
        _check(here, task)
    # The long run went on under two leaders, and was started once.
    assert (record["outcome"], record["attempts"]) == ("Succeeded", 1)
    assert len(here.ledger.starts(long.name)) == 1
    gap = max(_gap(here, task, since=began - 2 * EVERY) for task in tasks)
    measured(f"leader, {slug}: the next term began {changed - began:.1f} s later; longest delay of a tick {gap:.2f} s")


def test_no_tick_is_lost_or_doubled_when_the_api_server_does_not_answer(here: Space, operator: Release) -> None:
    tasks = _tasks(here, "frozen")
    (server,) = here.cluster.pods("kube-system", "component=kube-apiserver")
    operator.leader()
    until("every task ticks", lambda: all(len(here.ledger.starts(task.name)) > 1 for task in tasks))
    began, term = time.time(), operator.term()
    with here.cluster.frozen(server):
        time.sleep(FROZEN_SECONDS)
    until("the API server answers", here.cluster.answers, seconds=120)
    back = time.time()
    operator.leader()
    until("ticks after that", lambda: all(_after(here, task, back) >= 4 for task in tasks))
    for task in tasks:
        task.suspend()
        _check(here, task)
    gap = max(_gap(here, task, since=began - 2 * EVERY) for task in tasks)
    terms = operator.term() - term
    measured(f"API server: away for {back - began:.1f} s, {terms} new terms; longest delay of a tick {gap:.2f} s")


def test_after_downtime_the_policy_says_what_is_made_up_for(here: Space, operator: Release) -> None:
    once = {
        policy: here.task(f"down-{policy.lower()}", schedule=f"@every {ONCE}s", missedRunPolicy=policy)
        for policy in ("Skip", "RunLatest", "RunAll")
    }
    every = here.task("down-every", schedule=f"@every {EVERY}s", concurrencyPolicy="Allow", **ALL)
    late = here.task("down-late", schedule=f"@every {ONCE}s", missedRunPolicy="RunAll", startingDeadlineSeconds=5)
    tick = min(task.created for task in (*once.values(), late)) + ONCE
    until("the tick is near", lambda: time.time() > tick - 3)
    operator.scale(0)
    # Only a tick that is later than ten seconds is a missed one; before that it is merely late, and always started.
    until("the ticks are long past", lambda: time.time() > tick + 14)
    operator.scale(2)
    operator.leader()
    until("it ticks again", lambda: _after(here, every, time.time() - 5) >= 2)
    for task in (every, late, *once.values()):
        task.suspend()
    _check(here, every)
    assert here.ledger.starts(once["Skip"].name) == []
    assert here.ledger.starts(late.name) == []
    for task in (once["Skip"], late):
        assert (task.status["skipped"], task.status["missed"]) == (1, 1)
    assert once["Skip"].recent[0]["reason"] == "Missed"
    assert late.recent[0]["reason"] == "StartingDeadlineExceeded"
    for policy in ("RunLatest", "RunAll"):
        task = once[policy]
        ledger.check_ticks(task.uid, here.ledger.starts(task.name), [task.created + ONCE])
        assert (task.status["succeeded"], task.status["missed"]) == (1, 0)


def _tasks(here: Space, slug: str) -> list[Task]:
    return [
        here.task(f"{slug}-{policy.lower()}", schedule=f"@every {EVERY}s", concurrencyPolicy=policy, **ALL)
        for policy in POLICIES
    ]


def _after(here: Space, task: Task, moment: float) -> int:
    return sum(entry.scheduled > moment for entry in here.ledger.starts(task.name))


def _check(here: Space, task: Task) -> None:
    task.rest()
    starts, status = here.ledger.starts(task.name), task.status
    last = epoch(status["lastScheduleTime"])
    expected = ledger.every(EVERY, created=task.created, after=0, until=last)
    if skipped := status["skipped"]:
        why = [(run["scheduledTime"], run.get("reason")) for run in status["recentRuns"] if run["outcome"] == "Skipped"]
        assert task.name.endswith("forbid"), f"{skipped} ticks were skipped: {why}"
        started = {entry.scheduled for entry in starts}
        assert len(expected) - len(started) == skipped, "a tick was neither started nor counted as skipped"
        measured(f"{task.name}: {skipped} late ticks skipped, each of them counted")
        expected = [tick for tick in expected if tick in started]
    ledger.check_ticks(task.uid, starts, expected)
    version = checker.Version(task.created, checker.every(EVERY, created=task.created))
    due = ledger.every(EVERY, created=task.created, after=0, until=last)
    recorded = set(due) - set(expected)
    ledger.judge(task.uid, here.ledger.entries(task.name), version, until=last, recorded=recorded)
    assert (status["failed"], status["missed"]) == (0, 0)
    assert status["succeeded"] == len(starts)


def _gap(here: Space, task: Task, *, since: float) -> float:
    return ledger.longest_delay(entry for entry in here.ledger.starts(task.name) if entry.scheduled > since)
