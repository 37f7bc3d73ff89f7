"""What the benchmark calls lost, doubled and early."""

import pytest

from benchmarks.ledger import Arrival, judge, percentile
from benchmarks.tasks import fixed, soon, whole


def arrival(task: str, tick: int, at: float, *, repeated: bool = False) -> Arrival:
    return Arrival(at, tick, task, f"{task}-{tick}", "pod", repeated)


@pytest.mark.parametrize(
    ("arrivals", "lost", "doubled", "early", "foreign"),
    [
        ([arrival("a", 10, 10.1), arrival("b", 10, 10.2)], 0, 0, 0, 0),
        ([arrival("a", 10, 10.1)], 1, 0, 0, 0),
        # begun twice: a double; told again that it had been begun: none
        ([arrival("a", 10, 10.1), arrival("a", 10, 10.3), arrival("b", 10, 10.2)], 0, 1, 0, 0),
        ([arrival("a", 10, 10.1), arrival("a", 10, 10.3, repeated=True), arrival("b", 10, 10.2)], 0, 0, 0, 0),
        ([arrival("a", 10, 9.999), arrival("b", 10, 10.0)], 0, 0, 1, 0),
        ([arrival("a", 10, 10.1), arrival("b", 10, 10.1), arrival("c", 10, 10.1)], 0, 0, 0, 1),
        # a tick of another measurement is not ours to judge
        ([arrival("a", 10, 10.1), arrival("b", 10, 10.1), arrival("a", 11, 11.1)], 0, 0, 0, 0),
    ],
)
def test_arrivals_are_judged(arrivals: list[Arrival], lost: int, doubled: int, early: int, foreign: int) -> None:
    verdict = judge(arrivals, tasks=["a", "b"], ticks=[10])
    assert (verdict.lost, verdict.doubled, verdict.early, verdict.foreign) == (lost, doubled, early, foreign)
    assert verdict.clean() is not any((lost, doubled, early, foreign))


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0], 0.99) == 3.0


def test_a_schedule_is_due_at_the_chosen_seconds_and_never_else() -> None:
    schedule, ticks = fixed(1_800_000_000, period=20, count=3)
    assert schedule == "0,20,40 0 8 15 1 *"
    assert ticks == [1_800_000_000, 1_800_000_020, 1_800_000_040]
    with pytest.raises(ValueError, match="start at another second"):
        fixed(1_800_000_020, period=20, count=4)


@pytest.mark.parametrize(
    ("rounds", "period", "found"),
    [
        # within a minute as many as asked for
        (2, 20, 2),
        (3, 20, 3),
        # beyond it whole minutes
        (4, 20, 6),
        (5, 30, 6),
        # minutes can be had one by one
        (5, 60, 5),
        (2, 120, 2),
    ],
)
def test_any_number_of_rounds_has_a_schedule(rounds: int, period: int, found: int) -> None:
    assert whole(rounds, period) == found
    first = soon(10, period=period, count=found)
    assert fixed(first, period=period, count=found)[1] == [first + period * number for number in range(found)]


def test_what_no_schedule_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="no schedule"):
        soon(10, period=20, count=5)
