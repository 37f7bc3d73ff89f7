"""Ticks on a healthy pool: each on a ready pod, each once, and a status that says so."""

import time
from collections import Counter
from collections.abc import Callable

import pytest

from e2e import ledger
from e2e.cluster import measured, never, until
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import Task, epoch, manifest

BERLIN = "Europe/Berlin"


@pytest.fixture(scope="module")
def minutely(shared: Space) -> Task:
    """A task that fires once a minute; applied first, so that its minute passes while other tests run."""
    return shared.task("minutely", schedule="* * * * *", timeZone=BERLIN)


@pytest.fixture(scope="module", autouse=True)
def _minutely_first(minutely: Task) -> None:
    pass


def test_every_tick_runs_once_and_the_pods_take_turns(shared: Space) -> None:
    task = shared.task("spread", schedule="@every 2s", historyLimit=5)
    until("eleven ticks", lambda: len(shared.ledger.starts(task.name)) > 10, seconds=60)
    task.suspend()
    task.rest()
    starts = shared.ledger.starts(task.name)
    expected = ledger.every(2, created=task.created, after=0, until=starts[-1].scheduled)
    ledger.check_ticks(task.uid, starts, expected)
    assert {entry.pod for entry in starts} == set(shared.ready())
    assert all(entry.attempt == 1 and entry.trigger == "Schedule" for entry in starts)
    measured(f"healthy: longest delay of {len(starts)} ticks {ledger.longest_delay(starts):.3f} s")
    status = until("all runs are counted", lambda: s if (s := task.status)["succeeded"] == len(starts) else None)
    assert status is not None
    assert (status["failed"], status["skipped"], status["missed"], status["consecutiveFailures"]) == (0, 0, 0, 0)
    assert epoch(status["lastScheduleTime"]) == expected[-1]
    newest = [(epoch(run["scheduledTime"]), run["runId"], run["podName"]) for run in status["recentRuns"]]
    assert newest == [(one.scheduled, one.run_id, one.pod) for one in reversed(starts[-5:])]
    assert {run["outcome"] for run in status["recentRuns"]} == {"Succeeded"}


def test_the_status_tells_the_next_tick_and_what_is_well(shared: Space) -> None:
    task = shared.task("told", schedule="@every 3s")
    status = until("a run is counted", lambda: s if (s := task.status).get("succeeded") else None)
    assert status is not None
    assert epoch(status["nextScheduleTime"]) == epoch(status["lastScheduleTime"]) + 3
    assert (epoch(status["lastScheduleTime"]) - task.created) % 3 == 0
    assert epoch(status["lastSuccessfulTime"]) >= epoch(status["lastScheduleTime"])
    assert status["observedGeneration"] == 1
    found = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    assert found == {
        "Ready": ("True", "Scheduled"),
        "WorkersAvailable": ("True", "WorkersReady"),
        "LastRunSucceeded": ("True", "Succeeded"),
    }
    task.suspend()


def test_kubectl_get_shows_what_a_user_asks_first(shared: Space) -> None:
    task = shared.task("shown", schedule="0 5 1 1 *", timeZone="Asia/Tokyo")
    until("it is accepted", task.accepted)
    head, row = shared.kubectl("get", "stask", task.name).splitlines()
    assert head.split() == ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "NEXT", "READY", "AGE"]
    for shown in ("0 5 1 1 *", "Asia/Tokyo", "false", "True", task.status["nextScheduleTime"]):
        assert shown in row
    assert task.name in shared.kubectl("get", "warmcron")


def test_routing_chooses_the_pod(shared: Space) -> None:
    policies = ("RoundRobin", "Random", "ConsistentHash")
    tasks = {
        policy: shared.task(f"route-{policy.lower()}", schedule="@every 1s", routingPolicy=policy)
        for policy in policies
    }
    until("six ticks each", lambda: all(len(shared.ledger.starts(task.name)) >= 6 for task in tasks.values()))
    for task in tasks.values():
        task.suspend()
    pods = {policy: [entry.pod for entry in shared.ledger.starts(task.name)] for policy, task in tasks.items()}
    assert set(pods["RoundRobin"]) == set(shared.ready())
    assert len(set(pods["ConsistentHash"])) == 1
    assert all(set(found) <= set(shared.ready()) for found in pods.values())


def test_sixty_tasks_of_the_same_second_all_run(shared: Space) -> None:
    tasks = [manifest(f"herd-{number}", schedule="*/8 * * * * *", historyLimit=1) for number in range(60)]
    shared.apply(*tasks)
    names = [one["metadata"]["name"] for one in tasks]

    def starts() -> list[ledger.Entry]:
        return [entry for entry in shared.ledger.starts() if entry.task.startswith("herd-")]

    until("two ticks of all", lambda: len([e for e in starts() if e.task == names[-1]]) >= 2)
    last = max(entry.scheduled for entry in starts())
    until("the last of them", lambda: len([e for e in starts() if e.scheduled == last]) >= len(names), seconds=5)
    shared.kubectl("delete", "stask", "--wait=false", *names)
    found = starts()
    assert Counter(entry.task for entry in found if entry.scheduled == last) == Counter(names)
    assert len({(entry.task, entry.scheduled) for entry in found}) == len(found)
    measured(f"sixty tasks at once: longest delay {ledger.longest_delay(found):.3f} s")


def test_a_slow_run_is_active_until_it_reports_its_end(shared: Space) -> None:
    task = shared.task("slow", handler="nap", payload={"seconds": 6})
    task.trigger("now")
    active = until("it is active", lambda: task.status.get("active"))
    assert active is not None
    run_id = ledger.manual_run_id(task.uid, "now")
    (start,) = shared.ledger.starts(task.name)
    assert (start.run_id, start.pod, start.pod_uid) == (run_id, active[0]["podName"], active[0]["podUID"])
    record = task.finished(run_id)
    assert (record["outcome"], record["trigger"], record["attempts"]) == ("Succeeded", "Manual", 1)
    assert record["durationSeconds"] >= 6
    assert until("no run is active", lambda: task.status["active"] == [])
    assert len(shared.ledger.starts(task.name)) == 1


def test_a_pod_that_is_not_ready_gets_nothing(make_space: Callable[[str], Space]) -> None:
    here = make_space("unready")
    here.worker("sick", ready=False, wait=False)
    here.worker("well")
    until(
        "the sick one runs", lambda: here.cluster.core.read_namespaced_pod("sick", here.name).status.phase == "Running"
    )
    task = here.task("picky", schedule="@every 1s")
    until("eight ticks", lambda: len(here.ledger.starts(task.name)) >= 8)
    assert {entry.pod for entry in here.ledger.starts()} == {"well"}


def test_a_terminating_pod_gets_nothing_new_and_ends_what_it_has(make_space: Callable[[str], Space]) -> None:
    here = make_space("leaving")
    # For 20 seconds after its deletion the pod stays Ready, and would take every run that it is sent.
    here.worker("leaver", grace=40, pre_stop=20)
    nap = here.task("long", handler="nap", payload={"seconds": 10})
    nap.trigger("now")
    until("the leaver has it", lambda: here.ledger.starts(nap.name))
    here.worker("stayer")
    task = here.task("ticks", schedule="@every 1s", concurrencyPolicy="Allow")
    until("both get ticks", lambda: {e.pod for e in here.ledger.starts(task.name)} == {"leaver", "stayer"})
    here.kubectl("delete", "pod", "leaver", "--wait=false")
    deleted = time.time()
    record = nap.finished()
    assert (record["outcome"], record["attempts"], record["podName"]) == ("Succeeded", 1, "leaver")

    def late() -> list[ledger.Entry]:  # a second for the word to reach the operator
        return [e for e in here.ledger.starts(task.name) if e.pod == "leaver" and e.scheduled > deleted + 1]

    never("the leaver gets a tick", late, seconds=max(deleted + 12 - time.time(), 1))
    assert here.cluster.core.read_namespaced_pod("leaver", here.name).metadata.deletion_timestamp
    starts = here.ledger.starts(task.name)
    ledger.check_ticks(task.uid, starts, ledger.every(1, created=task.created, after=0, until=starts[-1].scheduled))


@pytest.mark.parametrize("seconds", [0, 4], ids=["answered", "reported later"])
def test_what_a_handler_prints_is_logged_with_its_run(shared: Space, operator: Release, seconds: int) -> None:
    task = shared.task(f"talk{seconds}", handler="talk", payload={"text": f"talk {seconds}", "seconds": seconds})
    task.trigger("now")
    run_id = ledger.manual_run_id(task.uid, "now")
    assert task.finished(run_id)["outcome"] == "Succeeded"

    def told() -> bool:
        lines = [line for line in operator.logs() if line.get("run_id") == run_id and "text" in line]
        return [line["text"] for line in lines] == [f"talk {seconds} begins", f"talk {seconds} ends"]

    until("both lines are in the operator's log", told, seconds=15)


def test_five_fields_fire_at_second_zero_of_their_zone(shared: Space, minutely: Task) -> None:
    first = ledger.next_cron("* * * * *", BERLIN, minutely.created)
    until("the minute's run", lambda: shared.ledger.starts(minutely.name), seconds=75)
    entry = shared.ledger.starts(minutely.name)[0]
    assert (entry.scheduled, entry.run_id) == (first, ledger.tick_run_id(minutely.uid, first))
    assert first % 60 == 0
    assert 0 <= entry.arrived - first < 5
    measured(f"five fields: {entry.arrived - first:.3f} s after the minute")
    status = until("it is counted", lambda: s if (s := minutely.status).get("succeeded") else None)
    assert status is not None
    assert epoch(status["nextScheduleTime"]) == ledger.next_cron("* * * * *", BERLIN, epoch(status["lastScheduleTime"]))
