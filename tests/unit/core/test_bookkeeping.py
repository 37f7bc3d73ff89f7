"""What a run or a skipped tick leaves in its task."""

import pytest

from fakes.core import CREATED, run, spec, task
from warmcron.core import bookkeeping, runs, status
from warmcron.core.decide import Reason
from warmcron.core.tasks import Problem, Task

SUCCEEDED, FAILED, UNKNOWN = runs.Outcome.SUCCEEDED, runs.Outcome.FAILED, runs.Outcome.UNKNOWN


def end(found: Task, outcome: runs.Outcome, reason: str = "", *, now: float = CREATED + 5) -> None:
    ended = run(found.spec, outcome=outcome, reason=reason)
    bookkeeping.count(found, ended, status.record(ended, now), now)


def ready(found: Task) -> tuple[str, str]:
    bookkeeping.set_ready(found, CREATED)
    condition = found.history.conditions["Ready"]
    return condition.status, condition.reason


@pytest.mark.parametrize(
    ("outcome", "counters", "condition"),
    [
        (SUCCEEDED, (1, 0, 0, 0), "True"),
        (FAILED, (0, 1, 0, 1), "False"),
        (UNKNOWN, (0, 1, 0, 1), "Unknown"),
        # a tick that was given up, and a run that somebody stopped, say nothing of how the task does
        (runs.Outcome.SKIPPED, (0, 0, 1, 0), None),
        (runs.Outcome.CANCELLED, (0, 0, 0, 0), None),
    ],
)
def test_each_outcome_is_counted_once(outcome: runs.Outcome, counters: tuple[int, ...], condition: str | None) -> None:
    found = task()
    end(found, outcome, "why")
    history = found.history
    assert (history.succeeded, history.failed, history.skipped, history.consecutive_failures) == counters
    last = history.conditions.get("LastRunSucceeded")
    assert (last.status if last else None) == condition
    assert history.recent[0].reason == "why"


def test_a_success_ends_a_row_of_failures() -> None:
    found = task(spec(suspend_after_failures=2))
    end(found, FAILED)
    assert not found.held
    end(found, FAILED)
    assert found.held
    assert ready(found) == ("True", "SuspendedAfterFailures")
    end(found, SUCCEEDED)
    assert not found.held
    assert found.history.last_success == CREATED + 5


@pytest.mark.parametrize(
    ("reason", "missed"),
    [
        (Reason.MISSED, 3),
        (Reason.STARTING_DEADLINE, 3),
        # somebody saw these ticks and decided against them
        (Reason.CONCURRENT, 0),
        (Reason.SUSPENDED, 0),
    ],
)
def test_missed_are_the_skipped_ticks_that_nobody_was_there_for(reason: str, missed: int) -> None:
    found = task()
    bookkeeping.skip(found, CREATED + 10, reason, count=3)
    assert (found.history.skipped, found.history.missed) == (3, missed)


def test_recent_runs_are_the_newest_first_and_no_more_than_asked() -> None:
    found = task(spec(history_limit=2))
    for tick in (1, 2, 3):
        bookkeeping.skip(found, tick, "x")
    assert [record.scheduled for record in found.history.recent] == [3, 2]
    none = task(spec(history_limit=0))
    bookkeeping.skip(none, 1, "x")
    assert not none.history.recent


def test_ready_never_says_how_the_last_run_went() -> None:
    found = task()
    end(found, FAILED)
    assert ready(found) == ("True", "Scheduled")


def test_ready_is_false_for_a_spec_that_cannot_be_done() -> None:
    found = task()
    found.problem = Problem("InvalidSchedule", "spec.schedule: no")
    assert ready(found) == ("False", "InvalidSchedule")


def test_an_edit_of_the_schedule_moves_the_cursor_and_keeps_when_it_last_ran() -> None:
    found = task(last_tick=CREATED + 100)
    found.history.schedule_text = "another"
    bookkeeping.settle(found, CREATED + 500, moved=False, workers=1)
    assert (found.history.cursor, found.history.last_tick) == (CREATED + 499, CREATED + 100)


def test_an_edit_of_anything_else_moves_nothing() -> None:
    found = task(last_tick=CREATED + 100)
    bookkeeping.settle(found, CREATED + 200, moved=False, workers=1)
    bookkeeping.settle(found, CREATED + 500, moved=False, workers=1)
    assert found.history.cursor == CREATED + 100


def test_a_clock_that_was_set_back_takes_the_cursor_back_with_no_edit() -> None:
    found = task(last_tick=CREATED + 3600)
    bookkeeping.settle(found, CREATED + 5, moved=True, workers=1)
    assert found.history.cursor == CREATED + 3600


def test_workers_available_changes_only_when_it_does() -> None:
    found = task()
    assert bookkeeping.set_available(found, CREATED, workers=0)
    assert not bookkeeping.set_available(found, CREATED, workers=0)
    assert bookkeeping.set_available(found, CREATED, workers=2)
    assert not bookkeeping.set_available(found, CREATED, workers=5)
