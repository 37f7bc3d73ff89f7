"""What is answered, decided without a server: the order of the checks is part of the protocol."""

from dataclasses import replace
from typing import Any

import pytest

from unit.worker.builders import NOW, record, request
from warmworker import protocol, runs
from warmworker.runs import Step

IDLE = protocol.Worker(pod_uid="uid-a", handlers={"report"}, busy=0, concurrency=1, draining=False)
WORST = replace(IDLE, busy=1, draining=True, writable=False, handlers=set())
HOPELESS = {"pod_uid": "uid-b", "epoch": 1, "deadline": NOW - 1, "handler": "nope"}


def table(*, state: Step | None = None, fenced: bool = False, epoch: int = 5) -> runs.RunTable:
    found = runs.RunTable(epoch=epoch)
    if state is not None:
        found.start(record())
        if state is not Step.START:
            found.finish("run-a", 1, state, finish_time=NOW)
    if fenced:
        found.fence("run-a", 1, now=NOW)
    return found


def status(decision: protocol.Decision) -> int | type:
    match decision:
        case protocol.NotForUs(problem) | protocol.Refuse(problem):
            return problem.status
    return type(decision)


@pytest.mark.parametrize(
    ("fields", "here", "worker", "expected"),
    [
        # Everything is wrong at once; then, row by row, the worst of it is put right.
        (HOPELESS, table(state=Step.SUCCEED), WORST, 421),
        (HOPELESS | {"pod_uid": "uid-a"}, table(state=Step.SUCCEED), WORST, 412),
        # Here already: also when it is late, the worker drains and does not know the handler any more.
        (HOPELESS | {"pod_uid": "uid-a", "epoch": 5}, table(state=Step.SUCCEED), WORST, protocol.Here),
        (HOPELESS | {"pod_uid": "uid-a", "epoch": 5}, table(fenced=True), WORST, protocol.Promised),
        (HOPELESS | {"pod_uid": "uid-a", "epoch": 5}, table(), WORST, 410),
        # Draining before unknown: in a rolling update the old pod does not know the new handler.
        ({"epoch": 5, "handler": "nope"}, table(), WORST, 503),
        ({"epoch": 5, "handler": "nope"}, table(), replace(WORST, draining=False), 503),
        # Unknown before busy: a wrong name is told at once.
        ({"epoch": 5, "handler": "nope"}, table(), replace(IDLE, busy=1), 404),
        ({"epoch": 5}, table(), replace(IDLE, busy=1), 429),
        ({"epoch": 5}, table(), IDLE, protocol.Start),
        ({"epoch": 6}, table(), IDLE, protocol.Start),  # a new leader
        # Without POD_UID nobody can tell whose the request is.
        ({"epoch": 5, "pod_uid": "uid-b"}, table(), replace(IDLE, pod_uid=""), protocol.Start),
        # With it, a caller who names no pod is refused: the promise is for a pod, not for an address.
        ({"epoch": 5, "pod_uid": ""}, table(), IDLE, 421),
        # A deadline that is now is over.
        ({"epoch": 5, "deadline": NOW}, table(), IDLE, 410),
        # Later attempts: after each end but success, and above the fence.
        ({"epoch": 5, "attempt": 2}, table(state=Step.START), IDLE, protocol.Here),
        ({"epoch": 5, "attempt": 2}, table(state=Step.SUCCEED), IDLE, protocol.Here),
        ({"epoch": 5, "attempt": 2}, table(state=Step.FAIL), IDLE, protocol.Start),
        ({"epoch": 5, "attempt": 2}, table(state=Step.CANCEL), IDLE, protocol.Start),
        ({"epoch": 5, "attempt": 2}, table(state=Step.INTERRUPT), IDLE, protocol.Start),
        ({"epoch": 5, "attempt": 2}, table(fenced=True), IDLE, protocol.Start),
        ({"epoch": 5, "attempt": 1}, table(state=Step.FAIL, fenced=True), IDLE, protocol.Here),
    ],
)
def test_the_first_check_that_fails_is_the_answer(
    fields: dict[str, Any], here: runs.RunTable, worker: protocol.Worker, expected: int | type
) -> None:
    assert status(protocol.decide(request(**fields), table=here, worker=worker, now=NOW)) == expected


def test_deciding_changes_nothing() -> None:
    """A request for another pod, or from an old leader, leaves no trace; the others leave theirs elsewhere."""
    found = table()
    protocol.decide(request(epoch=9), table=found, worker=IDLE, now=NOW)
    assert (found.epoch, len(found)) == (5, 0)


def test_a_problem_names_itself_as_the_standard_wants() -> None:
    document = protocol.busy(3).document()
    assert document["type"] == "urn:warmcron:problem:busy"
    assert document["status"] == 429
    assert "WARMWORKER_CONCURRENCY" in document["detail"]
