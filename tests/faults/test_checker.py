"""The checker is checked: it passes every legal history, and each fault that is planted in one turns it red."""

import uuid
from dataclasses import dataclass, replace
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from faults import checker
from faults.checker import Entry, Fault, Kind, Version, Watched

UID = "0b1e9b7e-5f0f-4c6a-9d55-3c7a3d1b8a10"
CREATED = 1_800_000_000
EVERY = 10


@dataclass(frozen=True)
class History:
    """What happened to a task that is due every ten seconds, never overlaps, and whose runs are retried."""

    entries: tuple[Entry, ...]
    watched: Watched
    once: bool = False

    def faults(self) -> set[Kind]:
        return {fault.kind for fault in self.found()}

    def found(self) -> list[Fault]:
        version = Version(CREATED, checker.every(EVERY, created=CREATED), overlap=False, at_most_once=self.once)
        return checker.check(UID, self.entries, [version], self.watched)

    @property
    def starts(self) -> list[int]:
        return [number for number, entry in enumerate(self.entries) if entry.what == "start"]

    def without(self, *numbers: int) -> "History":
        kept = tuple(entry for number, entry in enumerate(self.entries) if number not in numbers)
        return replace(self, entries=kept)

    def adding(self, *entries: Entry) -> "History":
        return replace(self, entries=(*self.entries, *entries))


def run_id(tick: int) -> str:
    return str(uuid.uuid5(uuid.UUID(UID), str(tick)))


@st.composite
def legal(draw: st.DrawFn, *, once: bool = False) -> History:
    entries: list[Entry] = []
    recorded: set[int] = set()
    gone: dict[str, float] = {}
    epoch, pods = 1, 3
    count = draw(st.integers(3, 8))
    for number in range(1, count + 1):
        tick = CREATED + number * EVERY
        epoch += draw(st.integers(0, 1))
        fate = draw(st.sampled_from(["succeeds", "skipped", "fails once", "pod goes"]))
        if fate == "skipped":
            recorded.add(tick)
            continue
        pod = f"pod-{draw(st.integers(0, 2))}"
        time = tick + draw(st.floats(0.0, 1.0))
        length = draw(st.floats(0.1, 2.0))
        first = Entry(time, "start", run_id(tick), 1, tick, pod, epoch)
        if fate == "pod goes":
            pod = f"pod-{pods}"  # one of its own, so that it can go
            pods += 1
            first = replace(first, pod_uid=pod)
            gone[pod] = time + length
            entries.append(first)
            if once:
                recorded.add(tick)
                continue
        else:
            failed = fate == "fails once"
            entries += [first, replace(first, time=time + length, what="end", succeeded=not failed)]
            if not failed or once:
                continue
        again = replace(first, time=time + length + 1, attempt=2, pod_uid=f"pod-{draw(st.integers(0, 2))}")
        entries += [again, replace(again, time=again.time + length, what="end")]
    until = CREATED + count * EVERY + 5
    return History(tuple(entries), Watched(until, frozenset(recorded), gone), once)


histories = st.one_of(legal(), legal(once=True))


@given(histories)
def test_a_legal_history_is_not_found_fault_with(history: History) -> None:
    assert history.found() == []


@given(histories, st.data())
def test_a_tick_that_is_dropped_is_lost(history: History, data: st.DataObject) -> None:
    assume(history.starts)
    tick = history.entries[data.draw(st.sampled_from(history.starts))].scheduled
    recorded = history.watched.recorded - {tick}
    gone = [number for number, entry in enumerate(history.entries) if entry.scheduled == tick]
    silent = replace(history.without(*gone), watched=replace(history.watched, recorded=recorded))
    assert silent.faults() == {Kind.LOST}


@given(histories, st.data())
def test_a_skip_without_a_record_is_a_lost_tick(history: History, data: st.DataObject) -> None:
    skipped = sorted(history.watched.recorded - {entry.scheduled for entry in history.entries})
    assume(skipped)
    recorded = history.watched.recorded - {data.draw(st.sampled_from(skipped))}
    assert replace(history, watched=replace(history.watched, recorded=recorded)).faults() == {Kind.LOST}


@given(histories, st.data())
def test_a_start_repeated_on_another_pod_is_doubled(history: History, data: st.DataObject) -> None:
    assume(history.starts)
    entry = history.entries[data.draw(st.sampled_from(history.starts))]
    assert Kind.DOUBLED in history.adding(replace(entry, time=entry.time + 0.01, pod_uid="pod-x")).faults()


@given(histories, st.data())
def test_a_start_repeated_on_its_own_pod_is_doubled(history: History, data: st.DataObject) -> None:
    assume(history.starts)
    entry = history.entries[data.draw(st.sampled_from(history.starts))]
    assert Kind.DOUBLED in history.adding(replace(entry, time=entry.time + 0.01)).faults()


@given(histories, st.data())
def test_another_attempt_after_a_success_is_doubled(history: History, data: st.DataObject) -> None:
    ends = [entry for entry in history.entries if entry.what == "end" and entry.succeeded]
    assume(ends)
    end = data.draw(st.sampled_from(ends))
    again = replace(end, what="start", time=end.time + 0.1, attempt=end.attempt + 1)
    assert Kind.DOUBLED in history.adding(again).faults()


@given(legal(once=True), st.data())
def test_at_most_once_any_second_start_is_doubled(history: History, data: st.DataObject) -> None:
    assume(history.starts)
    entry = history.entries[data.draw(st.sampled_from(history.starts))]
    again = replace(entry, time=entry.time + 3, attempt=2, pod_uid="pod-x")
    assert Kind.DOUBLED in history.adding(again).faults()


@given(histories, st.data())
def test_a_start_before_its_tick_is_early(history: History, data: st.DataObject) -> None:
    assume(history.starts)
    number = data.draw(st.sampled_from(history.starts))
    entry = history.entries[number]
    early = history.without(number).adding(replace(entry, time=entry.scheduled - 0.5))
    assert Kind.EARLY in early.faults()


@given(histories, st.data())
def test_a_wrong_run_id_is_a_phantom(history: History, data: st.DataObject) -> None:
    assume(history.starts)
    number = data.draw(st.sampled_from(history.starts))
    entry = history.entries[number]
    wrong = history.without(number).adding(replace(entry, run_id=str(uuid.uuid5(uuid.UUID(UID), "x"))))
    assert Kind.PHANTOM in wrong.faults()


@given(histories)
def test_a_run_for_a_moment_that_is_no_tick_is_a_phantom(history: History) -> None:
    tick = CREATED + EVERY + 3
    faults = history.adding(Entry(tick + 0.1, "start", run_id(tick), 1, tick, "pod-x", 0)).faults()
    assert Kind.PHANTOM in faults


@given(histories, st.data())
def test_a_run_that_goes_on_while_the_next_begins_overlaps(history: History, data: st.DataObject) -> None:
    starts = [history.entries[number] for number in history.starts]
    pairs = [(one, other) for one, other in pairwise(starts) if other.time > one.time]
    assume(pairs)
    one, other = data.draw(st.sampled_from(pairs))
    ends = [
        n
        for n, e in enumerate(history.entries)
        if e.what == "end" and (e.run_id, e.attempt) == (one.run_id, one.attempt)
    ]
    gone = {pod: time for pod, time in history.watched.gone.items() if pod != one.pod_uid}
    longer = replace(history.without(*ends), watched=replace(history.watched, gone=gone))
    longer = longer.adding(replace(one, what="end", time=other.time + 0.2, succeeded=False))
    assert Kind.OVERLAP in longer.faults()


@given(histories, st.data())
def test_a_request_of_an_older_term_is_stale(history: History, data: st.DataObject) -> None:
    assume(history.starts)
    entry = history.entries[data.draw(st.sampled_from(history.starts))]
    late = replace(entry, time=entry.time + 0.01, epoch=entry.epoch - 1 or 1)
    assume(late.epoch < entry.epoch)
    assert Kind.STALE in history.adding(late).faults()


def test_a_line_that_is_written_late_is_not_called_stale_and_one_that_comes_later_is() -> None:
    version = Version(CREATED, checker.every(10, created=CREATED))
    ticks = [CREATED + number * 10 for number in (1, 2, 3)]
    entries = [Entry(tick + 0.1, "start", run_id(tick), 1, tick, "pod", 2) for tick in ticks]
    first, second, third = entries
    watched = Watched(until=CREATED + 35, lag=2.0)
    late = replace(first, epoch=1, time=second.time + 1.9)
    assert checker.check(UID, [late, second, third], [version], watched) == []
    stale = replace(late, time=second.time + 2.1)
    assert [fault.kind for fault in checker.check(UID, [stale, second, third], [version], watched)] == [Kind.STALE]


@given(histories)
def test_runs_under_made_up_ids_are_counted(history: History) -> None:
    """Whatever they call themselves: there are more of them than ticks."""
    entry = Entry(CREATED + EVERY + 0.5, "start", run_id(CREATED + EVERY), 1, CREATED + EVERY, "pod-x")
    more = [replace(entry, time=entry.time + number / 100, run_id=str(uuid.UUID(int=number))) for number in range(12)]
    assert Kind.MISCOUNTED in history.adding(*more).faults()


def test_around_an_edit_either_side_may_hold_and_away_from_it_one_must() -> None:
    edited = CREATED + 100
    versions = [
        Version(CREATED, checker.every(10, created=CREATED)),
        Version(edited, None),
        Version(edited + 60, checker.every(7, created=CREATED)),
    ]
    ticks = [*range(CREATED + 10, edited, 10)]
    entries = [Entry(tick + 0.1, "start", run_id(tick), 1, tick, "pod") for tick in ticks]
    watched = Watched(until=edited + 50)
    assert checker.check(UID, entries, versions, watched) == []
    beside = Entry(edited + 0.1, "start", run_id(edited), 1, edited, "pod")
    assert checker.check(UID, [*entries, beside], versions, watched) == []
    after = replace(beside, time=edited + 10.1, run_id=run_id(edited + 10), scheduled=edited + 10)
    assert [fault.kind for fault in checker.check(UID, [*entries, after], versions, watched)] == [Kind.PHANTOM]


def test_what_nobody_watched_is_not_called_lost() -> None:
    version = Version(CREATED, checker.every(10, created=CREATED))
    blind = Watched(until=CREATED + 45, gaps=[(CREATED + 15, CREATED + 35)])
    entries = [Entry(tick, "start", run_id(tick), 1, tick, "pod") for tick in (CREATED + 10, CREATED + 40)]
    assert checker.check(UID, entries, [version], blind) == []


def test_every_worker_of_a_broadcast_starts_once() -> None:
    tick = CREATED + 10
    version = Version(CREATED, checker.every(10, created=CREATED), overlap=False, broadcast=True)
    entries = [Entry(tick + 0.1, "start", run_id(tick), 1, tick, f"pod-{number}") for number in range(3)]
    watched = Watched(until=CREATED + 15)
    assert checker.check(UID, entries, [version], watched) == []
    again = replace(entries[0], time=tick + 0.2)
    assert [fault.kind for fault in checker.check(UID, [*entries, again], [version], watched)] == [Kind.DOUBLED]


def test_cron_ticks_come_from_another_library_than_the_operators() -> None:
    ticks = checker.cron("0 9 * * 1-5", "Europe/Berlin")
    monday = 1_800_003_600 - 1_800_003_600 % 86_400
    found = list(ticks(monday, monday + 7 * 86_400))
    assert len(found) == 5
