"""What the benchmark calls lost, doubled and early."""

import json
from pathlib import Path

import pytest

from benchmarks.api import Stamps
from benchmarks.ledger import Arrival, Tail, judge, percentile, read, write
from benchmarks.peers.cronjob import created
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


def test_a_ledger_that_is_written_reads_as_what_was_seen(tmp_path: Path) -> None:
    seen = [arrival("a", 1_800_000_000, 1_800_000_000.25), arrival("b", 1_800_000_000, 1_800_000_001.0, repeated=True)]
    write(tmp_path / "ledger", seen)
    assert read([tmp_path / "ledger"]) == seen


def test_a_tail_gives_each_line_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    file, later = tmp_path / "ledger", tmp_path / "later"
    write(file, [arrival("before", 10, 10.0)])
    write(later, [arrival("a", 10, 10.1), arrival("b", 10, 10.2)])
    tail = Tail([file])
    assert tail.read() == []
    text = later.read_text()
    with file.open("a") as ledger:
        ledger.write(text[:-5])  # the second line is being written
    assert [found.task for found in tail.read()] == ["a"]
    with file.open("a") as ledger:
        ledger.write(text[-5:])
    assert [found.task for found in tail.read()] == ["b"]
    assert tail.read() == []


def test_objects_of_cronjob_are_arrivals_at_the_minute_in_their_name() -> None:
    def event(kind: str, name: str, job: str) -> bytes:
        labels = {"batch.kubernetes.io/job-name": job}
        return json.dumps({"type": kind, "object": {"metadata": {"name": name, "labels": labels}}}).encode()

    pods = Stamps(
        [
            (61.5, event("ADDED", "c-1-1-abc", "c-1-1")),
            (62.0, event("MODIFIED", "c-1-1-abc", "c-1-1")),
            # the Job's second Pod is a repetition, not a run
            (63.0, event("ADDED", "c-1-1-def", "c-1-1")),
        ]
    )
    assert created(pods, kind="pod") == [Arrival(61.5, 60, "c-1", "c-1-1", "c-1-1-abc", repeated=False)]
    jobs = Stamps([(61.25, event("ADDED", "c-1-1", ""))])
    assert created(jobs, kind="job") == [Arrival(61.25, 60, "c-1", "c-1-1", "c-1-1", repeated=False)]
