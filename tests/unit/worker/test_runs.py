"""The run table: its transitions one by one, and over any history of duplicates, fences, crashes and restarts."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from unit.worker.builders import NOW, record
from warmworker import records, runs
from warmworker.records import RunState
from warmworker.runs import Step

ENDS = [Step.SUCCEED, Step.FAIL, Step.CANCEL, Step.INTERRUPT]


@pytest.mark.parametrize("step", ENDS)
def test_a_run_that_does_not_run_cannot_end(step: Step) -> None:
    table = runs.RunTable()
    with pytest.raises(runs.IllegalStep):
        table.finish("run-a", 1, step)
    assert table.state("run-a") is None


@pytest.mark.parametrize("step", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_a_run_ends_once_and_the_first_end_stays(step: Step, second: Step) -> None:
    table = runs.RunTable()
    table.start(record())
    table.finish("run-a", 1, step, finish_time=NOW)
    state = table.state("run-a")
    with pytest.raises(runs.IllegalStep):
        table.finish("run-a", 1, second, finish_time=NOW)
    assert table.state("run-a") is state


def test_nothing_leads_out_of_success() -> None:
    assert not [step for state, step in runs.TRANSITIONS if state is RunState.SUCCEEDED]


def test_a_start_that_could_not_be_written_never_happened() -> None:
    table = runs.RunTable()
    table.start(first := record())
    table.finish("run-a", 1, Step.FAIL, finish_time=NOW)
    before = table.get("run-a")
    table.start(second := record(attempt=2))
    table.undo_start(second, before)
    assert table.get("run-a") is before
    assert isinstance(table.admit("run-a", 2), runs.Fresh)
    assert first.attempt == 1
    assert list(table.running()) == []


def test_a_run_id_is_forgotten_when_its_deadline_refuses_a_copy_anyway() -> None:
    table = runs.RunTable()
    table.start(started := record())
    table.finish("run-a", 1, Step.SUCCEED, finish_time=NOW)
    assert table.prune(started.deadline + records.KEEP_AFTER_DEADLINE - 1) == []
    changes = table.prune(started.deadline + records.KEEP_AFTER_DEADLINE + 61)
    assert changes == [runs.Forget(("run-a",))]
    assert table.get("run-a") is None


def test_a_running_run_is_never_forgotten() -> None:
    table = runs.RunTable()
    table.start(record())
    assert table.prune(NOW + 10**9) == []
    assert table.state("run-a") is RunState.RUNNING


def test_the_list_holds_minutes_not_days_and_lets_go_of_old_results() -> None:
    table = runs.RunTable()
    for run_id, ended in (("old", NOW), ("new", NOW + 800)):
        table.start(record(run_id=run_id, deadline=NOW + 10**6))
        table.finish(run_id, 1, Step.SUCCEED, finish_time=ended, result={"rows": 1}, weight=10)
    assert [each.run_id for each in table.recent(NOW + 800)] == ["new", "old"]
    assert [each.run_id for each in table.recent(NOW + 901)] == ["new"]
    table.prune(NOW + 901)
    assert table.get("old") == replace(table.get("old") or record(), result=None, weight=0)
    assert (found := table.get("new")) is not None
    assert found.result == {"rows": 1}


def test_the_list_is_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "RECENT_RUNS", 3)
    monkeypatch.setattr(runs, "MOST_RECORDS", 5)
    table = runs.RunTable()
    for number in range(10):
        table.start(record(run_id=f"run-{number}"))
        table.finish(f"run-{number}", 1, Step.SUCCEED, finish_time=NOW + number)
    assert [each.run_id for each in table.recent(NOW + 10)] == ["run-9", "run-8", "run-7"]
    table.prune(NOW + 10)
    assert (len(table), table.forgotten_early) == (5, 5)


def test_a_fence_is_never_narrowed() -> None:
    table = runs.RunTable()
    table.fence("run-a", None, now=NOW)
    assert table.fence("run-a", 1, now=NOW) == []
    assert isinstance(table.admit("run-a", 10**6), runs.Fenced)


RUN_IDS = st.sampled_from(["a", "b", "c"])
ATTEMPTS = st.integers(1, 4)


class AnyHistory(RuleBasedStateMachine):
    """A worker as the network and the kubelet treat it; `disk` is what was written down, as the journal does it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = runs.RunTable()
        self.disk: dict[str, records.Record] = {}
        self.disk_fences: dict[str, records.Fence] = {}
        self.disk_epoch = 0
        self.now = NOW
        self.started: list[tuple[str, int]] = []
        self.succeeded: set[str] = set()
        self.promised: set[tuple[str, int]] = set()

    def write(self, changes: list[runs.Change]) -> None:
        for change in changes:
            match change:
                case records.Record():
                    self.disk[change.run_id] = change
                case records.Fence():
                    self.disk_fences[change.run_id] = change
                case runs.Epoch(number):
                    self.disk_epoch = number

    @rule(run_id=RUN_IDS, attempt=ATTEMPTS, written=st.booleans())
    def execute(self, run_id: str, attempt: int, written: bool) -> None:
        self.now += 1
        if not isinstance(self.table.admit(run_id, attempt), runs.Fresh):
            return
        before = self.table.get(run_id)
        started = record(run_id=run_id, attempt=attempt)
        changes = self.table.start(started)
        if not written:  # the disk was full: no handler is called
            self.table.undo_start(started, before)
            return
        self.write(changes)
        assert (run_id, attempt) not in self.promised, "a fenced attempt started"
        assert run_id not in self.succeeded, "a run that had succeeded started again"
        self.started.append((run_id, attempt))

    @precondition(lambda self: any(True for _ in self.table.running()))
    @rule(data=st.data(), step=st.sampled_from(ENDS), written=st.booleans())
    def end(self, data: st.DataObject, step: Step, written: bool) -> None:
        self.now += 1
        running = data.draw(st.sampled_from(sorted(self.table.running(), key=lambda each: each.run_id)))
        changes = self.table.finish(running.run_id, running.attempt, step, finish_time=self.now)
        if written:
            self.write(changes)
            if step is Step.SUCCEED:
                self.succeeded.add(running.run_id)
        else:  # the process dies before its last write, which is the one that nobody waits for
            self.restart()

    @rule(run_id=RUN_IDS, through=st.none() | ATTEMPTS)
    def fence(self, run_id: str, through: int | None) -> None:
        self.write(self.table.fence(run_id, through, now=self.now))
        for attempt in range(1, (through or 10) + 1):
            if (run_id, attempt) not in self.started:
                self.promised.add((run_id, attempt))

    @rule(epoch=st.integers(0, 5))
    def hear(self, epoch: int) -> None:
        self.write(self.table.hear(epoch))
        assert self.table.epoch >= epoch

    @rule()
    def restart(self) -> None:
        self.table = runs.RunTable(records=self.disk.values(), fences=self.disk_fences.values(), epoch=self.disk_epoch)
        self.write(self.table.interrupt_all(self.now, {"type": "Interrupted"}))
        assert list(self.table.running()) == []

    @rule()
    def prune(self) -> None:
        self.write(self.table.prune(self.now))

    @invariant()
    def no_attempt_starts_twice(self) -> None:
        assert len(self.started) == len(set(self.started))

    @invariant()
    def attempts_of_a_run_only_rise(self) -> None:
        for run_id in {run_id for run_id, _ in self.started}:
            attempts = [attempt for each, attempt in self.started if each == run_id]
            assert attempts == sorted(attempts)

    @invariant()
    def what_is_remembered_is_what_is_written(self) -> None:
        assert self.table.epoch == self.disk_epoch
        for run_id in "abc":
            here, there = self.table.get(run_id), self.disk.get(run_id)
            assert (here and (here.attempt, here.state)) == (there and (there.attempt, there.state))


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
