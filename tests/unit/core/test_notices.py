"""Which Events follow from what happens to a task: changes of its state, each once, in words that fit a note."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.engine import START, World
from warmcron.core import notices, status

QUIET: dict[str, Any] = {"backoffLimit": 0, "schedule": "@every 10s"}


def told(w: World, uid: str) -> list[tuple[str, str]]:
    """What has become news since this was asked last."""
    task = w.engine.tasks.get(uid)
    assert task is not None
    return [(notice.kind, notice.reason) for notice in notices.news(task.history)]


def run(w: World, *, fail: bool) -> None:
    w.pass_time(10)
    (w.fail if fail else w.succeed)(w.sent()[-1])


def invalid(w: World) -> None:
    w.task(schedule="0 0 30 2 *")


def without_workers(w: World) -> None:
    w.worker(ready=False)
    w.task()


def well(w: World) -> None:
    w.task()


def suspended(w: World) -> None:
    w.task(suspend=True)


# What a new task says at first.
FIRST: list[tuple[Callable[[World], None], list[tuple[str, str]]]] = [
    # that all is well is no news
    (well, []),
    # nor is what the user has just written himself
    (suspended, []),
    (invalid, [("Warning", "InvalidSchedule")]),
    (without_workers, [("Warning", "NoReadyWorker")]),
]


@pytest.mark.parametrize(("made", "said"), FIRST)
def test_of_a_new_task_only_what_is_wrong_is_told(made: Callable[[World], None], said: list[tuple[str, str]]) -> None:
    w = World()
    w.worker()
    made(w)
    (task,) = w.engine.tasks
    assert told(w, task.ref.uid) == said
    assert told(w, task.ref.uid) == [], "and it is told once"


def test_failing_and_recovering_are_told_once_each_however_long_they_last() -> None:
    w = World()
    w.worker()
    uid = w.task(**QUIET)
    said = []
    for fail in (False, True, True, True, False, False, True):
        run(w, fail=fail)
        said.append(told(w, uid))
    failing, recovered = [("Warning", "Failing")], [("Normal", "Recovered")]
    assert said == [[], failing, [], [], recovered, [], failing]


def test_the_first_run_of_all_that_fails_is_told() -> None:
    w = World()
    w.worker()
    uid = w.task(**QUIET)
    run(w, fail=True)
    task = w.engine.tasks.get(uid)
    assert task is not None
    (notice,) = notices.news(task.history)
    assert (notice.kind, notice.reason) == ("Warning", "Failing")
    assert notice.text == "the last run, its retries spent: it failed: boom"


def test_workers_that_go_and_come_are_told() -> None:
    w = World()
    w.worker()
    uid = w.task()
    assert told(w, uid) == []
    w.worker(ready=False)
    assert told(w, uid) == [("Warning", "NoReadyWorker")]
    w.worker("pod-b")
    assert told(w, uid) == [("Normal", "WorkersReady")]
    w.worker()  # a second one is no news
    assert told(w, uid) == []


def test_an_edit_that_leaves_a_spec_wrong_for_another_reason_is_told_and_so_is_the_cure() -> None:
    w = World()
    w.worker()
    uid = w.task(schedule="0 0 30 2 *")
    assert told(w, uid) == [("Warning", "InvalidSchedule")]
    w.task(schedule="0 0 30 2 *", historyLimit=5, generation=2)
    assert told(w, uid) == []
    w.task(timeZone="Europe/Atlantis", generation=3)
    assert told(w, uid) == [("Warning", "InvalidTimeZone")]
    w.task(generation=4)
    assert told(w, uid) == [("Normal", "Scheduled")]


def test_a_task_that_failures_stop_says_so_and_says_when_an_edit_lets_it_go_on() -> None:
    w = World()
    w.worker()
    uid = w.task(**QUIET, suspendAfterFailures=2)
    run(w, fail=True)
    assert told(w, uid) == [("Warning", "Failing")]
    run(w, fail=True)
    assert told(w, uid) == [("Warning", "SuspendedAfterFailures")]
    w.task(**QUIET, suspendAfterFailures=3, generation=2)
    assert told(w, uid) == [("Normal", "Scheduled")]


def test_ticks_that_an_outage_cost_are_told_as_one_with_their_number() -> None:
    w = World(leading=False, now=START + 34)
    w.worker()
    uid = w.task(created=START, missedRunPolicy="Skip")
    w.lead()
    w.turn()
    task = w.engine.tasks.get(uid)
    assert task is not None
    (notice,) = notices.news(task.history)
    assert (notice.kind, notice.reason) == ("Warning", "Missed")
    assert notice.text.startswith("3 ticks were not started")


def test_suspending_and_resuming_are_the_users_own_doing_and_not_told() -> None:
    w = World()
    w.worker()
    uid = w.task()
    w.task(suspend=True, generation=2)
    w.task(generation=3)
    assert told(w, uid) == []


def test_a_new_leader_does_not_tell_again_what_the_status_says_already() -> None:
    w = World()
    w.worker(ready=False)
    uid = w.task(**QUIET)
    assert told(w, uid) == [("Warning", "NoReadyWorker")]
    later = World(leading=False, now=w.clock.time)
    later.worker(ready=False)
    later.task(**QUIET, created=START, written=w.status(uid))
    later.lead()
    assert told(later, uid) == []
    later.worker()
    assert told(later, uid) == [("Normal", "WorkersReady")]


@given(st.text(max_size=3000))
def test_a_note_is_one_printable_line_of_at_most_a_kibibyte(text: str) -> None:
    line = notices.line(text)
    assert line.isprintable()
    assert len(line.encode()) <= notices.NOTE_BYTES
    if text.isprintable() and len(text.encode()) <= notices.NOTE_BYTES:
        assert line == text


def test_what_a_worker_answers_reaches_a_note_as_a_capped_line() -> None:
    w = World()
    w.worker()
    uid = w.task(**QUIET, payload={"password": "hunter2"})
    w.pass_time(10)
    w.fail(w.sent()[-1], "boom\x1b[31m" + "ü" * 5000)
    task = w.engine.tasks.get(uid)
    assert task is not None
    (notice,) = notices.news(task.history)
    assert notice.text.isprintable()
    assert len(notice.text) < status.MESSAGE_LIMIT + 100
    assert "hunter2" not in notice.text


def test_most_tasks_share_what_they_are_told() -> None:
    w = World()
    w.worker()
    tasks = [w.engine.tasks.get(w.task(f"task-{number}")) for number in range(3)]
    for task in tasks:
        assert task is not None
        notices.news(task.history)
    assert len({id(task.history.told) for task in tasks if task}) == 1
