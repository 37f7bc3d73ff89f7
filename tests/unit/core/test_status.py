"""A status is what the next leader knows: what is written is what is read."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fakes.core import CREATED, REF, RUN_ID, run, spec, task
from warmcron.core import status
from warmcron.core.tasks import ActiveRecord, Condition, History, RunRecord, Task, Ticket

seconds = st.integers(CREATED, CREATED + 10**8)
words = st.text("abcXYZ-:. ", max_size=40)
ids = st.uuids().map(str)
counts = st.integers(0, 10**9)
conditions = st.builds(
    Condition,
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=words,
    message=words,
    since=seconds.map(float),
    generation=st.integers(0, 100),
)
records = st.builds(
    RunRecord,
    run_id=ids,
    scheduled=seconds,
    trigger=st.sampled_from(["Schedule", "Manual"]),
    outcome=st.sampled_from(["Succeeded", "Failed", "Skipped", "Unknown"]),
    reason=words,
    pod_name=words,
    attempts=st.integers(0, 100),
    started=st.one_of(st.none(), seconds.map(float)),
    duration=st.floats(0, 1e6),
)
histories = st.builds(
    History,
    last_tick=seconds,
    schedule_changed=seconds,
    schedule_text=words,
    last_success=st.one_of(st.none(), seconds.map(float)),
    last_trigger=words,
    succeeded=counts,
    failed=counts,
    skipped=counts,
    missed=counts,
    consecutive_failures=counts,
    generation=st.integers(1, 100),
    recent=st.lists(records, max_size=3).map(list),
    conditions=st.dictionaries(st.sampled_from(["WorkersAvailable", "LastRunSucceeded"]), conditions),
)


def written(found: Task, *active: Any, epoch: int = 7) -> dict[str, Any]:
    """As the object carries it: through JSON."""
    read: dict[str, Any] = json.loads(json.dumps(status.render(found, list(active), epoch=epoch)))
    return read


@given(histories)
def test_what_is_written_is_what_is_read(history: History) -> None:
    found = Task(REF, history.generation, CREATED, spec(), None, None, history)
    assert status.restore(written(found), created=CREATED) == history


def test_a_run_that_goes_on_is_found_with_its_worker_and_its_term() -> None:
    found = run(attempt=2, pod_name="pod", pod_uid="uid", started=CREATED + 1.0, scheduled=CREATED)
    (active,) = status.restore(written(task(), found), created=CREATED).active
    assert active == ActiveRecord(RUN_ID, CREATED, "Schedule", 2, "pod", "uid", CREATED + 1.0, epoch=7)


def test_what_waits_in_the_queue_is_written_too() -> None:
    found = task()
    found.queued.append(Ticket(RUN_ID, "Schedule", CREATED + 10, None))
    (active,) = status.restore(written(found), created=CREATED).active
    assert active == ActiveRecord(RUN_ID, CREATED + 10, "Schedule", 0, "", "", None)
    assert written(found)["activeCount"] == 0


def test_a_task_without_a_past_begins_at_its_creation() -> None:
    history = status.restore({}, created=CREATED)
    assert (history.cursor, history.schedule_changed, history.active) == (CREATED, CREATED, ())


@given(st.recursive(st.none() | st.booleans() | st.floats() | words | st.integers(), st.lists, max_leaves=5))
def test_a_status_that_makes_no_sense_is_read_as_far_as_it_does(nonsense: Any) -> None:
    keys = written(task(), run())
    for key in keys:
        history = status.restore(keys | {key: nonsense}, created=CREATED)
        assert history.cursor >= 0


def test_no_text_of_a_worker_can_fill_the_object() -> None:
    found = task()
    status.set_condition(found, "LastRunSucceeded", status="False", reason="Failed", message="x" * 10_000, now=CREATED)
    ended = run(reason="x" * 10_000)
    found.history.recent.append(status.record(ended, CREATED))
    assert len(json.dumps(written(found, ended))) < 3000


def test_the_list_of_active_runs_has_the_end_that_the_schema_gives_it() -> None:
    active = [run(id=f"run-{number}") for number in range(300)]
    shown = written(task(), *active)
    assert len(shown["active"]) == status.ACTIVE_LIMIT
    assert shown["activeCount"] == 300


def test_tasks_that_were_read_share_what_they_say_alike() -> None:
    found = task()
    found.history.schedule_text = "*/5 * * * * Europe/Berlin"
    text = json.dumps(written(found))

    first, second = (status.restore(json.loads(text), created=CREATED) for _ in range(2))

    assert first.schedule_text == found.history.schedule_text

    assert first.schedule_text is second.schedule_text
    assert first.schedule_changed is second.schedule_changed is CREATED


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    found = task()
    first = status.set_condition(found, "Ready", status="True", reason="a", message="", now=1)
    same = status.set_condition(found, "Ready", status="True", reason="a", message="", now=2)
    reason = status.set_condition(found, "Ready", status="True", reason="b", message="", now=3)
    turned = status.set_condition(found, "Ready", status="False", reason="b", message="", now=4)
    assert (first, same, reason, turned) == (True, False, True, True)
    assert found.history.conditions["Ready"].since == 4
