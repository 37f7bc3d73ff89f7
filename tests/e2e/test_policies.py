"""What the policies of a task promise: concurrency, retries, deadlines, and pools without workers."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from e2e import ledger
from e2e.cluster import until
from e2e.ledger import Span
from e2e.space import Space
from e2e.tasks import Task, epoch

QUICK: dict[str, Any] = {"initialSeconds": 0.2, "multiplier": 1, "maxSeconds": 1}
# Names, and the seconds that a run of each takes; a tick comes every second.
CONCURRENCY = {"Allow": 3, "Forbid": 2.5, "Replace": 30, "Queue": 1.5}


@pytest.fixture(scope="module")
def busy(shared: Space) -> dict[str, tuple[Task, list[Span]]]:
    """One task of each concurrency policy, all at once for ten seconds, then suspended and at rest."""
    tasks = {
        policy: shared.task(
            policy.lower(), schedule="@every 1s", handler="nap", payload={"seconds": seconds},
            concurrencyPolicy=policy, maxQueuedRuns=2, historyLimit=20,
        )
        for policy, seconds in CONCURRENCY.items()
    }  # fmt: skip
    until("ten ticks", lambda: len(shared.ledger.starts("allow")) >= 10)
    for task in tasks.values():
        task.suspend()
    tasks["Replace"].trigger("over", {"seconds": 0})  # ends the run before it, which nothing else would do
    for task in tasks.values():
        task.rest()
    return {policy: (task, shared.ledger.spans(task.name)) for policy, task in tasks.items()}


def ticked(spans: list[Span]) -> list[int]:
    """The ticks in the order in which they were started, without the run that ended the show."""
    return [span.entry.scheduled for span in spans if span.entry.trigger == "Schedule"]


def test_allow_lets_runs_overlap_and_starts_every_tick(busy: dict[str, tuple[Task, list[Span]]]) -> None:
    task, spans = busy["Allow"]
    assert ledger.overlap(spans) >= 2
    expected = ledger.every(1, created=task.created, after=0, until=max(ticked(spans)))
    ledger.check_ticks(task.uid, [span.entry for span in spans], expected)
    assert task.status["skipped"] == 0


def test_forbid_skips_with_a_reason_and_counts(busy: dict[str, tuple[Task, list[Span]]]) -> None:
    task, spans = busy["Forbid"]
    assert ledger.overlap(spans) == 1
    status = task.status
    skipped = [run for run in status["recentRuns"] if run["outcome"] == "Skipped"]
    assert {run["reason"] for run in skipped} == {"ForbidConcurrent"}
    assert len(skipped) == status["skipped"]
    expected = ledger.every(1, created=task.created, after=0, until=epoch(status["lastScheduleTime"]))
    started = ticked(spans)
    assert sorted(started + [epoch(run["scheduledTime"]) for run in skipped]) == expected
    assert status["missed"] == 0


def test_replace_tells_the_earlier_run_to_stop(busy: dict[str, tuple[Task, list[Span]]], shared: Space) -> None:
    task, spans = busy["Replace"]
    assert ledger.overlap(spans) == 1
    assert len(ticked(spans)) >= 3
    assert all(later.start >= earlier.end for earlier, later in pairwise(spans))
    ended = {entry.run_id: entry.what for entry in shared.ledger.entries(task.name) if entry.what != "start"}
    assert [ended[span.entry.run_id] for span in spans[:-1]] == ["cancelled"] * (len(spans) - 1)
    cancelled = [run for run in task.recent if run["outcome"] == "Cancelled"]
    assert cancelled
    assert {run["reason"] for run in cancelled} == {"Replaced"}
    assert task.status["failed"] == 0


def test_queue_keeps_the_order_and_turns_away_what_is_too_much(busy: dict[str, tuple[Task, list[Span]]]) -> None:
    task, spans = busy["Queue"]
    assert ledger.overlap(spans) == 1
    started = ticked(spans)
    assert started == sorted(set(started))
    skipped = [run for run in task.recent if run["outcome"] == "Skipped"]
    assert skipped, "two may wait, and more came"
    # What still waited when the task was suspended is given up, and says so.
    assert "QueueFull" in (reasons := {run["reason"] for run in skipped})
    assert reasons <= {"QueueFull", "Suspended"}
    expected = ledger.every(1, created=task.created, after=0, until=epoch(task.status["lastScheduleTime"]))
    assert sorted(started + [epoch(run["scheduledTime"]) for run in skipped]) == expected


def test_a_failing_run_is_retried_on_alternating_pods_up_to_its_limit(shared: Space) -> None:
    task = shared.task("failing", handler="fail", backoffLimit=3, backoff=QUICK)
    task.trigger("now")
    record = task.finished()
    assert (record["outcome"], record["attempts"]) == ("Failed", 4)
    assert "HandlerFailed" in record["reason"]
    assert "attempt 4 was told to fail" in record["reason"]
    starts = shared.ledger.starts(task.name)
    assert [(entry.attempt, entry.run_id) for entry in starts] == [(n, record["runId"]) for n in (1, 2, 3, 4)]
    assert all(one.pod != two.pod for one, two in pairwise(starts))
    assert task.condition("LastRunSucceeded")["status"] == "False"
    assert (task.status["failed"], task.status["consecutiveFailures"]) == (1, 1)


def test_a_flaky_run_succeeds_in_the_end(shared: Space) -> None:
    task = shared.task("flaky", handler="fail", payload={"failures": 2}, backoffLimit=2, backoff=QUICK)
    task.trigger("now")
    record = task.finished()
    assert (record["outcome"], record["attempts"]) == ("Succeeded", 3)
    assert (task.status["succeeded"], task.status["failed"], task.status["consecutiveFailures"]) == (1, 0, 0)


def test_deadlines_end_an_attempt_and_a_run(shared: Space) -> None:
    whole = shared.task("whole", handler="nap", payload={"seconds": 60}, activeDeadlineSeconds=3)
    attempt = shared.task(
        "attempt", handler="nap", payload={"seconds": 60, "until_attempt": 1},
        attemptDeadlineSeconds=2, backoff=QUICK,
    )  # fmt: skip
    whole.trigger("now")
    attempt.trigger("now")
    record = whole.finished()
    assert (record["outcome"], record["attempts"]) == ("Failed", 1)
    assert "DeadlineExceeded" in record["reason"]
    until("the handler was told", lambda: shared.ledger.entries(whole.name)[-1].what == "cancelled", seconds=10)
    record = attempt.finished()
    assert (record["outcome"], record["attempts"]) == ("Succeeded", 2)
    assert [entry.attempt for entry in shared.ledger.starts(attempt.name)] == [1, 2]


def test_a_handler_that_nobody_has_fails_at_once_and_says_so(shared: Space) -> None:
    task = shared.task("nobody", handler="no-such-handler")
    task.trigger("now")
    record = task.finished()
    assert (record["outcome"], record["attempts"]) == ("Failed", 0)
    assert "HandlerUnknown" in record["reason"]


def test_without_workers_a_run_waits_or_is_skipped(make_space: Callable[[str], Space]) -> None:
    here = make_space("empty")
    waits = here.task("waits", schedule="@every 2s")
    skips = here.task("skips", schedule="@every 2s", noWorkerPolicy="Skip", historyLimit=20)
    until("one run waits", lambda: waits.status.get("activeCount") == 1)
    assert waits.condition("WorkersAvailable")["reason"] == "NoReadyWorker"
    until("some are skipped", lambda: (skips.status.get("skipped") or 0) >= 2)
    assert {run["reason"] for run in skips.recent} == {"NoReadyWorker"}
    here.workers(1)
    until("both run", lambda: all(here.ledger.starts(task.name) for task in (waits, skips)))
    begun = here.cluster.pods(here.name, "app=worker")[0].metadata.creation_timestamp.timestamp()
    assert here.ledger.starts(waits.name)[0].scheduled == waits.created + 2, "the first tick was the one that waited"
    assert all(entry.scheduled >= begun for entry in here.ledger.starts(skips.name))
    until("it is noted", lambda: waits.condition("WorkersAvailable")["status"] == "True")
