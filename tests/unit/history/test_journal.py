"""What the engine does is what the journal says, in as few rows as there are runs; what does not fit is counted."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.kept import Journaled
from warmcron.core import runs
from warmcron.history import journal
from warmcron.history.model import RunRow, line_seq
from warmcron.workers.protocol import Report
from warmcron.workers.reports import LINE_LIMIT, RESULT_LIMIT, Reports


@pytest.fixture
def world() -> Journaled:
    return Journaled()


def reports(world: Journaled) -> Reports:
    known = world.engine.runner.broadcasts
    return Reports(archive=world.journal_kept, find=known.find, shard=known.number, now=world.clock.now, echo=False)


def only(world: Journaled) -> RunRow:
    (row,) = world.written().runs.values()
    return row


def test_a_run_that_begins_and_ends_between_two_writes_is_one_row(world: Journaled) -> None:
    world.worker()
    uid = world.task(routingPolicy="RoundRobin")
    world.pass_time(10)
    (request,) = world.sent()
    world.answer(request, runs.Accepted())
    world.clock.time += 3
    world.succeed(request)

    batch = world.written()
    (row,) = batch.runs.values()
    (attempt,) = batch.attempts.values()
    assert (row.run_id, row.task_uid, row.namespace, row.task) == (request.run_id, uid, "ns", "task")
    assert (row.state, row.attempts, row.pod_name, row.reason) == ("Succeeded", 1, "pod-a", "")
    assert (row.scheduled, row.started, row.finished) == (request.scheduled, request.at, request.at + 3)
    assert row.trace_id == request.run_id.replace("-", "")
    assert (attempt.answer, attempt.ended, attempt.chosen_by) == ("Finished", request.at + 3, "RoundRobin")


def test_a_run_that_goes_on_is_read_when_it_is_written(world: Journaled) -> None:
    world.worker()
    world.task()
    world.pass_time(10)
    assert only(world).state == "Running"

    reports(world).progress(world.sent()[0].about, {"fraction": 0.25, "text": "a quarter"})

    row = only(world)
    assert (row.state, row.progress, row.progress_text) == ("Running", 0.25, "a quarter")


def test_an_attempt_says_why_its_worker_was_chosen_and_others_were_not(world: Journaled) -> None:
    world.worker("pod-a")
    world.worker("pod-b", ready=False)
    world.worker("pod-c", handlers=frozenset({"other"}))
    world.task(backoff={"initialSeconds": 1, "multiplier": 1, "maxSeconds": 1})
    world.pass_time(10)
    world.worker("pod-d")
    world.fail(world.sent()[0])
    world.pass_time(2)

    first, second = world.written().attempts.values()
    assert (first.pod_name, first.reason, first.ended is not None) == ("pod-a", "boom", True)
    assert dict(first.filtered) == {"pod-b": "not ready", "pod-c": "handler not registered"}
    assert (second.pod_name, second.attempt, second.ended) == ("pod-d", 2, None)
    assert dict(second.filtered)["pod-a"] == "an earlier attempt failed here"


def test_a_refused_attempt_and_the_pod_that_takes_it_are_two_rows(world: Journaled) -> None:
    world.worker("pod-a")
    world.worker("pod-b")
    world.task()
    world.pass_time(10)
    world.answer(world.sent()[0], runs.Refused("WorkerBusy", pause=5))

    rows = list(world.written().attempts.values())
    assert [(row.attempt, row.pod_name, row.answer) for row in rows] == [(1, "pod-a", "Refused"), (1, "pod-b", "")]


def test_a_run_without_a_worker_says_what_it_waits_for(world: Journaled) -> None:
    world.task()
    world.pass_time(10)

    row = only(world)
    assert (row.state, row.reason, row.attempts) == ("Pending", "NoReadyWorker", 0)


def test_skipped_ticks_are_rows_with_their_number(world: Journaled) -> None:
    world.worker()
    world.task(concurrencyPolicy="Forbid")
    world.pass_time(10)
    world.answer(world.sent()[0], runs.Accepted())
    world.written()
    world.pass_time(10)

    row = only(world)
    assert (row.state, row.reason, row.skipped_ticks, row.attempts) == ("Skipped", "ForbidConcurrent", 1, 0)


def test_a_result_and_an_error_are_those_of_the_last_attempt(world: Journaled) -> None:
    world.worker()
    world.task(backoff={"initialSeconds": 1, "multiplier": 1, "maxSeconds": 1})
    world.pass_time(10)
    first = world.sent()[0]
    told = reports(world)
    error = {"type": "ValueError", "message": "no\x1b[31m", "traceback": "a\nb", "other": 1}
    told.finished(first.about, {"outcome": "Failed", "error": error})
    world.fail(first)
    world.pass_time(2)
    told.finished(first.about, {"result": "late, of the first attempt"})
    told.finished(world.sent()[1].about, {"result": {"rows": 3}})
    world.succeed(world.sent()[1])

    batch = world.written()
    (row,) = batch.runs.values()
    cleaned = {"type": "ValueError", "message": "no [31m", "traceback": "a\nb"}
    assert (row.result, row.error) == ({"rows": 3}, None)
    assert [attempt.error for attempt in batch.attempts.values()] == [cleaned, None]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("x" * (RESULT_LIMIT + 1), f"not kept: {RESULT_LIMIT + 3} bytes of JSON, at most {RESULT_LIMIT}"),  # too large
        ({"a": float("nan")}, "not kept: NaN and Infinity are no JSON"),
        ("\ud800", "?"),  # half a character, which no database takes
    ],
)
def test_a_result_that_cannot_be_kept_says_so(world: Journaled, sent: object, kept: object) -> None:
    world.worker()
    world.task()
    world.pass_time(10)
    (request,) = world.sent()
    reports(world).finished(request.about, {"result": sent})
    world.succeed(request)

    assert only(world).result == kept


def test_lines_are_cut_cleaned_and_numbered_by_the_workers_numbers(world: Journaled) -> None:
    lines = [
        {"time": "2026-11-24T12:00:01Z", "stream": "stdout", "text": "a\tb\x00\x1b[2J"},
        {"time": "9999-01-01T00:00:00Z", "stream": "log", "level": "WARNING", "text": "x" * (LINE_LIMIT + 1)},
        {"text": 5},
        "no line",
    ]
    reports(world).lines(runs.Attempt("run", 2, "uid"), 7, lines)

    first, second = (line for _, line in world.written().lines)
    assert (first.seq, first.text, first.time) == (line_seq(2, 7, 0), "a\tb  [2J", world.clock.now() + 1)
    assert (second.seq, second.level, len(second.text)) == (line_seq(2, 7, 1), "WARNING", LINE_LIMIT)
    assert second.time == world.clock.now()  # a clock that far off is not believed


def test_a_new_leader_repeats_what_was_ended_just_before(world: Journaled) -> None:
    world.worker()
    uid = world.task()
    world.pass_time(10)
    world.succeed(world.sent()[0])
    (row,) = world.written().runs.values()
    status = world.status(uid)
    later = Journaled()
    later.clock.time = world.clock.time + 30
    later.task(uid=uid, written=status, created=world.clock.time - 60)

    (again,) = [found for found in later.written().runs.values() if found.run_id == row.run_id]
    assert (again.state, again.attempts, again.pod_name) == (row.state, row.attempts, row.pod_name)


def test_a_run_that_is_taken_over_goes_on_in_the_journal(world: Journaled) -> None:
    world.worker()
    uid = world.task()
    world.pass_time(10)
    (request,) = world.sent()
    status = world.status(uid)
    later = Journaled()
    later.gate.open = False
    later.clock.time = world.clock.time
    later.worker()
    later.engine.follow()
    later.task(uid=uid, written=status, created=world.clock.time - 60)
    later.gate.open, later.gate.epoch = True, 2
    for key in later.engine.lead():
        later.engine.open_pool(key, [Report(request.run_id, 1, "uid-pod-a", runs.Accepted())])
    later.succeed(request)

    batch = later.written()
    assert batch.runs[request.run_id].state == "Succeeded"
    assert [(row.epoch, row.answer) for row in batch.attempts.values()] == [(2, "Finished")]


def test_what_does_not_fit_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MOST_RUNS", 2)
    monkeypatch.setattr(journal, "MOST_ATTEMPTS", 1)
    monkeypatch.setattr(journal, "MOST_TEXT", journal.LINE_COST + sys.getsizeof("fits"))
    world = Journaled()
    world.worker()
    for name in ("a", "b", "c"):
        world.task(name)
    world.pass_time(10)
    assert world.dropped("run") == 0  # they go on, and will be told with their end
    for request in world.sent():
        world.succeed(request)
    reports(world).lines(runs.Attempt("run", 1, "uid"), 1, [{"text": "fits"}, {"text": "does not"}])

    assert (world.dropped("run"), world.dropped("attempt"), world.dropped("line")) == (1, 2, 1)
    batch = world.written()
    assert (len(batch.runs), len(batch.attempts), len(batch.lines)) == (2, 1, 1)


def test_a_run_that_writes_without_end_fills_its_own_share_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RUN_TEXT", 10_000)
    world = Journaled()
    found = reports(world)
    for event in range(100):
        found.lines(runs.Attempt("noisy", 1, "uid"), event, [{"text": "𝄞" * 1000}])  # four bytes each in memory
    found.lines(runs.Attempt("quiet", 1, "uid"), 1, [{"text": "is heard"}])

    assert world.dropped("line") == 98
    batch = world.written()
    assert [line.run_id for _, line in batch.lines] == ["noisy", "noisy", "quiet"]
    world.journal_kept.give_back(batch)
    assert world.dropped("line") == 98
    assert len(world.written().lines) == 3
    found.lines(runs.Attempt("noisy", 1, "uid"), 200, [{"text": "𝄞" * 1000}])
    assert len(world.written().lines) == 1, "what was written has made room"


def test_results_have_a_budget_and_what_is_over_it_is_said_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MOST_SAID", 25_000)
    world = Journaled()
    world.worker()
    names = ("a", "b", "c")
    for name in names:
        world.task(name)
    world.pass_time(10)
    found = reports(world)
    requests = world.sent()
    for request in requests:
        found.finished(request.about, {"result": "x" * 10_000})
        world.succeed(request)
    batch = world.written()
    kept = [batch.runs[request.run_id].result for request in requests]
    assert kept == ["x" * 10_000, "x" * 10_000, journal.NOT_KEPT]
    assert world.dropped("result") == 1

    world.journal_kept.give_back(batch)
    assert world.journal_kept._weights.total > 20_000, "what could not be written still waits"
    world.written()
    assert world.journal_kept._weights.total == 0


def test_what_was_said_of_runs_of_an_earlier_term_takes_no_room(world: Journaled) -> None:
    world.worker()
    world.task()
    world.pass_time(10)
    (request,) = world.sent()
    reports(world).finished(request.about, {"error": {"message": "x" * 1000}})
    world.written()
    assert world.journal_kept._weights.total > 2000
    world.journal_kept.follow()
    assert world.journal_kept._weights.total == 0


def test_a_batch_that_comes_back_gives_way_to_what_is_newer(world: Journaled) -> None:
    world.worker()
    world.task()
    world.pass_time(10)
    (request,) = world.sent()
    reports(world).lines(request.about, 1, [{"text": "first"}])
    batch = world.written()
    world.succeed(request)
    reports(world).lines(request.about, 2, [{"text": "second"}])

    world.journal_kept.give_back(batch)

    again = world.written()
    assert again.runs[request.run_id].state == "Succeeded"
    assert [row.answer for row in again.attempts.values()] == ["Finished"]
    assert [line.text for _, line in again.lines] == ["first", "second"]


# ---- broadcasts ----------------------------------------------------------------------------------------------------


def broadcast(world: Journaled, pods: int = 2, **spec: Any) -> None:
    for number in range(pods):
        world.worker(f"pod-{number}")
    world.task(routingPolicy="Broadcast", **spec)
    world.pass_time(10)


def test_a_broadcast_keeps_what_each_worker_returned(world: Journaled) -> None:
    broadcast(world)
    told = reports(world)
    for number, request in enumerate(world.sent()):
        told.finished(request.about, {"result": {"rows": number}})
        world.succeed(request)
    row = only(world)
    assert (row.state, row.attempts) == ("Succeeded", 2)
    assert row.result == {"pod-0": {"rows": 0}, "pod-1": {"rows": 1}}


def test_an_error_of_a_shard_is_kept_with_its_attempt_and_the_results_of_the_others_with_the_run(
    world: Journaled,
) -> None:
    broadcast(world, backoffLimit=0)
    good, bad = world.sent()
    told = reports(world)
    told.finished(good.about, {"result": 1})
    world.succeed(good)
    told.finished(bad.about, {"error": {"type": "OSError", "message": "disk"}})
    world.fail(bad)
    batch = world.written()
    (row,) = batch.runs.values()
    assert (row.state, row.result) == ("Failed", {"pod-0": 1})
    assert row.error == {"type": "OSError", "message": "disk"}
    errors = {attempt.pod_name: attempt.error for attempt in batch.attempts.values()}
    assert errors == {"pod-0": None, "pod-1": {"type": "OSError", "message": "disk"}}


def test_every_attempt_of_a_broadcast_is_closed_with_its_run(world: Journaled) -> None:
    """One shard's worker never says a word, however often it is told to stop."""
    broadcast(world, activeDeadlineSeconds=20)
    silent, good = world.sent()
    world.succeed(good)
    world.answer(silent, runs.Accepted())
    for _ in range(runs.CANCEL_ASKS + 1):
        world.pass_time(60, step=10)
        world.answer(silent, runs.Unreachable())
    batch = world.written()
    (row,) = [row for row in batch.runs.values() if row.run_id == silent.run_id]
    assert row.state == "Failed"
    assert [each.ended for each in batch.attempts.values() if each.run_id == silent.run_id and not each.ended] == []
    assert not [key for key in world.journal_kept._open if key.startswith(silent.run_id)]


def test_lines_of_two_shards_are_all_kept(world: Journaled) -> None:
    """Both workers number their events from one."""
    broadcast(world)
    told = reports(world)
    for request in world.sent():
        told.lines(request.about, 1, [{"text": f"on {request.pod}"}])
    batch = world.written()
    lines = [line for _, line in batch.lines]
    assert len({line.seq for line in lines}) == 2
    pods = {(each.attempt, each.pod_uid): each.pod_name for each in batch.attempts.values()}
    assert [line.text for line in lines] == [f"on {pods[line.attempt, line.pod_uid]}" for line in lines]


def test_late_lines_of_a_shard_are_not_taken_for_those_of_another(world: Journaled) -> None:
    """One that is over, and one that is tried again, still have something to say of their first attempt."""
    broadcast(world, pods=3, backoff={"initialSeconds": 5})
    told = reports(world)
    first, over, retried = world.sent()
    world.succeed(over)
    world.fail(retried)
    world.pass_time(10)
    world.sent()

    for request in (first, over, retried):
        told.lines(request.about, 1, [{"text": f"on {request.pod}"}])
    told.lines(first.about._replace(pod_uid="over before we led"), 1, [{"text": "on a pod that nobody told us of"}])

    numbers = {line.text: line.seq for _, line in world.written().lines}
    assert numbers == {
        f"on {request.pod}": line_seq(1, 1, 0, shard=shard) for shard, request in enumerate((first, over, retried))
    } | {"on a pod that nobody told us of": line_seq(1, 1, 0, shard=9_999)}


def test_results_of_many_shards_are_kept_up_to_a_bound(world: Journaled) -> None:
    broadcast(world, pods=5)
    told = reports(world)
    for request in world.sent():
        told.finished(request.about, {"result": "x" * 30_000})
        world.succeed(request)
    result = only(world).result
    assert sorted(result) == ["pod-0", "pod-1", "…"]
    assert result["…"].startswith("not kept: over ")


@given(st.integers(1, 100), st.integers(0, 9_999), st.integers(0, 10**6 - 1), st.integers(0, 999))
def test_numbers_of_lines_grow_by_attempt_shard_event_and_place(
    attempt: int, shard: int, event: int, index: int
) -> None:
    number = line_seq(attempt, event, index, shard=shard)
    assert number < 2**53
    assert number < line_seq(attempt, event, index + 1, shard=shard) if index < 999 else True
    assert number < line_seq(attempt, event + 1, 0, shard=shard) or event == 10**6 - 1
    assert number < line_seq(attempt, 0, 0, shard=shard + 1)
    assert number < line_seq(attempt + 1, 0, 0)
