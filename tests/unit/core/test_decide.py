"""What becomes of each tick: the rules of docs, one table each."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.core import CREATED, spec, task
from warmcron.core import decide
from warmcron.core.decide import Decision, Queue, Reason, Replace, Skip, Start
from warmcron.spec.task import ConcurrencyPolicy, MissedRunPolicy

SKIP, LATEST, ALL = MissedRunPolicy.SKIP, MissedRunPolicy.RUN_LATEST, MissedRunPolicy.RUN_ALL


def at(*seconds: int) -> list[Decision]:
    return [Start(CREATED + second) for second in seconds]


def skipped(second: int, reason: str, count: int) -> list[Decision]:
    return [Skip(CREATED + second, reason, count)]


@pytest.mark.parametrize(
    ("late", "policy", "expected"),
    [
        # nothing is due before the first tick, and the anchor itself is none
        (0, LATEST, []),
        (9.9, LATEST, []),
        # a tick that is due starts, whatever the policy for missed ones
        (10, SKIP, at(10)),
        (10, LATEST, at(10)),
        # late is not missed: a change of leader must cost no tick under Skip, and fold none under RunLatest
        (20, SKIP, at(10, 20)),
        (29.9, LATEST, skipped(10, Reason.MISSED, 1) + at(20)),
        # after downtime: none, the last, or all of them in order
        (115, SKIP, skipped(110, Reason.MISSED, 11)),
        (115, LATEST, skipped(100, Reason.MISSED, 10) + at(110)),
        (95, ALL, at(*range(10, 91, 10))),
        # RunAll starts the last maxMissedRuns (10) of those missed, and what is due at this moment besides
        (145, ALL, skipped(40, Reason.MISSED, 4) + at(*range(50, 141, 10))),
        (140, ALL, skipped(30, Reason.MISSED, 3) + at(*range(40, 141, 10))),
        (140, SKIP, skipped(130, Reason.MISSED, 13) + at(140)),
    ],
)
def test_missed_ticks_are_made_up_for_as_the_policy_says(
    late: float, policy: MissedRunPolicy, expected: list[Decision]
) -> None:
    decisions, cursor = decide.decide(task(spec(missed_runs=policy)), CREATED + late)
    assert decisions == expected
    assert cursor == CREATED + late // 10 * 10


def test_with_nothing_fresh_run_latest_starts_the_last_missed_tick_and_skip_starts_none() -> None:
    now = CREATED + 5 * 3600 + 1800
    latest, _ = decide.decide(task(spec("@every 1h")), now)
    none, _ = decide.decide(task(spec("@every 1h", missed_runs=SKIP)), now)
    assert latest == [*skipped(4 * 3600, Reason.MISSED, 4), *at(5 * 3600)]
    assert none == skipped(5 * 3600, Reason.MISSED, 5)


@pytest.mark.parametrize(
    ("late", "deadline", "expected"),
    [
        (15, 5, at(10)),  # on the second of the deadline it still starts
        (15.5, 5, skipped(10, Reason.STARTING_DEADLINE, 1)),
        (29, 5, skipped(20, Reason.STARTING_DEADLINE, 2)),
        (25, 15, at(10, 20)),
        # an @every longer than the deadline: CronJob counts from now minus the deadline and never starts it
        (12, 3, at(10)),
    ],
)
def test_a_tick_past_its_starting_deadline_is_skipped_and_says_so(
    late: float, deadline: int, expected: list[Decision]
) -> None:
    decisions, _ = decide.decide(task(spec(missed_runs=ALL, starting_deadline=deadline)), CREATED + late)
    assert decisions == expected


def test_every_tick_that_is_not_started_has_the_reason_that_is_its_own_however_many_there_are() -> None:
    found = task(spec(starting_deadline=500))
    decisions, _ = decide.decide(found, CREATED + 1005)
    # 10 to 500 are older than the deadline, 510 to 990 only not the latest.
    assert decisions == [*skipped(500, Reason.STARTING_DEADLINE, 50), *skipped(990, Reason.MISSED, 49), *at(1000)]


def test_an_adopted_tick_is_no_tick_that_came_too_late() -> None:
    found = task(spec(starting_deadline=500))
    found.adopted = frozenset({CREATED + 20, CREATED + 500, CREATED + 990})
    decisions, _ = decide.decide(found, CREATED + 1005)
    assert decisions == [*skipped(490, Reason.STARTING_DEADLINE, 48), *skipped(980, Reason.MISSED, 48), *at(1000)]


def test_after_a_year_of_downtime_ticks_are_counted_up_to_a_bound_and_the_last_ones_are_right() -> None:
    year = 365 * 86_400
    decisions, cursor = decide.decide(task(spec("@every 1s", missed_runs=ALL, max_missed=3)), CREATED + year)
    starts = decisions[1:]
    assert decisions[0] == Skip(CREATED + year - len(starts), Reason.MISSED, decide.COUNTED - len(starts))
    assert starts == at(*range(year - len(starts) + 1, year + 1))
    assert 3 <= len(starts) <= 3 + decide.GRACE_SECONDS
    assert cursor == CREATED + year


def test_a_clock_set_back_starts_nothing_until_it_has_passed_the_last_tick_again() -> None:
    decided = task(spec(), last_tick=CREATED + 3600)
    assert decide.decide(decided, CREATED + 5) == ([], CREATED + 3600)
    assert decide.next_look(decided, CREATED + 5) == (CREATED + 3610, CREATED + 3610)
    assert decide.decide(decided, CREATED + 3610)[0] == at(3610)


def test_a_clock_set_forward_is_downtime_like_any_other() -> None:
    decisions, cursor = decide.decide(task(spec(), last_tick=CREATED + 10), CREATED + 3610)
    assert decisions == [*skipped(3600, Reason.MISSED, 359), *at(3610)]
    assert cursor == CREATED + 3610


@pytest.mark.parametrize(
    ("concurrency", "active", "queued", "expected"),
    [
        (ConcurrencyPolicy.ALLOW, 3, 0, Start(1)),
        # each run that goes on stands in the status, which has an end
        (ConcurrencyPolicy.ALLOW, decide.MAX_ACTIVE, 0, Skip(1, Reason.TOO_MANY)),
        (ConcurrencyPolicy.FORBID, 0, 0, Start(1)),
        (ConcurrencyPolicy.FORBID, 1, 0, Skip(1, Reason.CONCURRENT)),
        (ConcurrencyPolicy.REPLACE, 1, 0, Replace(1)),
        (ConcurrencyPolicy.QUEUE, 1, 0, Queue(1)),
        (ConcurrencyPolicy.QUEUE, 1, 9, Queue(1)),
        (ConcurrencyPolicy.QUEUE, 1, 10, Skip(1, Reason.QUEUE_FULL)),
        # what waits is not overtaken
        (ConcurrencyPolicy.QUEUE, 0, 1, Queue(1)),
    ],
)
def test_a_tick_meets_what_goes_on_as_the_policy_says(
    concurrency: ConcurrencyPolicy, active: int, queued: int, expected: Decision
) -> None:
    assert decide.admit(spec(concurrency=concurrency), 1, active=active, queued=queued) == expected


def test_several_late_ticks_count_against_each_other() -> None:
    forbid, _ = decide.decide(task(spec(concurrency=ConcurrencyPolicy.FORBID)), CREATED + 20)
    queue, _ = decide.decide(task(spec(concurrency=ConcurrencyPolicy.QUEUE)), CREATED + 20)
    assert forbid == [*at(10), *skipped(20, Reason.CONCURRENT, 1)]
    assert queue == [*at(10), Queue(CREATED + 20)]


@pytest.mark.parametrize("changes", [{"suspend": True}, {"suspend_after_failures": 2}])
def test_a_task_that_is_suspended_or_held_decides_nothing(changes: dict[str, Any]) -> None:
    found = task(spec(**changes))
    found.history.consecutive_failures = 2
    assert decide.decide(found, CREATED + 100) == ([], CREATED)
    assert decide.next_look(found, CREATED + 100)[0] is None


def test_ticks_that_the_leader_before_has_started_are_not_decided_again() -> None:
    found = task(spec())
    found.adopted = frozenset({CREATED + 10})
    assert decide.decide(found, CREATED + 20) == (at(20), CREATED + 20)


def test_all_that_is_due_may_be_adopted_already() -> None:
    found = task(spec("@every 1s", max_missed=1))
    found.adopted = frozenset(range(CREATED + 1, CREATED + 61))
    assert decide.decide(found, CREATED + 60) == ([], CREATED + 60)


@given(st.integers(1, 86_400), st.integers(0, 10**6))
def test_jitter_never_reaches_the_next_tick_and_is_the_same_everywhere(jitter: int, number: int) -> None:
    found, tick = spec("@every 60s", jitter=jitter), CREATED + 60 * (number + 1)
    due = decide.due_time(found, "uid", tick)
    assert tick <= due <= min(tick + jitter, tick + 59)
    assert due == decide.due_time(spec("@every 60s", jitter=jitter), "uid", tick)


def test_jitter_never_makes_a_tick_too_late() -> None:
    found = spec("@every 60s", jitter=50, starting_deadline=5)
    delays = {decide.due_time(found, f"uid-{number}", CREATED + 60) - CREATED - 60 for number in range(100)}
    assert 3 < max(delays) <= 4


def test_jitter_spreads_tasks_that_are_due_together() -> None:
    found = spec("@every 60s", jitter=50)
    due = {decide.due_time(found, f"uid-{number}", CREATED + 60) for number in range(100)}
    assert len(due) > 90


def test_a_jittered_tick_waits_for_its_own_turn() -> None:
    found = task(spec("@every 60s", jitter=50))
    tick, due = decide.next_look(found, CREATED + 1)
    assert tick == CREATED + 60
    assert decide.decide(found, (tick + due) / 2) == ([], CREATED)
    assert decide.decide(found, due)[0] == [Start(tick)]
    assert decide.outstanding(found, (tick + due) / 2) == Skip(tick, Reason.EDITED, 1)
    assert decide.outstanding(found, tick) is None, "it does not lie before that moment"


@settings(max_examples=200)
@given(
    st.integers(1, 100),
    st.lists(st.floats(0.1, 2000), min_size=1, max_size=8),
    st.sampled_from([SKIP, LATEST, ALL]),
    st.one_of(st.none(), st.integers(1, 500)),
    st.integers(0, 120),
)
def test_whenever_it_is_looked_at_every_tick_ends_exactly_once(
    every: int, pauses: list[float], policy: MissedRunPolicy, deadline: int | None, jitter: int
) -> None:
    found = task(spec(f"@every {every}s", missed_runs=policy, starting_deadline=deadline, jitter=jitter))
    now, started, count = float(CREATED), [], 0
    for pause in pauses:
        now += pause
        decisions, cursor = decide.decide(found, now)
        for decision in decisions:
            count += decision.count if isinstance(decision, Skip) else 1
            if isinstance(decision, Start):
                started.append(decision.tick)
                assert decide.due_time(found.spec, found.ref.uid, decision.tick) <= now  # type: ignore[arg-type]
                assert deadline is None or now - decision.tick <= deadline
        found.history.last_tick = max(cursor, found.history.last_tick)
    assert started == sorted(set(started))
    due = (found.history.cursor - CREATED) // every
    assert count == due or due > decide.COUNTED
