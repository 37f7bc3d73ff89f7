"""What `kubectl describe` says of a task: one Event for each change of its state, and none for a run."""

from collections.abc import Callable
from functools import partial

from e2e import ledger
from e2e.cluster import until
from e2e.space import Space
from e2e.tasks import Task


def said(task: Task) -> list[tuple[str, str, int]]:
    """The Events about a task: type, reason, how often."""
    return [(one["type"], one["reason"], one["count"]) for one in task.events()]


def described(here: Space, task: Task) -> list[list[str]]:
    """The first words of the rows that `kubectl describe` shows: type, reason, age, from."""
    _, _, below = here.kubectl("describe", "stask", task.name).partition("\nEvents:\n")
    return [line.split()[:4] for line in below.splitlines()[2:] if line.strip()]


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
    rows = described(shared, task)
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("Warning", "InvalidSchedule", "warmcron"),
        ("Normal", "Scheduled", "warmcron"),
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
    assert [row[:2] for row in described(shared, task)] == [["Warning", "Failing"], ["Normal", "Recovered"]]
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
    assert [row[:2] for row in described(here, task)] == [["Warning", "NoReadyWorker"], ["Normal", "WorkersReady"]]
    assert "warmcron.dev/pool=late" in task.events()[0]["message"]
