"""A status belongs to the operator as a whole: the API server keeps no owner for each of its fields."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from fakes.apiserver import CRD, ApiServer
from fakes.waiting import eventually

TASKS = "/apis/warmcron.dev/v1alpha1/namespaces/default/scheduledtasks"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
WHOLE: dict[str, Any] = {"f:status": {}}


@pytest.fixture
def task(server: ApiServer) -> Iterator[str]:
    about = {"apiVersion": "warmcron.dev/v1alpha1", "kind": "ScheduledTask"}
    spec = {"schedule": "@daily", "pool": "p", "handler": "h"}
    status, answer = server.ask("POST", TASKS, {**about, "metadata": {"name": "owned"}, "spec": spec})
    assert status == 201, answer
    yield f"{TASKS}/owned"
    server.ask("DELETE", f"{TASKS}/owned")


def write(server: ApiServer, task: str, **fields: Any) -> dict[str, Any]:
    """Writes a status as the operator does, and returns the object."""
    status, answer = server.ask("PATCH", f"{task}/status", {"status": fields}, kind=MERGE)
    assert status == 200, answer
    return dict(answer)


def owned(found: dict[str, Any]) -> dict[str, Any]:
    """What is noted of who owns the status."""
    (entry,) = [each for each in found["metadata"]["managedFields"] if each.get("subresource") == "status"]
    return dict(entry["fieldsV1"])


def define(server: ApiServer, change: Callable[[dict[str, Any]], Any]) -> None:
    """Replaces the definition by a changed one."""
    crd = yaml.safe_load(CRD.read_text())
    change(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"])
    path = f"{DEFINITIONS}/{crd['metadata']['name']}"
    crd["metadata"]["resourceVersion"] = server.ask("GET", path)[1]["metadata"]["resourceVersion"]
    status, answer = server.ask("PUT", path, crd)
    assert status == 200, answer


def test_a_status_is_owned_as_a_whole(server: ApiServer, task: str) -> None:
    found = write(server, task, succeeded=3, activeCount=0)
    assert owned(found) == WHOLE
    assert found["status"] == {"succeeded": 3, "activeCount": 0}


def test_a_status_from_before_is_kept_through_the_upgrade(server: ApiServer, task: str) -> None:
    number = itertools.count(1)  # a write that changes nothing changes no owner
    define(server, lambda status: status.pop("x-kubernetes-map-type"))
    try:
        write(server, task, succeeded=3)
        eventually(lambda: owned(write(server, task, failed=next(number))) != WHOLE, "the definition from before")
    finally:
        define(server, lambda status: status)
    eventually(lambda: owned(write(server, task, failed=next(number))) == WHOLE, "the definition of now")
    assert write(server, task, failed=0)["status"] == {"succeeded": 3, "failed": 0}


def test_whoever_applies_the_spec_owns_nothing_of_the_status(server: ApiServer, task: str) -> None:
    write(server, task, succeeded=3)
    spec = {"schedule": "@hourly", "pool": "p", "handler": "h"}
    body = {"apiVersion": "warmcron.dev/v1alpha1", "kind": "ScheduledTask", "metadata": {"name": "owned"}, "spec": spec}
    status, answer = server.ask("PATCH", f"{task}?fieldManager=somebody&force=true", body, kind=APPLY)
    assert (status, answer["status"]) == (200, {"succeeded": 3})
    assert owned(answer) == WHOLE
