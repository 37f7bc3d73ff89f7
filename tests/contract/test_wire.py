"""Operator and worker share a protocol and no code: what the one writes, the other reads as it was meant."""

import dataclasses
import json
from random import Random
from typing import Any

import pytest

from fakes.engine import START, World
from warmcron.core import runs, trace
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import PoolKey
from warmcron.workers import protocol
from warmworker import live, records, wire
from warmworker import worker as worker_module
from warmworker.records import Pod, Record, RunState

POD = Pod(name="pod-a", uid="uid-a")


def a_run() -> runs.Run:
    w = World()
    w.worker("pod-a")
    w.task(payload={"deep": {"er": [1, "two", None]}}, activeDeadlineSeconds=90)
    w.pass_time(10)
    (run,) = w.engine.runner.runs.values()
    return run


def test_the_worker_reads_every_field_of_the_operators_request() -> None:
    run = a_run()
    there = Worker("uid-a", "pod-a", PoolKey("ns", "p"), Address("10.0.0.1", 8080), ready=True)
    body = protocol.request_body(run, there, epoch=7, callback=("http://operator/events", "a-token"))
    read = wire.read_execute(body, protocol.request_headers(run))
    assert (read.run_id, read.attempt, read.epoch, read.trigger) == (run.id, 1, 7, "Schedule")
    assert (read.handler, read.payload) == ("h", {"deep": {"er": [1, "two", None]}})
    assert (read.task.namespace, read.task.name, read.task.uid) == ("ns", "task", run.task.uid)
    assert read.pod_uid == "uid-a"
    assert read.deadline == pytest.approx(START + 10 + 90, abs=1e-5)
    assert read.wait == protocol.INLINE_SECONDS
    assert read.traceparent == trace.parent(run.id, 1, run.pod_uid)
    assert read.callback == wire.Callback("http://operator/events", "a-token")


def record(state: RunState, **fields: Any) -> Record:
    request = wire.read_execute(
        protocol.request_body(
            a_run(), Worker("uid-a", "pod-a", PoolKey("ns", "p"), None, ready=True), epoch=1, callback=None
        ),
        {},
    )
    return dataclasses.replace(records.started(request, START), state=state, **fields)


@pytest.mark.parametrize(
    ("state", "error", "meaning"),
    [
        (RunState.RUNNING, None, runs.Accepted()),
        (RunState.SUCCEEDED, None, runs.Finished(runs.Outcome.SUCCEEDED)),
        # A message comes along, with the type of the exception before it.
        (
            RunState.FAILED,
            {"type": "KeyError", "message": "region"},
            runs.Finished(runs.Outcome.FAILED, "HandlerFailed: KeyError: region"),
        ),
        # Given back by a worker that shuts down: repeated elsewhere, no retry spent.
        (RunState.INTERRUPTED, live._SHUT_DOWN, runs.WorkerLost("WorkerDrained", counted=False)),
        # Lost with the worker's process, which the run itself may have killed: a retry is spent.
        (RunState.INTERRUPTED, worker_module._RESTARTED, runs.WorkerLost("WorkerCrashed", counted=True)),
    ],
)
def test_the_operator_reads_every_state_of_a_run_document(
    state: RunState, error: dict[str, str] | None, meaning: runs.Event
) -> None:
    document = records.document(record(state, error=error), POD)
    assert protocol.read_state(json.loads(json.dumps(document))) == meaning


def test_a_fenced_run_is_read_as_one_that_never_starts() -> None:
    assert protocol.read_state(records.fenced_document("run", 1, epoch=3, pod=POD)) == runs.Fenced()


def test_a_plain_endpoint_is_told_from_a_worker_with_a_list_of_handlers() -> None:
    assert protocol.read_abilities(404, b"{}") == protocol.Abilities(None, 100)
    listed = protocol.read_abilities(200, b'{"handlers": ["a"], "concurrency": 3}')
    assert listed == protocol.Abilities(frozenset({"a"}), 3)
    assert protocol.read_abilities(503, b"{}") is None


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ('"1.4.2"', "1.4.2"),
        # not told, or no text
        ("null", ""),
        ("7", ""),
        # what is only shown must not be long, nor move the cursor of a terminal
        (f'"{"9" * 500}"', "9" * 64),
        (r'"1\u001b[2J"', "1 [2J"),
    ],
)
def test_a_worker_says_its_version_in_a_few_printable_characters(told: str, version: str) -> None:
    listed = protocol.read_abilities(200, f'{{"handlers": ["a"], "version": {told}}}'.encode())
    assert listed
    assert listed.version == version


def test_backoff_stays_within_its_bounds() -> None:
    spec = a_run().spec
    pauses = [runs.backoff(spec, failures, Random(1)) for failures in (1, 2, 3, 100)]
    assert [0.8 * low <= pause <= 1.2 * low for pause, low in zip(pauses, (1, 2, 4, 300), strict=True)] == [True] * 4
