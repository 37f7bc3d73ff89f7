"""The verbs against a real API server: its lists, its merge patches, its words when it refuses."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.apiserver import ApiServer
from fakes.command import Done, run
from warmcron.core.tasks import manual_run_id

TASKS = "/apis/warmcron.dev/v1alpha1/namespaces/{}/scheduledtasks"


@pytest.fixture
def namespace(server: ApiServer) -> Iterator[str]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    status, answer = server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert status == 201, answer
    yield name
    server.ask("DELETE", TASKS.format(name))


@pytest.fixture
def ctl(server: ApiServer, namespace: str) -> Callable[..., Done]:
    def call(*arguments: str) -> Done:
        return run(*arguments, "-n", namespace, "--kubeconfig", str(server.kubeconfig))

    return call


def add(
    server: ApiServer, namespace: str, name: str, labels: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    status, answer = server.ask(
        "POST",
        TASKS.format(namespace),
        {
            "apiVersion": "warmcron.dev/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"schedule": "@daily", "pool": "p", "handler": "h", **spec},
        },
    )
    assert status == 201, answer
    found: dict[str, Any] = answer
    return found


def get(server: ApiServer, namespace: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("GET", f"{TASKS.format(namespace)}/{name}")[1]
    return found


def test_list_with_and_without_a_selector(server: ApiServer, namespace: str, ctl: Callable[..., Done]) -> None:
    add(server, namespace, "report", {"team": "billing"})
    add(server, namespace, "backup")
    assert ctl("list", "-o", "name").out.split() == ["scheduledtasks/backup", "scheduledtasks/report"]
    assert ctl("list", "-o", "name", "-l", "team in (billing)").out.split() == ["scheduledtasks/report"]
    (item,) = ctl("list", "-o", "json", "-l", "team=billing").json["items"]
    assert item["kind"] == "ScheduledTask"
    assert item["spec"]["concurrencyPolicy"] == "Forbid"  # the server's defaults are written in


def test_suspend_and_resume_are_edits_that_move_the_generation(
    server: ApiServer, namespace: str, ctl: Callable[..., Done]
) -> None:
    add(server, namespace, "report")
    assert ctl("suspend", "report").code == 0
    found = get(server, namespace, "report")
    assert (found["spec"]["suspend"], found["metadata"]["generation"]) == (True, 2)
    assert ctl("resume", "--all").code == 0
    assert get(server, namespace, "report")["spec"]["suspend"] is False


def test_trigger_leaves_the_spec_alone(server: ApiServer, namespace: str, ctl: Callable[..., Done]) -> None:
    uid = add(server, namespace, "report")["metadata"]["uid"]
    run_id = ctl("trigger", "report", "--payload", '{"a": 1}').out.strip()
    metadata = get(server, namespace, "report")["metadata"]
    assert metadata["generation"] == 1
    assert run_id == manual_run_id(uid, metadata["annotations"]["warmcron.dev/trigger"])
    assert metadata["annotations"]["warmcron.dev/trigger-payload"] == '{"a":1}'
    ctl("trigger", "report")
    assert "warmcron.dev/trigger-payload" not in get(server, namespace, "report")["metadata"]["annotations"]


def test_without_an_operator_doctor_says_that_nobody_has_seen_the_task(
    server: ApiServer, namespace: str, ctl: Callable[..., Done]
) -> None:
    add(server, namespace, "report")
    done = ctl("doctor", "report")
    assert done.code == 1
    assert "!!  the operator has not seen this task" in done.out
    assert "label warmcron.dev/pool=p" in done.out


def test_without_rights_the_server_s_word_is_passed_on(
    server: ApiServer, namespace: str, ctl: Callable[..., Done]
) -> None:
    add(server, namespace, "report")
    for verb in (["list"], ["describe", "report"], ["workers"]):
        done = ctl(*verb, "--context", "nobody")
        assert done.code == 1
        assert "403" in done.err
        assert 'User "nobody" cannot' in done.err


def test_a_name_that_is_not_there(namespace: str, ctl: Callable[..., Done]) -> None:
    done = ctl("describe", "nobody")
    assert (done.code, done.err) == (1, f"warmcron: no task 'nobody' in namespace '{namespace}'\n")
