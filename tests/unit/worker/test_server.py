"""The worker protocol against a real worker process."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes.waiting import eventually
from unit.worker.harness import Operator, Start, Worker, order


def texts(log: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(line["stream"], line["text"]) for line in log}


@pytest.fixture
def hostile(start: Start) -> Worker:
    return start("hostile")


def test_a_quick_run_is_answered_with_its_outcome_and_its_lines(worker: Worker) -> None:
    answer = worker.execute(order("hello", {"name": "you"}))
    assert answer.status == 200
    assert answer.body["outcome"] == "Succeeded"
    assert answer.body["result"]["greeting"] == "hello you"
    assert texts(answer.body["log"]) == {("stdout", "hello you, from pod-a")}
    worker.has_said("hello you, from pod-a")  # on the container's own output as well


def test_a_failing_handler_is_a_failed_attempt_with_its_traceback(worker: Worker) -> None:
    answer = worker.execute(order("fail", {"message": "no rows"}))
    assert (answer.status, answer.body["outcome"]) == (200, "Failed")
    assert answer.body["error"]["type"] == "RuntimeError"
    assert answer.body["error"]["message"] == "no rows"
    assert "demo.py" in answer.body["error"]["traceback"]


def test_a_rejected_payload_is_422_and_says_that_no_retry_helps(worker: Worker) -> None:
    body = order("reject", {"message": "no such customer"})
    answer = worker.execute(body)
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"] == "urn:warmcron:problem:payload-rejected"
    assert answer.body["detail"] == "no such customer"
    assert worker.run(body)["retry"] is False


def test_a_long_run_is_accepted_and_reported_event_by_event(worker: Worker, operator: Operator) -> None:
    body = order("progress", {"steps": 3, "seconds": 0.6}, callback=operator.address)
    answer = worker.execute(body, wait=0)
    assert answer.status == 202
    assert answer.headers["location"] == f"/api/task/runs/{body['runId']}"
    assert answer.body["state"] == "Running"
    finished = operator.finished()
    assert (finished["outcome"], finished["retry"], finished["result"]) == ("Succeeded", True, {"steps": 3})
    events = operator.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("Started", "Finished")
    lines = [line["text"] for event in events if event["type"] == "Log" for line in event["lines"]]
    assert lines == ["step 1 of 3", "step 2 of 3", "step 3 of 3"]
    assert 1.0 in [event["fraction"] for event in events if event["type"] == "Progress"]
    assert set(operator.tokens) == {"Bearer secret-token"}
    assert {(c["podUID"], c["podName"], c["attempt"]) for c in operator.callbacks} == {("uid-a", "pod-a", 1)}


def test_a_run_answered_inline_makes_no_callback(worker: Worker, operator: Operator) -> None:
    assert worker.execute(order("noop", callback=operator.address)).status == 200
    assert worker.execute(order("noop", callback=operator.address), wait=0).status == 202
    operator.finished()  # of the second one: anything of the first would have come before
    assert {event["type"] for event in operator.events()} == {"Started", "Finished"}
    assert len(operator.events()) == 2


def test_callbacks_are_repeated_with_the_same_numbers_until_acknowledged(worker: Worker, operator: Operator) -> None:
    refusals = iter([(503, 0), (500, 0), (200, 0)])  # unwell, ill, and well but without having kept anything
    operator.verdict = lambda _: next(refusals, (200, None))
    worker.execute(order("noop", callback=operator.address), wait=0)
    eventually(lambda: len(operator.callbacks) >= 4, "the fourth callback")
    assert {event["seq"]: event["type"] for event in operator.events()} == {1: "Started", 2: "Finished"}


@pytest.mark.parametrize("status", [404, 410])
def test_callbacks_that_nobody_wants_are_dropped(worker: Worker, operator: Operator, status: int) -> None:
    operator.verdict = lambda _: (status, 0)
    worker.execute(order("noop", callback=operator.address), wait=0)
    worker.has_said(f"the operator wants no more of it ({status})")
    operator.verdict = lambda _: (200, None)
    worker.execute(second := order("noop", callback=operator.address), wait=0)
    operator.finished()
    assert worker.run(second)["state"] == "Succeeded"


def test_the_same_attempt_never_starts_twice(worker: Worker) -> None:
    body = order("busy-sleep", {"seconds": 60})
    assert worker.execute(body, wait=0).status == 202
    again = worker.execute(body, wait=0)
    assert (again.status, again.body["state"], again.body["runId"]) == (409, "Running", body["runId"])
    assert worker.execute(body | {"attempt": 2}, wait=0).status == 409  # not beside a running one either
    worker.call("POST", f"/api/task/runs/{body['runId']}/cancel")
    assert worker.ended(body)["state"] == "Cancelled"
    assert worker.execute(body | {"attempt": 2}, wait=0).status == 202


def test_whoever_hears_that_a_run_is_running_hears_how_it_ends(worker: Worker, operator: Operator) -> None:
    """The first caller may be gone: its answer would have been the only news."""
    body = order("busy-sleep", {"seconds": 60}, callback={"url": "http://127.0.0.1:9/", "token": "old"})
    with worker.leave_waiting(body):
        eventually(lambda: worker.call("GET", "/api/task/handlers").body["running"] == 1, "the run to start")
        assert worker.execute(body | {"callback": operator.address}).status == 409
    worker.call("POST", f"/api/task/runs/{body['runId']}/cancel")
    assert operator.finished()["outcome"] == "Cancelled"


def test_a_caller_who_left_gets_the_outcome_by_callback(worker: Worker, operator: Operator) -> None:
    body = order("busy-sleep", {"seconds": 1}, callback=operator.address)
    with worker.leave_waiting(body):
        eventually(lambda: worker.call("GET", "/api/task/handlers").body["running"] == 1, "the run to start")
    assert operator.finished()["outcome"] == "Succeeded"


def test_a_later_attempt_starts_after_a_failure_and_never_after_a_success(worker: Worker) -> None:
    body = order("flaky", {"failures": 1})
    assert worker.execute(body).body["outcome"] == "Failed"
    assert worker.execute(body | {"attempt": 2}).body["outcome"] == "Succeeded"
    third = worker.execute(body | {"attempt": 3})
    assert (third.status, third.body["state"], third.body["attempt"]) == (409, "Succeeded", 2)


def test_a_fence_keeps_out_what_was_never_here_and_tells_what_was(worker: Worker) -> None:
    body = order("hello")
    path = f"/api/task/runs/{body['runId']}/fence"
    promised = worker.call("PUT", path, {"attempt": 1, "epoch": 1})
    assert (promised.status, promised.body["state"], promised.body["attempt"]) == (200, "Fenced", 1)
    late = worker.execute(body)
    assert (late.status, late.body["state"]) == (409, "Fenced")
    assert worker.execute(body | {"attempt": 2}).status == 200
    assert worker.call("PUT", path, {"attempt": 2}).body["state"] == "Succeeded"
    assert worker.call("PUT", f"/api/task/runs/{uuid.uuid4()}/fence").body["state"] == "Fenced"


def test_each_refusal_is_a_problem_document_of_its_own(worker: Worker) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert worker.execute(order("noop", epoch=7)).status == 200
    refusals = [
        (order("noop", worker={"podName": "pod-a", "podUID": "uid-b"}), 421, "wrong-pod"),
        (order("noop", epoch=6), 412, "stale-epoch"),
        (order("noop", epoch=7, deadline=past), 410, "deadline-passed"),
        (order("nope", epoch=7), 404, "unknown-handler"),
        (order("noop", epoch=7, attempt="1"), 400, "malformed-request"),
        (order("noop", {"text": "x" * 300_000}, epoch=7), 413, "body-too-big"),
    ]
    for body, status, name in refusals:
        answer = worker.execute(body)
        assert (answer.status, answer.body["type"]) == (status, f"urn:warmcron:problem:{name}")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.body["status"] == status
    assert worker.call("GET", "/api/nope").body["type"] == "urn:warmcron:problem:unknown-path"
    assert worker.call("PUT", "/api/task/execute").body["type"] == "urn:warmcron:problem:wrong-method"


def test_a_full_worker_answers_429_until_a_place_is_free(start: Start) -> None:
    worker = start(WARMWORKER_CONCURRENCY="2")
    taken = [order("sleep", {"seconds": 60}) for _ in range(2)]
    assert [worker.execute(body, wait=0).status for body in taken] == [202, 202]
    answer = worker.execute(order("noop"))
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert worker.call("GET", "/api/task/handlers").body["running"] == 2
    worker.call("POST", f"/api/task/runs/{taken[0]['runId']}/cancel")
    worker.ended(taken[0])
    assert worker.execute(order("noop")).status == 200


@pytest.mark.parametrize("handler", ["sleep", "busy-sleep", "isolated-sleep"])
def test_each_kind_of_handler_can_be_cancelled(worker: Worker, operator: Operator, handler: str) -> None:
    body = order(handler, {"seconds": 300}, callback=operator.address)
    worker.execute(body, wait=0)
    answer = worker.call("POST", f"/api/task/runs/{body['runId']}/cancel")
    assert answer.status == 202
    assert worker.ended(body)["state"] == "Cancelled"
    assert operator.finished()["outcome"] == "Cancelled"
    assert worker.call("POST", f"/api/task/runs/{body['runId']}/cancel").status == 200
    eventually(lambda: worker.call("GET", "/api/task/handlers").body["running"] == 0, "the place to be free")


def test_an_unknown_run_cannot_be_cancelled(worker: Worker) -> None:
    assert worker.call("POST", f"/api/task/runs/{uuid.uuid4()}/cancel").status == 404
    assert worker.call("GET", f"/api/task/runs/{uuid.uuid4()}").status == 404


@pytest.mark.parametrize("handler", ["sleep", "busy-sleep", "isolated-sleep"])
def test_a_run_fails_at_its_deadline(worker: Worker, handler: str) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = order(handler, {"seconds": 300, "stubborn": False}, deadline=soon)
    answer = worker.execute(body)
    assert answer.body["outcome"] == "Failed"
    assert answer.body["error"]["type"] == "DeadlineExceeded"


def test_a_thread_that_does_not_stop_keeps_its_place_but_not_its_run(start: Start) -> None:
    worker = start(WARMWORKER_CONCURRENCY="1")
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = order("busy-sleep", {"seconds": 300, "stubborn": True}, deadline=soon)
    assert worker.execute(body).body["error"]["type"] == "DeadlineExceeded"
    assert worker.execute(order("noop")).status == 429
    worker.terminate()
    assert worker.exit_code() == 0  # it does not hold up the end either


def test_the_list_of_runs_shows_running_and_ended_ones(worker: Worker) -> None:
    quick, slow = order("hello"), order("sleep", {"seconds": 60})
    worker.execute(quick)
    worker.execute(slow, wait=0)
    listed = worker.call("GET", "/api/task/runs").body
    assert (listed["podUID"], listed["podName"]) == ("uid-a", "pod-a")
    assert [(run["runId"], run["state"]) for run in listed["runs"]] == [
        (slow["runId"], "Running"),
        (quick["runId"], "Succeeded"),
    ]
    document = listed["runs"][1]
    assert document["task"] == quick["task"]
    assert document["result"]["greeting"] == "hello world"
    assert "log" not in document
    assert {"startTime", "finishTime", "scheduledTime", "epoch", "trigger", "handler"} <= document.keys()


def test_the_handlers_are_listed(worker: Worker) -> None:
    listed = worker.call("GET", "/api/task/handlers").body
    assert {"hello", "sleep", "fail", "flaky", "crash", "progress"} <= set(listed["handlers"])
    assert (listed["concurrency"], listed["running"], listed["podUID"]) == (10, 0, "uid-a")
    assert worker.call("GET", "/readyz").status == 200
    assert worker.call("GET", "/livez").status == 200


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"signal": 11}, "handler crashed: signal 11 (SIGSEGV)"),
        ({"code": 3}, "handler crashed: it left with exit code 3, without returning"),
        ({"code": 0}, "handler crashed: it left with exit code 0, without returning"),
    ],
)
def test_a_crash_in_a_process_of_its_own_is_a_failed_run(worker: Worker, payload: dict[str, int], message: str) -> None:
    answer = worker.execute(order("crash", payload))
    assert (answer.body["outcome"], answer.body["error"]["message"]) == ("Failed", message)
    assert texts(answer.body["log"]) == {("stdout", "about to crash")}
    assert worker.execute(order("noop")).status == 200


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        ("exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("async-exit", "SystemExit"),
        ("async-cancelled", "CancelledError"),  # raised by the handler itself, nobody cancelled it
        ("isolated-exit", "SystemExit"),
        ("unspeakable", "UnspeakableError"),  # its own message raises
    ],
)
def test_no_exception_of_a_handler_ends_the_worker(hostile: Worker, handler: str, error: str) -> None:
    answer = hostile.execute(order(handler))
    assert (answer.body["outcome"], answer.body["error"]["type"]) == ("Failed", error)
    assert hostile.execute(order("mutating")).body["result"] == {"rows": 1}


def test_a_task_that_a_handler_left_behind_cannot_end_the_worker(hostile: Worker) -> None:
    assert hostile.execute(order("async-stray-exit")).body["result"] == "still here"
    assert hostile.call("GET", "/readyz").status == 200


def test_a_result_that_is_not_json_does_not_make_a_failure_of_finished_work(hostile: Worker) -> None:
    answer = hostile.execute(order("not-json"))
    assert answer.body["outcome"] == "Succeeded"
    assert "result" not in answer.body
    assert "not JSON" in answer.body["log"][0]["text"]


@pytest.mark.parametrize("handler", ["speak", "async-speak", "isolated-speak"])
def test_what_each_kind_of_handler_prints_and_logs_is_captured_once(hostile: Worker, handler: str) -> None:
    log = hostile.execute(order(handler)).body["log"]
    assert {(line["stream"], line.get("level"), line["text"]) for line in log} == {
        ("stdout", None, "printed, in two pieces"),
        ("stderr", None, "to stderr"),
        ("log", "WARNING", "by the run's logger"),
        ("log", "ERROR", "by a library"),
        ("stdout", None, "without an end"),
    }
    assert len(log) == 5
    hostile.has_said("by the run's logger")
    hostile.has_said("printed, in two pieces")


@pytest.mark.parametrize("handler", ["chatty"])
def test_too_many_lines_are_counted_not_kept(hostile: Worker, operator: Operator, handler: str) -> None:
    answer = hostile.execute(order(handler, {"lines": 3000, "width": 1000}))
    log = answer.body["log"]
    assert log[0]["text"].startswith("000000")
    kept, marker = len(log) - 1, log[-1]["text"]
    assert marker == f"… {3000 - kept} lines dropped"
    # By callback, what is taken away in time makes room for more: nothing of so little is lost.
    hostile.execute(order(handler, {"lines": 900, "width": 1000}, callback=operator.address), wait=0)
    operator.finished()
    lines = [line for event in operator.events() if event["type"] == "Log" for line in event["lines"]]
    assert [line["text"][:6] for line in lines] == [f"{number:06d}" for number in range(900)]


def test_a_handler_sees_its_run(hostile: Worker) -> None:
    body = order("inspect", {"a": 1}, attempt=2, trigger="Manual", shard={"index": 1, "total": 3})
    answer = hostile.call("POST", "/api/task/execute", body, traceparent="00-aa-bb-01", idempotency_key=body["runId"])
    assert answer.body["result"] == {
        "runId": body["runId"],
        "attempt": 2,
        "epoch": body["epoch"],
        "trigger": "Manual",
        "task": "nightly",
        "shard": [1, 3],
        "traceparent": "00-aa-bb-01",
        "payload": {"a": 1},
        "same": True,
    }
    isolated = hostile.execute(order("isolated-async", {"b": 2}))
    assert isolated.body["result"]["payload"] == {"b": 2}
    assert isolated.body["result"]["epoch"] == body["epoch"]
