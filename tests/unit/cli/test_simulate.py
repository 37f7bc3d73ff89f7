"""`warmcron simulate`: the semantics of deadlines, downtime, suspension and concurrency, seen from outside."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.command import Done, run

DAY = "2026-11-24T"
UID = "0a94c0b2-0d0c-4a8e-9a54-3f4f6f9a1a11"


def simulate(
    tmp_path: Path, spec: dict[str, Any], *arguments: str, status: dict[str, str] | None = None, **metadata: Any
) -> Done:
    file = tmp_path / "task.yaml"
    task = {
        "apiVersion": "warmcron.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": "report", "namespace": "team", "uid": UID, **metadata},
        "spec": {"pool": "p", "handler": "h", **spec},
        "status": status or {},
    }
    file.write_text(yaml.safe_dump(task))
    return run("simulate", "-f", str(file), "-o", "json", *arguments)


def span(start: str, end: str) -> list[str]:
    return ["--from", f"{DAY}{start}Z", "--to", f"{DAY}{end}Z"]


def window(option: str, start: str, end: str) -> list[str]:
    return [option, f"{DAY}{start}Z/{DAY}{end}Z"]


def short(done: Done) -> list[str]:
    """Each row as `tick time decision reason`, the day left out."""
    return [
        " ".join((row["scheduledTime"][11:-1], row["time"][11:-1], row["decision"], row["reason"])) for row in done.json
    ]


MINUTES = {"schedule": "*/10 * * * *"}

CASES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    # ---- the plain case --------------------------------------------------------------------------------------
    (
        "a task that is created at a tick runs at the next; a tick at the end counts",
        MINUTES,
        span("10:00:00", "10:20:00"),
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Start Due"],
    ),
    (
        "with a last tick the operator goes on from there",
        MINUTES,
        [*span("10:05:00", "10:10:00"), "--last-schedule", f"{DAY}09:40:00Z"],
        ["09:50:00 10:05:00 Skip Missed", "10:00:00 10:05:00 Start CatchUp", "10:10:00 10:10:00 Start Due"],
    ),
    (
        "a tick that is due when the operator begins is not late",
        MINUTES,
        [*span("10:00:00", "10:00:00"), "--last-schedule", f"{DAY}09:50:00Z"],
        ["10:00:00 10:00:00 Start Due"],
    ),
    ("the last tick is where the simulation begins: it is not run again", MINUTES,
     [*span("09:00:00", "09:30:00"), "--last-schedule", f"{DAY}09:00:00Z"],
     ["09:10:00 09:10:00 Start Due", "09:20:00 09:20:00 Start Due", "09:30:00 09:30:00 Start Due"]),
    # ---- downtime --------------------------------------------------------------------------------------------
    (
        "down, RunLatest: the last one, however many",
        MINUTES,
        [*span("10:00:00", "10:40:00"), *window("--down", "10:05:00", "10:35:00")],
        ["10:10:00 10:35:00 Skip Missed", "10:20:00 10:35:00 Skip Missed", "10:30:00 10:35:00 Start CatchUp",
         "10:40:00 10:40:00 Start Due"],
    ),
    (
        "down, Skip: none",
        {**MINUTES, "missedRunPolicy": "Skip"},
        [*span("10:00:00", "10:40:00"), *window("--down", "10:05:00", "10:35:00")],
        ["10:10:00 10:35:00 Skip Missed", "10:20:00 10:35:00 Skip Missed", "10:30:00 10:35:00 Skip Missed",
         "10:40:00 10:40:00 Start Due"],
    ),
    (
        "down, RunAll with Allow: all at once, oldest first",
        {**MINUTES, "missedRunPolicy": "RunAll", "concurrencyPolicy": "Allow"},
        [*span("10:00:00", "10:35:00"), *window("--down", "10:05:00", "10:35:00")],
        ["10:10:00 10:35:00 Start CatchUp", "10:20:00 10:35:00 Start CatchUp", "10:30:00 10:35:00 Start CatchUp"],
    ),
    (
        "down, RunAll: at most maxMissedRuns, the newest of them",
        {**MINUTES, "missedRunPolicy": "RunAll", "concurrencyPolicy": "Allow", "maxMissedRuns": 2},
        [*span("10:00:00", "10:35:00"), *window("--down", "10:05:00", "10:35:00")],
        ["10:10:00 10:35:00 Skip Missed", "10:20:00 10:35:00 Start CatchUp", "10:30:00 10:35:00 Start CatchUp"],
    ),
    (
        "down, RunAll with Forbid: they take turns",
        {**MINUTES, "missedRunPolicy": "RunAll"},
        [*span("10:00:00", "10:38:00"), *window("--down", "10:05:00", "10:35:00"), "--run-seconds", "60"],
        ["10:10:00 10:35:00 Start CatchUp", "10:20:00 10:35:00 Queue ConcurrentRun",
         "10:30:00 10:35:00 Queue ConcurrentRun", "10:20:00 10:36:00 Start Queued", "10:30:00 10:37:00 Start Queued"],
    ),
    (
        "down to the very moment of a tick: that one is not missed, and is the latest",
        MINUTES,
        [*span("10:00:00", "10:30:00"), *window("--down", "10:05:00", "10:30:00")],
        ["10:10:00 10:30:00 Skip Missed", "10:20:00 10:30:00 Skip Missed", "10:30:00 10:30:00 Start Due"],
    ),
    (
        "down from the moment of a tick: it is missed",
        MINUTES,
        [*span("10:00:00", "10:15:00"), *window("--down", "10:10:00", "10:15:00")],
        ["10:10:00 10:15:00 Start CatchUp"],
    ),
    (
        "down between two ticks: nothing happens",
        MINUTES,
        [*span("10:00:00", "10:10:00"), *window("--down", "10:01:00", "10:09:00")],
        ["10:10:00 10:10:00 Start Due"],
    ),
    (
        "still down at the end: nothing is decided",
        MINUTES,
        [*span("10:00:00", "10:40:00"), *window("--down", "10:15:00", "11:00:00")],
        ["10:10:00 10:10:00 Start Due"],
    ),
    (
        "two outages",
        MINUTES,
        [*span("10:00:00", "10:35:00"), *window("--down", "10:05:00", "10:15:00"),
         *window("--down", "10:18:00", "10:22:00")],
        ["10:10:00 10:15:00 Start CatchUp", "10:20:00 10:22:00 Start CatchUp", "10:30:00 10:30:00 Start Due"],
    ),
    (
        "a run goes on while the operator is down, and is found again",
        MINUTES,
        [*span("10:00:00", "10:30:00"), *window("--down", "10:12:00", "10:22:00"), "--run-seconds", "900"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:22:00 Skip ForbidConcurrent", "10:30:00 10:30:00 Start Due"],
    ),
    (
        "what was queued when the operator went down has its turn when it is back",
        {**MINUTES, "concurrencyPolicy": "Queue"},
        [*span("10:00:00", "10:36:00"), *window("--down", "10:22:00", "10:26:00"), "--run-seconds", "900"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Queue ConcurrentRun", "10:20:00 10:26:00 Start Queued",
         "10:30:00 10:30:00 Queue ConcurrentRun"],
    ),
    # ---- a deadline ------------------------------------------------------------------------------------------
    (
        "later than the deadline: not started",
        {**MINUTES, "startingDeadlineSeconds": 60},
        [*span("10:00:00", "10:20:00"), *window("--down", "10:05:00", "10:11:01")],
        ["10:10:00 10:11:01 Skip StartingDeadlineExceeded", "10:20:00 10:20:00 Start Due"],
    ),
    (
        "exactly at the deadline: started, as in a CronJob",
        {**MINUTES, "startingDeadlineSeconds": 60},
        [*span("10:00:00", "10:12:00"), *window("--down", "10:05:00", "10:11:00")],
        ["10:10:00 10:11:00 Start CatchUp"],
    ),
    (
        "each skipped tick has the reason that is its own",
        {**MINUTES, "startingDeadlineSeconds": 1000},
        [*span("10:00:00", "10:35:00"), *window("--down", "10:05:00", "10:35:00")],
        ["10:10:00 10:35:00 Skip StartingDeadlineExceeded", "10:20:00 10:35:00 Skip Missed",
         "10:30:00 10:35:00 Start CatchUp"],
    ),
    (
        "each has its own reason, however many there are: the deadline is half an hour",
        {"schedule": "*/2 * * * *", "startingDeadlineSeconds": 1800},
        [*span("10:00:00", "11:01:00"), *window("--down", "10:00:01", "11:01:00")],
        [f"10:{m:02}:00 11:01:00 Skip StartingDeadlineExceeded" for m in range(2, 31, 2)]
        + [f"10:{m}:00 11:01:00 Skip Missed" for m in range(32, 60, 2)]
        + ["11:00:00 11:01:00 Start CatchUp"],
    ),
    (
        "@every with a deadline shorter than its period runs, unlike in a CronJob",
        {"schedule": "@every 1h", "startingDeadlineSeconds": 600},
        span("10:00:00", "12:00:00"),
        ["11:00:00 11:00:00 Start Due", "12:00:00 12:00:00 Start Due"],
    ),
    # ---- suspension ------------------------------------------------------------------------------------------
    (
        "suspended time is never missed",
        MINUTES,
        [*span("10:00:00", "10:40:00"), *window("--suspend", "10:15:00", "10:35:00")],
        ["10:10:00 10:10:00 Start Due", "10:40:00 10:40:00 Start Due"],
    ),
    (
        "a tick of the moment of suspension is not due, one of the moment of resumption is",
        MINUTES,
        [*span("10:00:00", "10:40:00"), *window("--suspend", "10:10:00", "10:30:00")],
        ["10:30:00 10:30:00 Start Due", "10:40:00 10:40:00 Start Due"],
    ),
    (
        "suspended from the start by the file: no tick",
        {**MINUTES, "suspend": True},
        span("10:00:00", "11:00:00"),
        [],
    ),
    (
        "resumed while the operator is down: what came before the resumption is not made up for",
        MINUTES,
        [*span("10:00:00", "10:40:00"), *window("--suspend", "10:05:00", "10:25:00"),
         *window("--down", "10:20:00", "10:35:00")],
        ["10:40:00 10:40:00 Start Due"],
    ),
    (
        "a run goes on when its task is suspended",
        {**MINUTES, "concurrencyPolicy": "Queue"},
        [*span("10:00:00", "10:40:00"), *window("--suspend", "10:15:00", "10:35:00"), "--run-seconds", "1500"],
        ["10:10:00 10:10:00 Start Due", "10:40:00 10:40:00 Start Due"],
    ),
    # ---- runs that take longer than a period -----------------------------------------------------------------
    (
        "Forbid: skipped; a run that ends at the moment of a tick has ended",
        MINUTES,
        [*span("10:00:00", "10:40:00"), "--run-seconds", "1200"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Skip ForbidConcurrent", "10:30:00 10:30:00 Start Due",
         "10:40:00 10:40:00 Skip ForbidConcurrent"],
    ),
    (
        "Allow: side by side",
        {**MINUTES, "concurrencyPolicy": "Allow"},
        [*span("10:00:00", "10:20:00"), "--run-seconds", "3000"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Start Due"],
    ),
    (
        "Replace: the newer one",
        {**MINUTES, "concurrencyPolicy": "Replace"},
        [*span("10:00:00", "10:30:00"), "--run-seconds", "900"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Replace ConcurrentRun",
         "10:30:00 10:30:00 Replace ConcurrentRun"],
    ),
    (
        "Queue: one after the other, and full at last",
        {**MINUTES, "concurrencyPolicy": "Queue", "maxQueuedRuns": 1},
        [*span("10:00:00", "10:40:00"), "--run-seconds", "1500"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Queue ConcurrentRun", "10:30:00 10:30:00 Skip QueueFull",
         "10:20:00 10:35:00 Start Queued", "10:40:00 10:40:00 Queue ConcurrentRun"],
    ),
    (
        "AtMostOnce starts the same ticks",
        {**MINUTES, "deliveryPolicy": "AtMostOnce"},
        [*span("10:00:00", "10:25:00"), *window("--down", "10:05:00", "10:15:00")],
        ["10:10:00 10:15:00 Start CatchUp", "10:20:00 10:20:00 Start Due"],
    ),
    (
        "a broadcast is one decision",
        {**MINUTES, "routingPolicy": "Broadcast"},
        span("10:00:00", "10:20:00"),
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Start Due"],
    ),
    (
        "a broadcast that ended while the operator was down has ended",
        {**MINUTES, "routingPolicy": "Broadcast"},
        [*span("10:00:00", "10:25:00"), *window("--down", "10:12:00", "10:25:00"), "--run-seconds", "300"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:25:00 Start CatchUp"],
    ),
    (
        "a broadcast that goes on over an outage is found again",
        {**MINUTES, "routingPolicy": "Broadcast"},
        [*span("10:00:00", "10:30:00"), *window("--down", "10:12:00", "10:22:00"), "--run-seconds", "900"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:22:00 Skip ForbidConcurrent", "10:30:00 10:30:00 Start Due"],
    ),
    # ---- failures --------------------------------------------------------------------------------------------
    (
        "a run that takes longer than it may",
        {**MINUTES, "activeDeadlineSeconds": 300},
        [*span("10:00:00", "10:20:00"), "--run-seconds", "900"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Start Due"],
    ),
    (
        "no backoff: a retry at once",
        {**MINUTES, "backoff": {"initialSeconds": 0, "maxSeconds": 0}},
        [*span("10:00:00", "10:10:00"), "--fail-attempts", "2"],
        ["10:10:00 10:10:00 Start Due", "10:10:00 10:10:00 Retry SimulatedFailure",
         "10:10:00 10:10:00 Retry SimulatedFailure"],
    ),
    (
        "three failures in a row stop the task",
        {**MINUTES, "backoffLimit": 0, "suspendAfterFailures": 3},
        [*span("10:00:00", "11:00:00"), "--fail-attempts", "1"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Start Due", "10:30:00 10:30:00 Start Due"],
    ),
    (
        "a run that is still going at its deadline is ended by its worker, though the operator is down",
        {**MINUTES, "activeDeadlineSeconds": 300},
        [*span("10:00:00", "10:22:00"), *window("--down", "10:12:00", "10:22:00"), "--run-seconds", "86400"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:22:00 Start CatchUp"],
    ),
    (
        "a run that is ended at the moment of a tick has ended",
        {**MINUTES, "activeDeadlineSeconds": 600},
        [*span("10:00:00", "10:20:00"), "--run-seconds", "86400"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Start Due"],
    ),
    (
        "an attempt that takes too long is followed by another",
        {**MINUTES, "attemptDeadlineSeconds": 60, "backoffLimit": 1, "backoff": {"initialSeconds": 0}},
        [*span("10:00:00", "10:19:00"), "--run-seconds", "100"],
        ["10:10:00 10:10:00 Start Due", "10:10:00 10:11:00 Retry AttemptDeadlineExceeded"],
    ),
    (
        "what the operator did not live to do at the moment it went down it does when it is back",
        {**MINUTES, "concurrencyPolicy": "Queue"},
        [*span("10:00:00", "10:31:00"), *window("--down", "10:25:00", "10:28:00"), "--run-seconds", "900"],
        ["10:10:00 10:10:00 Start Due", "10:20:00 10:20:00 Queue ConcurrentRun", "10:20:00 10:28:00 Start Queued",
         "10:30:00 10:30:00 Queue ConcurrentRun"],
    ),
    # ---- clocks ----------------------------------------------------------------------------------------------
    (
        "seconds: a short outage is none",
        {"schedule": "*/5 * * * * *", "concurrencyPolicy": "Allow"},
        [*span("10:00:00", "10:00:15"), *window("--down", "10:00:04", "10:00:12")],
        ["10:00:05 10:00:12 Start CatchUp", "10:00:10 10:00:12 Start CatchUp", "10:00:15 10:00:15 Start Due"],
    ),
    (
        "seconds: a longer one folds them",
        {"schedule": "*/5 * * * * *", "concurrencyPolicy": "Allow"},
        [*span("10:00:00", "10:00:20"), *window("--down", "10:00:04", "10:00:17")],
        ["10:00:05 10:00:17 Skip Missed", "10:00:10 10:00:17 Skip Missed", "10:00:15 10:00:17 Start CatchUp",
         "10:00:20 10:00:20 Start Due"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "arguments", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_decisions(tmp_path: Path, spec: dict[str, Any], arguments: list[str], expected: list[str]) -> None:
    assert short(simulate(tmp_path, spec, *arguments)) == expected


def test_a_run_s_id_is_the_one_that_it_will_have(tmp_path: Path) -> None:
    (row,) = simulate(tmp_path, MINUTES, *span("10:00:00", "10:10:00")).json
    tick = 1_795_515_000  # 2026-11-24T10:10:00Z
    assert row == {
        "scheduledTime": "2026-11-24T10:10:00Z",
        "time": "2026-11-24T10:10:00Z",
        "decision": "Start",
        "reason": "Due",
        "runId": str(uuid.uuid5(uuid.UUID(UID), str(tick))),
    }


def test_jitter_delays_the_start_and_never_the_tick(tmp_path: Path) -> None:
    rows = simulate(tmp_path, {**MINUTES, "jitterSeconds": 120}, *span("10:00:00", "11:05:00")).json
    assert [row["scheduledTime"][11:16] for row in rows] == ["10:10", "10:20", "10:30", "10:40", "10:50", "11:00"]
    assert len({row["time"][14:] for row in rows}) == 6
    assert all(row["scheduledTime"] < row["time"] < row["scheduledTime"].replace("0:00Z", "2:00Z") for row in rows)
    assert all(row["reason"] == "Due" for row in rows)


def test_the_year_s_two_odd_days(tmp_path: Path) -> None:
    spec = {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"}
    rows = simulate(tmp_path, spec, "--from", "2027-03-27T12:00:00Z", "--to", "2027-03-28T12:00:00Z").json
    assert [row["time"] for row in rows] == ["2027-03-28T01:00:00Z"]


def test_every_counts_from_the_creation_that_the_object_or_the_option_says(tmp_path: Path) -> None:
    spec = {"schedule": "@every 1h"}
    times = ["--from", f"{DAY}10:00:00Z", "--to", f"{DAY}11:00:00Z", "--last-schedule", f"{DAY}10:00:00Z"]
    created = f"{DAY}00:20:00Z"
    assert short(simulate(tmp_path, spec, *times, creationTimestamp=created)) == ["10:20:00 10:20:00 Start Due"]
    assert short(simulate(tmp_path, spec, *times, "--created", created)) == ["10:20:00 10:20:00 Start Due"]
    assert short(simulate(tmp_path, spec, *times)) == ["11:00:00 11:00:00 Start Due"]


def test_an_object_of_the_cluster_brings_its_own_past(tmp_path: Path) -> None:
    def decided(last: str, *arguments: str) -> list[str]:
        status = {"lastScheduleTime": f"{DAY}{last}Z"}
        created = "2026-01-01T00:00:00Z"
        arguments = (*span("10:05:00", "10:10:00"), *arguments)
        return short(simulate(tmp_path, MINUTES, *arguments, status=status, creationTimestamp=created))

    assert decided("09:50:00") == ["10:00:00 10:05:00 Start CatchUp", "10:10:00 10:10:00 Start Due"]
    # what an option says comes first, and an object of later on knows nothing against the past
    assert decided("09:50:00", "--last-schedule", f"{DAY}10:00:00Z") == ["10:10:00 10:10:00 Start Due"]
    assert decided("23:50:00") == ["10:10:00 10:10:00 Start Due"]


@pytest.mark.parametrize(("key", "value"), [("uid", "x"), ("uid", 7), ("creationTimestamp", "yesterday")])
def test_what_no_cluster_writes_into_an_object_is_a_mistake(tmp_path: Path, key: str, value: Any) -> None:
    done = simulate(tmp_path, MINUTES, *span("10:00:00", "11:00:00"), **{key: value})
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(f"warmcron: metadata.{key}: ")


def test_a_long_outage_of_a_busy_schedule_names_every_tick(tmp_path: Path) -> None:
    down = window("--down", "00:00:30", "12:00:30")
    rows = simulate(tmp_path, {"schedule": "*/10 * * * * *"}, *span("00:00:00", "12:00:30"), *down).json
    assert [row["decision"] for row in rows] == ["Start"] * 2 + ["Skip"] * (12 * 360) + ["Start"]
    assert len({row["runId"] for row in rows}) == len(rows)
    assert [row["scheduledTime"] for row in rows] == sorted(row["scheduledTime"] for row in rows)


def test_the_table_has_the_same_rows(tmp_path: Path) -> None:
    done = simulate(tmp_path, MINUTES, *span("10:00:00", "10:10:00"), "-o", "table")
    head, row = done.out.splitlines()
    assert head.split() == ["SCHEDULED", "TIME", "DECISION", "REASON", "RUN"]
    assert row.split()[:4] == ["2026-11-24T10:10:00Z", "2026-11-24T10:10:00Z", "Start", "Due"]


MISTAKES = [
    (["--from", "x", "--to", "y"], "--from: 'x' is not an instant"),
    (span("11:00:00", "10:00:00"), "--to: lies before --from"),
    ([*span("10:00:00", "11:00:00"), "--down", "10:00"], "--down: '10:00' is not a window; expected two instants"),
    ([*span("10:00:00", "11:00:00"), *window("--suspend", "10:30:00", "10:20:00")], "ends before it begins"),
    ([*span("10:00:00", "11:00:00"), "--last-schedule", f"{DAY}10:30:00Z"], "--last-schedule: lies after --from"),
    (["--from", "2000-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"], "--to: more than 50,000 decisions"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = simulate(tmp_path, MINUTES, *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1
