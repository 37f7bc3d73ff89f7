"""What `kubectl describe` says of a task: one Event for each change of its state, and none for a run."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from e2e import ledger
from e2e.cluster import GROUP, PLURAL, VERSION, Json, measured, until
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import Task, manifest

# More than may wait of one namespace.
HERD: Final = 300
# What docs/observability.md promises.
BURST, RATE = 100, 10


def said(task: Task) -> list[tuple[str, str, int]]:
    """The Events about a task: type, reason, how often."""
    return [(one["type"], one["reason"], one["count"]) for one in task.events()]


def described(here: Space, task: Task) -> list[tuple[str, str, str]]:
    """The rows that `kubectl describe` shows: type, reason, from. In no order: it sorts by whole seconds."""
    _, _, below = here.kubectl("describe", "stask", task.name).partition("\nEvents:\n")
    rows = [line.split() for line in below.splitlines()[2:] if line.strip()]
    return sorted((row[0], row[1], row[3]) for row in rows)


def run(task: Task, value: str) -> str:
    """One manual run to its end; returns its outcome."""
    task.trigger(value)
    return str(task.finished(ledger.manual_run_id(task.uid, value))["outcome"])


def test_a_task_that_cannot_be_scheduled_says_so_and_says_when_it_can(shared: Space) -> None:
    task = shared.task("never", schedule="0 0 30 2 *")
    until("it says what is wrong", partial(said, task))
    task.edit(schedule="0 0 29 2 *")
    expected = [("Warning", "InvalidSchedule", 1), ("Normal", "Scheduled", 1)]
    until("it says that it is well", lambda: said(task) == expected)
    assert described(shared, task) == [
        ("Normal", "Scheduled", "warmcron"),
        ("Warning", "InvalidSchedule", "warmcron"),
    ]
    (first, _) = task.events()
    assert "spec.schedule" in first["message"]
    assert first["reportingComponent"] == "warmcron.dev/operator"
    assert first["reportingInstance"].startswith("warmcron-")


def test_a_task_that_fails_says_so_once_and_says_when_it_has_recovered(shared: Space) -> None:
    task = shared.task("shaky", handler="fail", backoffLimit=0, payload={"secret": "hunter2"})
    assert [run(task, value) for value in ("one", "two")] == ["Failed", "Failed"]
    until("it says so", partial(said, task))
    task.edit(payload={"failures": 0})
    until("the edit is taken", task.accepted)
    assert [run(task, value) for value in ("three", "four")] == ["Succeeded", "Succeeded"]
    until("it has recovered", lambda: ("Normal", "Recovered", 1) in said(task))
    assert said(task) == [("Warning", "Failing", 1), ("Normal", "Recovered", 1)]
    assert [row[:2] for row in described(shared, task)] == [("Normal", "Recovered"), ("Warning", "Failing")]
    (failing, _) = task.events()
    assert "attempt 1 was told to fail" in failing["message"]
    assert all("hunter2" not in one["message"] for one in task.events())


def test_a_pool_without_workers_is_told_and_so_is_their_coming(make_space: Callable[[str], Space]) -> None:
    here = make_space("events")
    task = here.task("waiting", pool="late")
    until("it says that nobody is there", lambda: said(task) == [("Warning", "NoReadyWorker", 1)])
    here.worker("late", pool="late")
    expected = [("Warning", "NoReadyWorker", 1), ("Normal", "WorkersReady", 1)]
    until("it says that somebody is", lambda: said(task) == expected)
    assert [row[:2] for row in described(here, task)] == [("Normal", "WorkersReady"), ("Warning", "NoReadyWorker")]
    assert "warmcron.dev/pool=late" in task.events()[0]["message"]


def test_a_herd_is_held_to_the_rate_and_its_statuses_do_not_wait_for_it(
    make_space: Callable[[str], Space], operator: Release
) -> None:
    here = make_space("herd")
    here.worker("only", pool="herd")
    first = here.task("first", pool="herd")
    until("its worker is known", lambda: available(first.read()) == "True")
    here.apply(*(manifest(f"herd-{number:03}", pool="herd") for number in range(HERD)))

    def know(status: str) -> bool:
        found = here.cluster.get(f"/apis/{GROUP}/{VERSION}/namespaces/{here.name}/{PLURAL}")["items"]
        return len(found) == HERD + 1 and all(available(task) == status for task in found)

    until("every task has a worker", lambda: know("True"), seconds=120)
    assert events_of(here) == [], "that all is well is no news"
    dropped, began = counted(operator, "dropped"), time.time()
    here.kubectl("delete", "pod", "only", "--grace-period=0", "--force")
    until("every status says that nobody is there", lambda: know("False"), seconds=120)
    written = time.time() - began
    found = events_of(here)
    assert len(found) <= BURST + RATE * (time.time() - began) + 1
    measured(f"{HERD} tasks lose their worker: all statuses after {written:.1f} s, {len(found)} Events by then")
    until("each was posted or counted", lambda: len(events_of(here)) + counted(operator, "dropped") - dropped >= HERD)
    assert {one["reason"] for one in events_of(here)} == {"NoReadyWorker"}


def available(task: Json) -> str:
    """The status of WorkersAvailable."""
    conditions = task.get("status", {}).get("conditions", [])
    return next((str(one["status"]) for one in conditions if one["type"] == "WorkersAvailable"), "")


def events_of(here: Space) -> list[Json]:
    """The Events about the tasks of the herd."""
    found: list[Json] = here.cluster.get(f"/api/v1/namespaces/{here.name}/events")["items"]
    return [one for one in found if one["involvedObject"]["name"].startswith("herd-")]


def counted(operator: Release, result: str) -> float:
    """What the leader has counted of Events."""
    path = f"/api/v1/namespaces/{operator.namespace}/pods/{operator.leader()}:8080/proxy/metrics"
    text = operator.cluster.kubectl("get", "--raw", path)
    (line,) = [line for line in text.splitlines() if line.startswith(f'warmcron_events_total{{result="{result}"}}')]
    return float(line.split()[-1])
