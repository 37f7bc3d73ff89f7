# ruff: noqa: INP001, T201 - runs from the text of a pod's arguments, and its log is all that a user sees of it
"""What the chart's hook pods do: apply the demo's task, or test the release. Needs the standard library alone.

Settings come as environment variables, the cluster's address and the token as Kubernetes gives them to every pod.
"""

import http.client
import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
TASKS = "/apis/warmcron.dev/v1alpha1"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE = float(os.environ.get("PATIENCE_SECONDS", "90"))
TIMEOUT = 10
OK, CREATED, FORBIDDEN, NOT_FOUND, INVALID, SERVER_ERROR = 200, 201, 403, 404, 422, 500


class FailedError(Exception):
    """Trying again does not help."""


class NotYetError(Exception):
    """Trying again may help."""


def call(method: str, path: str, body: object = None, kind: str = "application/json") -> tuple[int, Any]:
    """Sends one request to the API server and returns its status and JSON."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=trusted)
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": kind}
    status, text = exchange(connection, method, path, headers, None if body is None else json.dumps(body))
    if status >= SERVER_ERROR:
        raise NotYetError(f"{method} {path}: the API server answered {status}")
    return status, json.loads(text) if text.startswith("{") else {"message": text.strip()}


def get(host: str, port: int, path: str) -> str:
    """Reads one page by HTTP."""
    status, text = exchange(http.client.HTTPConnection(host, port, timeout=TIMEOUT), "GET", path, {}, None)
    if status != OK:
        raise NotYetError(f"http://{host}:{port}{path} answered {status}, not 200: {text[:200]}")
    return text


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: str | None
) -> tuple[int, str]:
    """Sends one request; a network error means: not yet."""
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        raise NotYetError(f"{method} {connection.host}:{connection.port}{path}: {error}") from error
    finally:
        connection.close()


def until(what: str, step: Callable[[], T]) -> T:
    """Repeats a step until it no longer says "not yet", and gives up after PATIENCE seconds in all."""
    while True:
        try:
            found = step()
        except NotYetError as error:
            if time.monotonic() > DEADLINE:
                raise FailedError(f"{what}: not within {PATIENCE:.0f} seconds. Last: {error}") from error
            time.sleep(1)
        else:
            print(f"ok: {what}", flush=True)
            return found


DEADLINE = time.monotonic() + PATIENCE


def expect(answer: tuple[int, Any], *statuses: int) -> Any:
    """Returns the JSON of an answer that has one of these statuses."""
    status, found = answer
    if status not in statuses:
        raise FailedError(f"the API server answered {status}, not {statuses[0]}: {found.get('message', found)}")
    return found


def tasks_are_served() -> None:
    """The definition of ScheduledTask is there and served."""
    status, found = call("GET", TASKS)
    if status != OK or not any(kind["name"] == "scheduledtasks" for kind in found["resources"]):
        raise NotYetError(
            "the API server does not know ScheduledTask: "
            "install the chart with crds.enabled=true, or the definition by hand"
        )


def apply_task() -> None:
    """Applies the task in TASK; the Deployment OWNER owns it, so that both are deleted together."""
    task: dict[str, Any] = json.loads(os.environ["TASK"])
    namespace, name, owner = task["metadata"]["namespace"], task["metadata"]["name"], os.environ["OWNER"]
    until("the API server knows ScheduledTask", tasks_are_served)
    deployment = expect(call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{owner}"), OK)
    uid = deployment["metadata"]["uid"]
    path = f"{TASKS}/namespaces/{namespace}/scheduledtasks/{name}"

    def is_free() -> None:
        status, found = call("GET", path)
        if status == NOT_FOUND:
            return
        owners = expect((status, found), OK)["metadata"].get("ownerReferences", [])
        if any(one["uid"] == uid for one in owners):
            return
        if any((one["kind"], one["name"]) == ("Deployment", owner) for one in owners):
            raise NotYetError("the task of an earlier release is still being deleted")
        raise FailedError(
            f"there is a ScheduledTask {namespace}/{name} that is not the demo's: "
            "rename or delete it, or set demo.enabled=false"
        )

    until(f"the name {namespace}/{name} is free or ours", is_free)
    task["metadata"]["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": owner, "uid": uid}]
    patch = f"{path}?fieldManager=warmcron-demo&force=true"
    expect(call("PATCH", patch, task, "application/apply-patch+yaml"), OK, CREATED)
    print(f"ok: ScheduledTask {namespace}/{name} is applied")


def test_release() -> None:
    """Tests a release from within: readiness, one leader, tasks are accepted and refused, and the demo runs."""
    namespace, service, port = os.environ["NAMESPACE"], os.environ["SERVICE"], int(os.environ["HTTP_PORT"])
    until(f"{service}:{port}/readyz answers 200", lambda: get(service, port, "/readyz"))
    until("exactly one replica leads", lambda: one_leads(namespace, os.environ["SELECTOR"]))
    until("the API server knows ScheduledTask", tasks_are_served)
    dry = f"{TASKS}/namespaces/{namespace}/scheduledtasks?dryRun=All"
    expect(call("POST", dry, example("@every 10s")), CREATED)
    print("ok: a task is accepted (dry run)")
    expect(call("POST", dry, example("every now and then")), INVALID)
    print("ok: a task with a wrong schedule is refused (dry run)")
    if name := os.environ.get("DEMO_TASK"):
        until(f"the task {name} has succeeded", lambda: has_succeeded(namespace, name))


def example(schedule: str) -> dict[str, object]:
    """Returns a task that nobody keeps."""
    return {
        "apiVersion": "warmcron.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"generateName": "warmcron-test-"},
        "spec": {"schedule": schedule, "pool": "demo", "handler": "hello"},
    }


def one_leads(namespace: str, selector: str) -> None:
    """Asks each replica for its gauge warmcron_leader."""
    pods = expect(call("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"), OK)["items"]
    leaders: list[str] = []
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp") or not pod["status"].get("podIP"):
            continue
        leaders.extend(
            pod["metadata"]["name"]
            for line in get(pod["status"]["podIP"], 8080, "/metrics").splitlines()
            if line.split("{")[0].split(" ")[0] == "warmcron_leader" and float(line.rsplit(" ", 1)[1]) == 1
        )
    if len(leaders) != 1:
        raise NotYetError(f"of {len(pods)} replicas these lead: {', '.join(leaders) or 'none'}")


def has_succeeded(namespace: str, name: str) -> None:
    """The status of a task counts at least one run that succeeded."""
    found = expect(call("GET", f"{TASKS}/namespaces/{namespace}/scheduledtasks/{name}"), OK)
    status = found.get("status", {})
    if not status.get("succeeded"):
        raise NotYetError(f"its status is {json.dumps(status) if status else 'empty'}")


if __name__ == "__main__":
    try:
        {"apply-task": apply_task, "test-release": test_release}[sys.argv[1]]()
    except FailedError as failed:
        sys.exit(f"failed: {failed}")
    except NotYetError as failed:
        sys.exit(f"failed: {failed}")
