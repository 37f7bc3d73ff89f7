"""What users do to a task that is there: suspend, resume, trigger, edit, delete."""

import os
import time
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest

from e2e import ledger
from e2e.cluster import until
from e2e.space import Space
from e2e.tasks import Task, epoch

# Another seed edits otherwise: WARMCRON_SEED=7 make e2e.
SEED: Final = int(os.environ.get("WARMCRON_SEED", "20261124"))


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


# What an edit may change; each one counts the version up, which the payload of a run then tells.
EDITS: list[dict[str, Any]] = [
    {"schedule": "* * * * * *"},
    {"schedule": "*/2 * * * * *"},
    {"schedule": "@every 1s"},
    {"schedule": "@every 3s", "suspend": False},
    {"suspend": True},
    {"suspend": False},
    {},
]


def test_edits_in_quick_succession_fire_nothing_of_the_past_and_the_last_one_wins(shared: Space) -> None:
    random = Random(SEED)
    spec: dict[str, Any] = {"schedule": "@every 1s", "suspend": False}
    # Whatever could make up for the past or run twice is allowed to.
    task = shared.task("restless", payload={"version": 0}, missedRunPolicy="RunAll", concurrencyPolicy="Allow", **spec)
    until("it ticks", lambda: shared.ledger.starts(task.name))
    specs, since = [spec], [task.created]
    for number in range(1, 31):
        old, edit = spec, random.choice(EDITS)
        spec, began = {**old, **edit}, time.time()
        task.edit(payload={"version": number}, **edit)
        # Where the schedule changes or is taken up again, no tick before that is to start.
        anew = spec["schedule"] != old["schedule"] or (old["suspend"] and not spec["suspend"])
        specs.append(spec)
        since.append(int(began) if anew else since[-1])
    last = {"schedule": "* * * * * *", "suspend": False}
    began = time.time()
    task.edit(payload={"version": len(specs)}, **last)
    specs.append(last)
    since.append(int(began) if last != spec else since[-1])

    def of(version: int) -> list[ledger.Entry]:
        return [one for one in shared.ledger.starts(task.name) if one.payload["version"] == version]

    until("the last one ticks", lambda: len(of(len(specs) - 1)) >= 5)
    task.suspend()
    task.rest()
    starts = sorted(shared.ledger.starts(task.name), key=lambda one: one.scheduled)
    assert len({one.run_id for one in starts}) == len(starts), "a tick has started twice"
    assert all(one.run_id == ledger.tick_run_id(task.uid, one.scheduled) for one in starts)
    versions = [one.payload["version"] for one in starts]
    assert versions == sorted(versions), "an older spec started a later tick"
    for one in starts:
        version = one.payload["version"]
        assert not specs[version]["suspend"], f"{one} started while suspended"
        assert one.scheduled >= since[version], f"{one} is of the time before its edit"
        assert one.scheduled in ticks(specs[version]["schedule"], task.created, one.scheduled), f"{one} is no tick"
        assert one.sent >= one.scheduled - 0.05, f"{one} is early"
    final = [one.scheduled for one in starts if one.payload["version"] == versions[-1]]
    assert final == list(range(final[0], final[0] + len(final))), "the last spec lost a tick"


def ticks(schedule: str, created: int, moment: int) -> list[int]:
    """The tick of a schedule at a moment, if it has one then; by another implementation than the operator's."""
    if every := schedule.removeprefix("@every ").removesuffix("s") if schedule.startswith("@every") else "":
        return ledger.every(int(every), created=created, after=moment - 1, until=moment)
    return [ledger.next_cron(schedule, "UTC", moment - 1)]
