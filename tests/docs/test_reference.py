"""What docs/reference says is what the code does: its pages are fresh, and both ends keep to the worker's OpenAPI."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from jsonschema import Draft202012Validator

import reference
from docs.blocks import ROOT
from unit.worker.harness import Answer, Operator, Worker, order
from warmcron.core import runs
from warmcron.core.pool import Address
from warmcron.core.pool import Worker as PoolWorker
from warmcron.core.tasks import PoolKey, TaskRef, TaskSpec
from warmcron.kube import translate
from warmcron.workers import protocol

DOCUMENT = yaml.safe_load((ROOT / "docs" / "reference" / "worker-openapi.yaml").read_text())


def test_every_generated_page_is_fresh() -> None:
    assert reference.stale() == []


def test_the_document_is_openapi() -> None:
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def valid(value: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def keeps_to(answer: Answer, method: str, path: str) -> None:
    """An answer of a worker is one that the document has, and its body is as described."""
    found = DOCUMENT["paths"][path][method]["responses"][str(answer.status)]
    found = {**reference.deref(DOCUMENT, found), **{key: value for key, value in found.items() if key != "$ref"}}
    for content in found.get("content", {}).values():
        valid(answer.body, content["schema"])


def test_what_the_operator_sends_is_what_the_document_says() -> None:
    raw = {
        "metadata": {"uid": "u", "namespace": "n", "name": "t", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"schedule": "* * * * *", "pool": "p", "handler": "h", "payload": {"a": 1}},
    }
    spec = translate.task_spec(raw)
    assert isinstance(spec, TaskSpec)
    run = runs.Run(
        id="r",
        task=TaskRef("u", "n", "t"),
        spec=spec,
        trigger="Schedule",
        scheduled=60,
        created=60.0,
        deadline=3660.0,
        payload=spec.payload,
    )
    worker = PoolWorker("pod-uid", "pod", PoolKey("n", "p"), Address("10.0.0.1", 8080), ready=True)
    body = json.loads(protocol.request_body(run, worker, epoch=3, callback=("http://x/y", "token")))
    valid(body, DOCUMENT["components"]["schemas"]["Execute"])
    described = DOCUMENT["components"]["schemas"]["Execute"]["properties"].keys()
    assert body.keys() <= described, "a field is sent that the document does not have"
    sent = {**protocol.request_headers(run), "webhook-id": "", "webhook-timestamp": "", "webhook-signature": ""}
    named = {
        reference.deref(DOCUMENT, one)["name"] for one in DOCUMENT["paths"]["/api/task/execute"]["post"]["parameters"]
    }
    assert sent.keys() - {"content-type"} == named


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    found = Worker(tmp_path_factory.mktemp("state"), "warmworker", "serve", "warmworker.demo", environment={})
    yield found.wait_until_it_listens()
    found.close()


LATE = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"handler": "hello"}, 200),  # done at once
        ({"handler": "fail"}, 200),  # failed, and said so
        ({"handler": "sleep", "payload": {"seconds": 30}}, 202),
        ({"runId": "///"}, 400),
        ({"handler": "nobody"}, 404),
        ({"deadline": LATE}, 410),
        ({"worker": {"podName": "x", "podUID": "another"}}, 421),
        ({"handler": "reject"}, 422),
    ],
)
def test_what_a_worker_answers_is_what_the_document_says(worker: Worker, change: dict[str, Any], status: int) -> None:
    answer = worker.execute(order("hello") | change, wait=1)
    assert answer.status == status
    keeps_to(answer, "post", "/api/task/execute")


def test_questions_about_a_run_are_answered_as_the_document_says(worker: Worker) -> None:
    body = order("sleep", {"seconds": 30})
    run = f"/api/task/runs/{body['runId']}"
    assert worker.execute(body, wait=0).status == 202
    assert worker.execute(body, wait=0).status == 409
    keeps_to(worker.execute(body, wait=0), "post", "/api/task/execute")
    keeps_to(worker.call("GET", "/api/task/runs"), "get", "/api/task/runs")
    keeps_to(worker.call("GET", run), "get", "/api/task/runs/{runId}")
    keeps_to(worker.call("GET", "/api/task/runs/absent"), "get", "/api/task/runs/{runId}")
    keeps_to(worker.call("PUT", "/api/task/runs/absent/fence"), "put", "/api/task/runs/{runId}/fence")
    keeps_to(worker.call("POST", f"{run}/cancel"), "post", "/api/task/runs/{runId}/cancel")
    keeps_to(worker.call("GET", "/api/task/handlers"), "get", "/api/task/handlers")
    assert worker.ask("GET", "/readyz", b"", {}).status == 200


def test_callbacks_are_what_the_document_says(worker: Worker) -> None:
    operator = Operator()
    try:
        worker.execute(order("progress", {"steps": 2, "seconds": 0.01}, callback=operator.address), wait=0)
        operator.finished()
        assert {event["type"] for event in operator.events()} == {"Started", "Log", "Progress", "Finished"}
        for callback in operator.callbacks:
            valid(callback, DOCUMENT["components"]["schemas"]["Events"])
    finally:
        operator.close()


def test_every_answer_that_the_operator_treats_on_its_own_is_in_the_document() -> None:
    described = {int(status) for status in DOCUMENT["paths"]["/api/task/execute"]["post"]["responses"]}
    plain = protocol.read_answer(599, {}, b"")
    special = {
        status
        for status in range(200, 599)
        if type(protocol.read_answer(status, {}, b"")) is not type(plain) or status == 500
    }
    assert special - {413} == described


def test_no_reference_page_is_forgotten() -> None:
    pages = {path.name for path in Path(reference.HERE).glob("*.md")}
    assert pages == {*reference.PAGES, "reasons.md"}  # that one is held against the code by test_reasons
