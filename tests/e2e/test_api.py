"""The API and the command on a cluster, as people use them: two replicas, tokens, a port-forward, and RBAC alone."""

import base64
import functools
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import ledger, people
from e2e.cluster import ROOT, Cluster, until
from e2e.people import Door, Terminal
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import Task, manifest
from warmcron.core import times
from warmcron.workers import protocol
from warmcron.workers.tokens import Tokens

FINAL = ("Succeeded", "Failed", "Cancelled", "Skipped", "Unknown")


@pytest.fixture(scope="module")
def service(cluster: Cluster, operator: Release) -> Iterator[Door]:
    """The Service, as the command reaches it: any of the replicas."""
    with people.door(cluster, operator.namespace, f"service/{operator.name}") as found:
        yield found


@pytest.fixture(scope="module")
def standby(cluster: Cluster, operator: Release) -> Iterator[Door]:
    """The replica that does not lead."""
    leader = operator.leader()
    (pod,) = [name for name in operator.pods() if name != leader]
    with people.door(cluster, operator.namespace, f"pod/{pod}") as found:
        yield found


@pytest.fixture(scope="module")
def editor(shared: Space) -> str:
    return people.person(shared, "editor", "edit")


@pytest.fixture(scope="module")
def viewer(shared: Space) -> str:
    return people.person(shared, "viewer", "view")


@pytest.fixture
def terminal(cluster: Cluster, editor: str, tmp_path: Path) -> Terminal:
    return Terminal(cluster, editor, tmp_path)


def ended(door: Door, token: str, run_id: str) -> dict[str, Any]:
    """The run, once it is over."""

    def ask() -> dict[str, Any] | None:
        answer = door.ask("GET", f"/runs/{run_id}", token)
        return answer.body if answer.status == 200 and answer.body["run"]["state"] in FINAL else None

    return until(f"run {run_id} is over in the history", ask, seconds=120) or {}


def running(door: Door, token: str, run_id: str) -> None:
    def ask() -> bool:
        answer = door.ask("GET", f"/runs/{run_id}", token)
        return answer.status == 200 and answer.body["run"]["state"] == "Running"

    until(f"run {run_id} is running in the history", ask)


# ---- who may what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", ["", "garbage", "a.b.c"])
def test_nobody_in_particular_is_told_nothing(service: Door, standby: Door, credential: str) -> None:
    for door in (service, standby):
        for method, path in (("GET", "/tasks"), ("GET", "/runs"), ("POST", "/tasks/a/b/trigger")):
            answer = door.ask(method, path, credential, {} if method == "POST" else None)
            assert (answer.status, answer.body["type"]) == (401, "urn:warmcron:problem:unauthorized")


def test_a_token_of_the_cluster_without_rights_sees_an_empty_list(
    cluster: Cluster, shared: Space, service: Door
) -> None:
    shared.task("seen-by-few", handler="tick")
    shared.kubectl("create", "serviceaccount", "nobody")
    nobody = people.token(cluster, shared.name, "nobody")
    assert service.get("/tasks", nobody)["items"] == []
    assert service.ask("GET", f"/tasks/{shared.name}/seen-by-few", nobody).status == 404


def test_a_person_sees_their_own_namespace_and_does_what_their_role_says(
    shared: Space, make_space: Callable[[str], Space], service: Door, standby: Door, viewer: str, editor: str
) -> None:
    other = make_space("other")
    other.task("theirs", handler="tick")
    other.worker("worker-of-others")
    ours = shared.task("ours", handler="tick")
    for door in (service, standby):
        until("the task is listed", functools.partial(_listed, door, viewer, "ours"))
        assert {task["namespace"] for task in door.get("/tasks", viewer)["items"]} == {shared.name}
        assert {worker["namespace"] for worker in door.get("/workers", viewer)["items"]} == {shared.name}
        assert door.ask("GET", f"/tasks/{other.name}/theirs", viewer).status == 404
        assert door.get(f"/runs?namespace={other.name}", viewer)["items"] == []
        assert door.ask("GET", f"/pools/{other.name}/main/demand", viewer).status == 404

    path = f"/tasks/{shared.name}/ours"
    for order in (f"{path}/trigger", f"{path}/suspend", f"{path}/resume"):
        refused = service.ask("POST", order, viewer)
        assert (refused.status, refused.body["type"]) == (403, "urn:warmcron:problem:refused"), order
        assert "viewer" in refused.body["detail"], "it does not say whom the cluster refused"
    assert ours.read()["spec"].get("suspend", False) is False

    asked = standby.ask("POST", f"{path}/trigger", editor, {"payload": {"by": "editor"}})
    assert asked.status == 202
    run = ended(service, viewer, asked.body["runId"])["run"]
    assert (run["state"], run["trigger"], run["namespace"]) == ("Succeeded", "Manual", shared.name)
    assert [entry.payload for entry in shared.ledger.starts("ours")] == [{"by": "editor"}]
    assert service.ask("POST", f"/runs/{run['runId']}/retry", viewer).status == 403


def _listed(door: Door, token: str, name: str) -> bool:
    return name in {task["name"] for task in door.get("/tasks", token)["items"]}


# ---- the standby -----------------------------------------------------------------------------------------------


def test_the_standby_gives_the_leaders_answers(shared: Space, service: Door, standby: Door, viewer: str) -> None:
    task = shared.task("hourly", schedule="@hourly", handler="tick")
    until("it is accepted", task.accepted)
    found = until("it is listed", lambda: _one(standby, viewer, shared.name, "hourly"))
    assert found
    # Only the leader knows when it is due, and what runs.
    assert found["task"]["nextScheduleTime"] is not None
    assert found == service.get(f"/tasks/{shared.name}/hourly", viewer)
    demand = standby.get(f"/pools/{shared.name}/main/demand?within=3600", viewer)
    assert demand["due"] >= 1
    assert (demand["readyWorkers"], demand["capacity"]) == (2, 20)


def _one(door: Door, token: str, namespace: str, name: str) -> dict[str, Any] | None:
    answer = door.ask("GET", f"/tasks/{namespace}/{name}", token)
    return answer.body if answer.status == 200 and answer.body["task"]["nextScheduleTime"] else None


def test_what_is_reported_to_the_standby_reaches_the_leader(
    cluster: Cluster, operator: Release, shared: Space, service: Door, editor: str
) -> None:
    # To which replica the Service sends a worker's reports is its own affair: here it is the standby, whatever it does.
    task = shared.task("reports", handler="nap", payload={"seconds": 600})
    task.trigger("now")
    run_id = ledger.manual_run_id(task.uid, "now")
    running(service, editor, run_id)
    until("the handler has begun", lambda: bool(shared.ledger.starts("reports")))
    (start,) = shared.ledger.starts("reports")
    secret = ("-n", operator.namespace, "get", "secret", f"{operator.name}-callback-key", "-o", "jsonpath={.data.key}")
    key = base64.b64decode(cluster.kubectl(*secret)).strip()
    token = Tokens(key).make(run_id, start.attempt, start.pod_uid)
    line = {"time": times.text(start.sent), "stream": "stdout", "text": "told to the standby"}
    report = {"attempt": start.attempt, "podUID": start.pod_uid, "events": [{"type": "Log", "lines": [line]}]}
    leader = operator.leader()
    (pod,) = [name for name in operator.pods() if name != leader]
    path = f"{protocol.RUNS}/{run_id}/events"
    with people.door(cluster, operator.namespace, f"pod/{pod}", "callbacks") as door:
        refused = door.send(path, "nonsense", report)
        taken = door.send(path, token, report)
    assert (refused.status, taken.status) == (401, 200), (refused, taken)
    assert _metric(cluster, operator, pod, "warmcron_forwarded_callbacks_total") >= 1

    def kept() -> bool:
        return "told to the standby" in [line["text"] for line in service.get(f"/runs/{run_id}/logs", editor)["items"]]

    until("the line is in the leader's history", kept)
    assert service.ask("POST", f"/runs/{run_id}/cancel", editor).status == 202


def _metric(cluster: Cluster, operator: Release, pod: str, name: str) -> float:
    text = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{operator.namespace}/pods/{pod}:8080/proxy/metrics")
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


# ---- runs that go on -------------------------------------------------------------------------------------------


def test_a_log_is_followed_while_its_run_goes_on(shared: Space, service: Door, terminal: Terminal, viewer: str) -> None:
    shared.task("talks", handler="talk", payload={"text": "the report", "seconds": 12})
    run_id = terminal.says("trigger", "talks", "-n", shared.name).strip()
    running(service, viewer, run_id)
    following = terminal.start("logs", "-f", run_id)
    try:
        assert following.stdout
        assert following.stdout.readline() == "the report begins\n"
        assert service.get(f"/runs/{run_id}", viewer)["run"]["state"] == "Running", "it came only with the end"
        out, err = following.communicate(timeout=people.PATIENCE)
    finally:
        following.kill()
        following.wait()
    assert (following.returncode, out, err) == (0, "the report ends\n", "")
    assert ended(service, viewer, run_id)["run"]["state"] == "Succeeded"


def test_a_cancelled_run_is_told_to_stop_on_its_worker(
    shared: Space, service: Door, terminal: Terminal, viewer: str
) -> None:
    shared.task("endless", handler="nap", payload={"seconds": 600})
    run_id = terminal.says("trigger", "endless", "-n", shared.name).strip()
    until("it runs", lambda: shared.ledger.starts("endless"))
    running(service, viewer, run_id)
    done = terminal.type("cancel", run_id)
    assert (done.code, done.out, done.err) == (0, "", f"run {run_id} is told to stop\n")
    run = ended(service, viewer, run_id)["run"]
    assert (run["state"], run["reason"]) == ("Cancelled", "CancelledByUser")
    last = until("the handler heard of it", lambda: _heard(shared))
    assert last
    again = terminal.type("cancel", run_id)
    assert again.code == 1
    assert "is over" in again.err


def _heard(shared: Space) -> bool:
    return [entry.what for entry in shared.ledger.entries("endless")][-1] == "cancelled"


# ---- the command -----------------------------------------------------------------------------------------------


def test_every_verb_works_as_it_is_typed(shared: Space, terminal: Terminal) -> None:
    here = ("-n", shared.name)
    shared.apply(
        _labelled("verbs-a", handler="talk", payload={"text": "a"}),
        _labelled("verbs-b", handler="fail", backoffLimit=0),
    )
    shared.task("verbs-c", handler="tick")
    for name in ("verbs-a", "verbs-b"):
        until(f"{name} is accepted", Task(shared.cluster, shared.name, name).accepted)

    listed = terminal.says("list", *here, "-l", "suite=verbs", "-o", "name").split()
    assert listed == ["scheduledtasks/verbs-a", "scheduledtasks/verbs-b"]

    followed = terminal.type("trigger", "verbs-a", *here, "--follow", "--timeout", "100")
    run_id, *lines = followed.out.splitlines()
    assert (followed.code, lines, followed.err) == (0, ["a begins", "a ends"], "Succeeded\n")

    waited = terminal.type("trigger", "verbs-b", *here, "--wait", "--timeout", "100")
    assert waited.code == 1
    assert waited.err.startswith("Failed")
    failed = waited.out.strip()

    rows = json.loads(terminal.says("runs", *here, "-l", "suite=verbs", "-o", "json"))
    assert {row["runId"]: row["state"] for row in rows} == {run_id: "Succeeded", failed: "Failed"}
    assert terminal.says("runs", "verbs-a", *here, "-o", "name") == f"{run_id}\n"
    assert terminal.says("runs", *here, "--state", "Failed", "-l", "suite=verbs", "-o", "name") == f"{failed}\n"

    described = terminal.says("describe", failed)
    assert "RuntimeError: attempt 1 was told to fail" in described
    assert "LeastLoaded" in described
    assert run_id.replace("-", "") in terminal.says("runs", "verbs-a", *here, "-o", "wide")
    assert terminal.says("logs", run_id).splitlines() == ["a begins", "a ends"]
    assert "Conditions:" in terminal.says("describe", "verbs-a", *here)

    again = terminal.says("retry", run_id).strip()
    assert uuid.UUID(again) != uuid.UUID(run_id)
    until("it runs again", lambda: len(shared.ledger.starts("verbs-a")) == 2)
    Task(shared.cluster, shared.name, "verbs-a").finished(again)

    assert len(terminal.says("workers", *here, "-o", "name").split()) == 2
    assert "ok  2 of 2 workers of pool main can take it" in terminal.says("doctor", "verbs-a", *here)
    assert terminal.says("suspend", *here, "-l", "suite=verbs").splitlines() == [
        "scheduledtasks/verbs-a suspended",
        "scheduledtasks/verbs-b suspended",
    ]
    assert terminal.type("doctor", "verbs-a", *here).code == 1
    assert terminal.says("resume", "verbs-a", *here) == "scheduledtasks/verbs-a resumed\n"


def _labelled(name: str, **spec: Any) -> dict[str, Any]:
    found = manifest(name, **spec)
    found["metadata"]["labels"] = {"suite": "verbs"}
    return found


def test_a_kubeconfig_without_a_token_is_told_how_to_get_one(cluster: Cluster, shared: Space, tmp_path: Path) -> None:
    done = Terminal(cluster, "", tmp_path).type("runs", "-n", shared.name)
    assert (done.code, done.out) == (2, "")
    assert "kubectl create token" in done.err


# ---- the dashboard ---------------------------------------------------------------------------------------------


def test_a_person_logs_in_with_a_token_and_sees_their_run_in_a_browser(
    cluster: Cluster, shared: Space, make_space: Callable[[str], Space], standby: Door, editor: str
) -> None:
    other = make_space("unseen")
    other.task("secret-task", handler="tick")
    task = shared.task("watched", handler="talk", payload={"text": "the dashboard", "seconds": 8})
    until("it is accepted", task.accepted)
    until("it is listed", lambda: _listed(standby, editor, "watched"))
    script = str(ROOT / "tests" / "e2e" / "dashboard.py")
    environment = {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        [sys.executable, script, standby.url, editor, shared.name, "watched"],
        env={**cluster.env, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout)
    assert seen["faults"] == []
    assert "watched" in seen["tasks"]
    assert "secret-task" not in seen["tasks"]
    assert all(pod in seen["workers"] for pod in shared.ready())
    assert task.finished(seen["run"])["trigger"] == "Manual"


# ---- history ---------------------------------------------------------------------------------------------------


def test_after_a_change_of_leader_a_run_is_known_by_its_status_and_its_log_is_gone(
    cluster: Cluster, operator: Release, shared: Space, viewer: str
) -> None:
    """What docs/history.md says of the chart's default, a SQLite file in each replica's pod."""
    task = shared.task("remembered", handler="talk", payload={"text": "it"})
    task.trigger("before")
    run_id = ledger.manual_run_id(task.uid, "before")
    task.finished(run_id)
    with people.door(cluster, operator.namespace, f"service/{operator.name}") as door:
        before = ended(door, viewer, run_id)
        assert len(door.get(f"/runs/{run_id}/logs", viewer)["items"]) == 2
        assert len(before["attempts"]) == 1

    term, leader = operator.term(), operator.leader()
    cluster.kubectl("-n", operator.namespace, "delete", "pod", leader)
    until("another one leads", lambda: operator.term() > term and operator.holder() not in ("", leader))
    operator.leader()

    with people.door(cluster, operator.namespace, f"service/{operator.name}") as door:
        after = ended(door, viewer, run_id)
        assert {name: after["run"][name] for name in ("state", "trigger", "podName", "scheduledTime")} == {
            name: before["run"][name] for name in ("state", "trigger", "podName", "scheduledTime")
        }
        assert (after["attempts"], door.get(f"/runs/{run_id}/logs", viewer)["items"]) == ([], [])
        task.trigger("after")
        later = ledger.manual_run_id(task.uid, "after")
        assert ended(door, viewer, later)["run"]["state"] == "Succeeded"
        assert len(door.get(f"/runs/{later}/logs", viewer)["items"]) == 2
