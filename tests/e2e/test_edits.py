"""What users do to a task that is there: suspend, resume, trigger, edit, delete."""

import time
from collections.abc import Iterator

import pytest

from e2e import ledger
from e2e.cluster import until
from e2e.space import Space
from e2e.tasks import Task, epoch


@pytest.fixture
def paused(shared: Space) -> Iterator[Task]:
    task = shared.task("paused", schedule="@every 1s", missedRunPolicy="RunAll", concurrencyPolicy="Allow")
    yield task
    task.suspend()


def test_suspended_time_is_neither_run_nor_made_up_for(shared: Space, paused: Task) -> None:
    until("it ticks", lambda: len(shared.ledger.starts(paused.name)) >= 2)
    paused.suspend()
    silent_from, began = int(time.time()) + 1, len(shared.ledger.starts(paused.name))
    assert paused.status.get("nextScheduleTime") is None
    until("four ticks have passed", lambda: time.time() > silent_from + 4)
    assert len(shared.ledger.starts(paused.name)) <= began + 1  # one may have been on its way to the ledger
    silent_to = time.time()
    paused.edit(suspend=False)
    until("it ticks again", lambda: shared.ledger.starts(paused.name)[-1].scheduled > silent_to + 2)
    ticks = [entry.scheduled for entry in shared.ledger.starts(paused.name)]
    assert [tick for tick in ticks if silent_from < tick < silent_to] == []
    assert len(set(ticks)) == len(ticks)
    assert (paused.status["skipped"], paused.status["missed"]) == (0, 0)


def test_each_value_of_the_trigger_runs_once(shared: Space) -> None:
    task = shared.task("manual", payload={"from": "spec"})
    task.trigger("one")
    assert task.finished(ledger.manual_run_id(task.uid, "one"))["trigger"] == "Manual"
    task.trigger("one")
    shared.kubectl("annotate", "stask", task.name, "unrelated=change")
    task.trigger("two", {"from": "annotation"})
    task.finished(ledger.manual_run_id(task.uid, "two"))
    starts = shared.ledger.starts(task.name)
    assert [(entry.run_id, entry.payload) for entry in starts] == [
        (ledger.manual_run_id(task.uid, "one"), {"from": "spec"}),
        (ledger.manual_run_id(task.uid, "two"), {"from": "annotation"}),
    ]
    assert task.status["lastTrigger"] == "two"
    assert task.status.get("lastScheduleTime") is None, "a manual run moves no cursor"


def test_an_edited_schedule_never_fires_the_past(shared: Space) -> None:
    task = shared.task("edited", missedRunPolicy="RunAll", concurrencyPolicy="Allow")
    until("it is accepted", task.accepted)
    until("some time has passed", lambda: time.time() > task.created + 5)
    edited = int(time.time())
    task.edit(schedule="* * * * * *")
    until("it ticks", lambda: len(shared.ledger.starts(task.name)) >= 3)
    ticks = [entry.scheduled for entry in shared.ledger.starts(task.name)]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    assert ticks[0] >= edited
    task.suspend()
    assert epoch(task.status["scheduleChangedTime"]) >= edited


def test_a_deleted_task_stops_its_run_and_its_name_can_be_used_anew(shared: Space) -> None:
    task = shared.task("reborn", handler="nap", payload={"seconds": 60})
    task.trigger("now")
    until("it runs", lambda: shared.ledger.starts(task.name))
    old = task.uid
    shared.kubectl("delete", "stask", task.name)
    until("its handler was told", lambda: shared.ledger.entries(task.name)[-1].what == "cancelled", seconds=15)
    task = shared.task("reborn", schedule="@every 1s")
    until("the new one ticks", lambda: len(shared.ledger.starts(task.name)) >= 3)
    assert task.uid != old
    starts = shared.ledger.starts(task.name)[1:]
    ledger.check_ticks(task.uid, starts, ledger.every(1, created=task.created, after=0, until=starts[-1].scheduled))
    assert task.status.get("failed", 0) == 0
    task.suspend()


def test_failures_in_a_row_stop_a_task_until_it_is_edited(shared: Space) -> None:
    task = shared.task("hopeless", schedule="@every 1s", handler="fail", backoffLimit=0, suspendAfterFailures=2)
    until("it is stopped", lambda: task.condition("Ready").get("reason") == "SuspendedAfterFailures")
    stopped = time.time()
    assert task.condition("Ready")["status"] == "True"
    assert task.status["consecutiveFailures"] == 2
    until("two ticks have passed", lambda: time.time() > stopped + 2.5)
    assert len(shared.ledger.starts(task.name)) == 2
    edited = time.time()
    task.edit(handler="tick")
    until("it goes on", lambda: len(shared.ledger.starts(task.name)) >= 4)
    assert all(entry.scheduled >= int(edited) for entry in shared.ledger.starts(task.name)[2:])
    until("all is well", lambda: task.condition("LastRunSucceeded").get("status") == "True")
    task.suspend()


def test_an_edit_of_the_payload_means_the_next_run(shared: Space) -> None:
    task = shared.task("payloads", schedule="@every 1s", payload={"version": 1})
    until("it ticks", lambda: len(shared.ledger.starts(task.name)) >= 2)
    task.edit(payload={"version": 2})
    until("the new one is used", lambda: shared.ledger.starts(task.name)[-1].payload == {"version": 2})
    task.suspend()
    starts = shared.ledger.starts(task.name)
    assert [entry.payload["version"] for entry in starts] == sorted(entry.payload["version"] for entry in starts)
    ledger.check_ticks(task.uid, starts, ledger.every(1, created=task.created, after=0, until=starts[-1].scheduled))
