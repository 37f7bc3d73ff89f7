"""The examples run as they are shown."""

import http.client
import json
import socket
import subprocess
import sys
from typing import Any

import pytest
import yaml

from fakes.waiting import eventually
from unit.worker.harness import ROOT, Start, order

EXAMPLES = ROOT / "examples"


def documents(path: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / path).read_text()))


@pytest.mark.parametrize("name", ["plain-worker", "python-worker"])
def test_the_manifest_holds_the_module_that_is_shown(name: str) -> None:
    config_map = documents(f"{name}/{name}.yaml")[0]
    assert config_map["data"]["worker.py"] == (EXAMPLES / name / "worker.py").read_text()


@pytest.mark.parametrize("name", ["plain-worker", "python-worker"])
def test_the_deployment_keeps_to_the_restricted_profile_and_to_the_contract(name: str) -> None:
    template = documents(f"{name}/{name}.yaml")[1]["spec"]["template"]
    assert template["metadata"]["labels"]["warmcron.dev/pool"] == name.removesuffix("-worker")
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert [port["name"] for port in container["ports"]] == ["warmcron"]
    assert container["readinessProbe"]["httpGet"]["port"] == "warmcron"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_pod_of_the_sdk_is_given_longer_than_its_grace_period() -> None:
    spec = documents("python-worker/python-worker.yaml")[1]["spec"]["template"]["spec"]
    environment = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    assert spec["terminationGracePeriodSeconds"] > float(environment["WARMWORKER_GRACE_SECONDS"]) + 5
    assert {"POD_NAME", "POD_UID"} <= environment.keys()
    assert environment["WARMWORKER_PUBLIC_KEYS_FILE"] == "/etc/warmcron/public-keys/keys"


@pytest.mark.parametrize("name", ["plain-worker", "python-worker"])
def test_each_task_names_the_pool_and_a_handler_of_its_worker(name: str) -> None:
    module = (EXAMPLES / name / "worker.py").read_text()
    for task in documents(f"{name}/task.yaml"):
        assert (task["apiVersion"], task["kind"]) == ("warmcron.dev/v1alpha1", "ScheduledTask")
        assert task["spec"]["pool"] == name.removesuffix("-worker")
        assert f'"{task["spec"]["handler"]}"' in module


def test_the_worker_with_the_sdk_serves_its_handlers(start: Start) -> None:
    path = f"{ROOT / 'worker_image'}:{EXAMPLES / 'python-worker'}"
    worker = start("worker", PYTHONPATH=path)
    assert worker.execute(order("report", {"region": "north"})).body["outcome"] == "Succeeded"
    assert worker.execute(order("report")).status == 422
    assert worker.execute(order("convert", {"text": "a"})).body["result"] == "A"
    assert worker.execute(order("crawl", {"pages": 1})).body["result"] == {"pages": 1}


def test_the_worker_without_the_sdk_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / "plain-worker" / "worker.py", str(port)], stderr=subprocess.DEVNULL
    )

    def call(method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, Any]] | None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()

    try:
        assert eventually(lambda: call("GET", "/readyz"), "the worker to listen")[0] == 200
        ran = call("POST", "/api/task/execute", json.dumps(order("greet", {"name": "you"})).encode())
        assert ran == (200, {"outcome": "Succeeded", "result": {"greeting": "hello you"}})
        failed = call("POST", "/api/task/execute", json.dumps(order("greet") | {"payload": 1}).encode())
        assert failed is not None
        assert failed[0] == 500
        unknown = call("POST", "/api/task/execute", json.dumps(order("nope")).encode())
        assert unknown is not None
        assert unknown[0] == 404
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(60)
