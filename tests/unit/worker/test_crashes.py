"""What a crash leaves behind, at each of the moments the comments of journal.py, live.py and worker.py name."""

import contextlib
import functools
import re
import signal
import threading
from http.client import HTTPException
from pathlib import Path

import pytest

from fakes.waiting import eventually
from unit.worker.harness import JsonObject, Operator, Start, Worker, order


def calls(file: Path) -> int:
    return file.read_text().count("called") if file.exists() else 0


def execute_until_death(worker: Worker, body: JsonObject) -> None:
    with pytest.raises((OSError, HTTPException)):
        worker.execute(body)
    assert worker.exit_code() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("moment", "state", "called"),
    [
        # Nothing of it is on disk and no handler was called: the run was never here, and may come again.
        ("before the commit of Running", "Fenced", 0),
        # On disk, but nobody can tell any more whether the handler was called: it was not, this time.
        ("after the commit of Running", "Interrupted", 0),
        ("in the handler", "Interrupted", 1),
        # It had succeeded, and whoever was told so has it right; the disk was not told.
        ("before the commit of Succeeded", "Interrupted", 1),
        ("after the commit of Succeeded", "Succeeded", 1),
    ],
)
def test_after_a_crash_no_handler_is_called_a_second_time(
    start: Start, tmp_path: Path, moment: str, state: str, called: int
) -> None:
    file = tmp_path / "calls"
    body = order("note", {"file": str(file)})
    dying = start("crash_points", WORKER_DIES_AT=moment)
    if "Succeeded" in moment:  # the answer and the death race: either may come first
        with contextlib.suppress(OSError, HTTPException):
            assert dying.execute(body).body["outcome"] == "Succeeded"
        assert dying.exit_code() == -signal.SIGKILL
    else:
        execute_until_death(dying, body)
    assert calls(file) == called
    again = start("crash_points")
    told = again.call("PUT", f"/api/task/runs/{body['runId']}/fence", {"attempt": 1})
    assert told.body["state"] == state
    assert again.execute(body).status == 409
    assert calls(file) == called
    assert again.execute(body | {"attempt": 2}).status == (409 if state == "Succeeded" else 200)


def test_runs_that_a_killed_worker_had_are_reported_as_interrupted(start: Start, operator: Operator) -> None:
    first = start()
    body = order("sleep", {"seconds": 300}, callback=operator.address)
    first.execute(body, wait=0)
    eventually(lambda: [e for e in operator.events() if e["type"] == "Started"], "the run to be reported")
    first.kill()
    second = start()
    finished = operator.finished()
    assert (finished["outcome"], finished["retry"]) == ("Interrupted", True)
    assert finished["seq"] > max(event["seq"] for event in operator.events() if event["type"] != "Finished")
    assert second.run(body)["state"] == "Interrupted"
    assert second.execute(body).status == 409
    assert second.execute(body | {"attempt": 2, "handler": "noop"}).status == 200


def test_an_end_that_was_not_acknowledged_is_reported_by_the_next_life(start: Start, operator: Operator) -> None:
    operator.verdict = lambda _: (503, None)
    first = start()
    body = order("hello", callback=operator.address)
    first.execute(body, wait=0)
    assert first.ended(body)["state"] == "Succeeded"
    # The end is told before it is on disk. A fence is answered after everything before it is there.
    assert first.call("PUT", f"/api/task/runs/{body['runId']}/fence", {"attempt": 1}).status == 200
    first.kill()
    operator.callbacks.clear()
    operator.verdict = lambda _: (200, None)
    second = start()
    assert operator.finished()["result"]["greeting"] == "hello world"
    second.kill()
    operator.callbacks.clear()
    third = start()  # acknowledged: nothing is owed any more, so that this one's news are the first to come
    third.execute(order("noop", callback=operator.address), wait=0)
    operator.finished()
    assert [event["seq"] for event in operator.events() if event["type"] == "Finished"] in ([1], [2], [10**9])


def test_fences_and_the_highest_epoch_outlive_a_crash(start: Start) -> None:
    first = start()
    fenced = order("hello", epoch=5)
    assert first.call("PUT", f"/api/task/runs/{fenced['runId']}/fence", {"attempt": 1, "epoch": 5}).status == 200
    # A refused request is enough to make a leader's term known for good.
    assert first.execute(order("nope", epoch=9)).status == 404
    first.kill()
    second = start()
    assert second.execute(fenced).status == 412
    late = second.execute(fenced | {"epoch": 9})
    assert (late.status, late.body["state"]) == (409, "Fenced")


def test_a_handlers_own_process_does_not_outlive_the_worker(start: Start) -> None:
    worker = start()
    body = order("isolated-sleep", {"seconds": 0})
    pid = worker.execute(body).body["result"]["pid"]
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "the process to end")
    worker.execute(order("isolated-sleep", {"seconds": 300}), wait=0)
    children = eventually(lambda: descendants(worker.process.pid), "the process to start")
    worker.kill()
    for child in children:
        eventually(functools.partial(gone, child), "the process to end")


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_what_a_handlers_own_process_started_ends_with_it(start: Start, how: str) -> None:
    worker = start("hostile")
    body = order("isolated-parent", {"wait": True})
    worker.execute(body, wait=0)
    child = int(eventually(lambda: re.search(r"child (\d+)", worker.log), "the child to start").group(1))
    if how == "kill":
        worker.kill()
    else:
        worker.call("POST", f"/api/task/runs/{body['runId']}/cancel")
        assert worker.ended(body)["state"] == "Cancelled"
    eventually(functools.partial(gone, child), "the child to end")


def test_a_handlers_own_process_may_have_children(start: Start) -> None:
    assert start("hostile").execute(order("isolated-parent")).body["outcome"] == "Succeeded"


def descendants(pid: int) -> list[int]:
    """Grandchildren: the handler's process is forked from the one that keeps the modules ready."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += Path(f"/proc/{child}/task/{child}/children").read_text().split()
    return [int(each) for each in found]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_sigterm_drains_and_interrupts_what_does_not_end(start: Start, operator: Operator) -> None:
    worker = start(WARMWORKER_GRACE_SECONDS="3")
    quick = order("sleep", {"seconds": 1}, callback=operator.address)
    stuck = order("sleep", {"seconds": 300}, callback=operator.address)
    worker.execute(quick, wait=0)
    worker.execute(stuck, wait=0)
    worker.terminate()
    eventually(lambda: worker.call("GET", "/readyz").status == 503, "the worker to turn not ready")
    refused = worker.execute(order("noop"))
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.body["type"] == "urn:warmcron:problem:draining"
    assert worker.run(stuck)["state"] == "Running"  # it still tells what it has
    assert worker.exit_code() == 0
    outcomes = sorted(event["outcome"] for event in operator.events() if event["type"] == "Finished")
    assert outcomes == ["Interrupted", "Succeeded"]
    again = start()
    assert (again.run(quick)["state"], again.run(stuck)["state"]) == ("Succeeded", "Interrupted")


def test_a_second_sigterm_ends_the_grace_period(start: Start) -> None:
    worker = start(WARMWORKER_GRACE_SECONDS="86400")
    worker.execute(order("sleep", {"seconds": 300}), wait=0)
    worker.terminate()
    worker.has_said("draining")
    worker.terminate()
    assert worker.exit_code() == 0


def test_a_worker_that_is_idle_ends_at_once(worker: Worker) -> None:
    worker.terminate()
    assert worker.exit_code() == 0
    assert "Traceback" not in worker.log


def test_an_answer_that_is_waited_for_is_given_before_the_end(start: Start, operator: Operator) -> None:
    worker = start(WARMWORKER_GRACE_SECONDS="0")
    body = order("sleep", {"seconds": 300}, callback=operator.address)
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(worker.execute(body).status))
    caller.start()
    eventually(lambda: worker.call("GET", "/api/task/handlers").body["running"] == 1, "the run to start")
    worker.terminate()
    caller.join()
    assert answers == [202]  # neither succeeded nor failed: the end comes by callback
    assert operator.finished()["outcome"] == "Interrupted"
    assert worker.exit_code() == 0


def test_a_worker_that_is_killed_while_it_settles_what_an_earlier_life_left_settles_it_again(
    start: Start, tmp_path: Path
) -> None:
    body = order("note", {"file": str(tmp_path / "calls")})
    execute_until_death(start("crash_points", WORKER_DIES_AT="in the handler"), body)
    settling = start("crash_points", listening=False, WORKER_DIES_AT="before the commit of Interrupted")
    assert settling.exit_code() == -signal.SIGKILL
    again = start("crash_points")
    assert again.run(body)["state"] == "Interrupted"
    assert calls(tmp_path / "calls") == 1
