"""What becomes of ticks that passed while nobody looked: a short outage leaves them late, a longer one missed."""

from typing import Any

import pytest

from fakes.engine import START, World

HOUR = 3600
# `@every 10s` from START on, and an operator that comes back this many seconds later: which ticks start, what is said
# of the others. The policies are Allow, so that nothing else has a say.
CASES = [
    # an outage of at most ten seconds is none: whatever passed is late, under each policy
    ("Skip", 19.5, {}, [10], []),
    ("RunLatest", 20.0, {}, [10, 20], []),
    # a longer one: only what is due right now is not missed
    ("Skip", 34.0, {}, [], [("Missed", 3)]),
    ("Skip", 40.0, {}, [40], [("Missed", 3)]),
    ("RunLatest", 34.0, {}, [30], [("Missed", 2)]),
    ("RunLatest", 40.0, {}, [40], [("Missed", 3)]),
    ("RunAll", 34.0, {}, [10, 20, 30], []),
    ("RunAll", 34.0, {"maxMissedRuns": 2}, [20, 30], [("Missed", 1)]),
    # a deadline comes first, and both reasons are told
    ("RunLatest", 34.0, {"startingDeadlineSeconds": 3}, [], [("StartingDeadlineExceeded", 3)]),
    ("RunLatest", 34.0, {"startingDeadlineSeconds": 4}, [30], [("StartingDeadlineExceeded", 2)]),
    ("RunLatest", 54.0, {"startingDeadlineSeconds": 24}, [50], [("StartingDeadlineExceeded", 2), ("Missed", 2)]),
    ("RunAll", 54.0, {"startingDeadlineSeconds": 24}, [30, 40, 50], [("StartingDeadlineExceeded", 2)]),
    # a day: the count is exact, and only what can start is looked for
    ("RunLatest", 86_400.0, {}, [86_400], [("Missed", 8639)]),
]


@pytest.mark.parametrize(("policy", "away", "spec", "started", "skipped"), CASES)
def test_after_an_outage(
    policy: str, away: float, spec: dict[str, Any], started: list[int], skipped: list[tuple[str, int]]
) -> None:
    w = World(leading=False, now=START + away)
    w.worker("pod-a", concurrency=100)
    w.task(created=START, missedRunPolicy=policy, concurrencyPolicy="Allow", **spec)
    w.lead()
    w.turn()
    assert [request.scheduled - START for request in w.sent()] == started
    if away < HOUR:  # beyond a thousand the count says "at least"
        assert w.observer.skips == skipped
    else:
        assert [reason for reason, _ in w.observer.skips] == [reason for reason, _ in skipped]


def test_run_all_and_forbid_together_make_up_for_every_tick_one_after_the_other() -> None:
    w = World(leading=False, now=START + 34)
    w.worker("pod-a")
    w.task(created=START, missedRunPolicy="RunAll", concurrencyPolicy="Forbid")
    w.lead()
    w.turn()
    for done in range(3):
        assert [request.scheduled - START for request in w.sent()] == [10, 20, 30][: done + 1]
        w.succeed(w.sent()[-1])
    assert w.observer.skips == []


def test_a_tick_that_comes_while_the_missed_ones_take_their_turns_is_forbidden_as_ever() -> None:
    w = World(leading=False, now=START + 34)
    w.worker("pod-a")
    w.task(created=START, missedRunPolicy="RunAll", concurrencyPolicy="Forbid")
    w.lead()
    w.pass_time(6)
    assert w.observer.skips == [("ForbidConcurrent", 1)]


def test_run_all_fills_a_queue_beyond_its_bound_by_what_it_promised() -> None:
    w = World(leading=False, now=START + 64)
    w.worker("pod-a")
    w.task(created=START, missedRunPolicy="RunAll", concurrencyPolicy="Queue", maxQueuedRuns=1)
    w.lead()
    w.turn()
    for _ in range(6):
        w.succeed(w.sent()[-1])
    assert [request.scheduled - START for request in w.sent()] == [10, 20, 30, 40, 50, 60]
    assert w.observer.skips == []
