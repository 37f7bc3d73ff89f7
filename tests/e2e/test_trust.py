"""Who may start what, on the live cluster: unsigned requests, keys that change under load, hostile objects, secrets."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.cluster import CRD, Cluster, CommandError, Json, until
from e2e.release import CRD_FILE, OPERATOR, Release
from e2e.space import PUBLIC_KEYS, Space, publish_keys
from e2e.tasks import Task, manifest
from fakes.hostile_specs import TEXTS, VALID, bypassing, text_fields

# Sends one request from inside the cluster and prints the status.
POST = """
import sys, urllib.request, urllib.error
request = urllib.request.Request(sys.argv[1], data=sys.argv[2].encode() or None, method=sys.argv[3])
try:
    print(urllib.request.urlopen(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def ask(space: Space, url: str, body: str = "", method: str = "GET") -> int:
    """What a pod of the same namespace is answered; the restricted namespace lets in no better tool."""
    return int(space.kubectl("exec", "ledger", "--", "python", "-c", POST, url, body, method))


def test_a_peer_in_the_cluster_can_start_and_see_nothing(shared: Space) -> None:
    (pod, *_) = shared.cluster.pods(shared.name, "app=worker")
    base = f"http://{pod.status.pod_ip}:8080"
    assert ask(shared, f"{base}/readyz") == 200
    for method, path in (
        ("POST", "/api/task/execute"),
        ("GET", "/api/task/runs"),
        ("GET", "/api/task/handlers"),
        ("PUT", "/api/task/runs/x/fence"),
        ("POST", "/api/task/runs/x/cancel"),
    ):
        assert ask(shared, base + path, "{}" if method != "GET" else "", method) == 401, path


def test_a_peer_in_the_cluster_can_report_nothing(shared: Space, operator: Release) -> None:
    url = f"http://{operator.name}.{operator.namespace}.svc:8081/api/task/runs/x/events"
    assert ask(shared, url, '{"attempt":1,"podUID":"x","events":[]}', "POST") == 401


@pytest.fixture
def besieged(make_space: Callable[[str], Space]) -> Iterator[tuple[Space, Task]]:
    """A namespace for objects that mean harm, beside a task that has to run each second, whatever lies there."""
    good, bad = make_space("steady"), make_space("fuzz")
    good.workers(1)
    steady = good.task("steady", schedule="@every 1s")
    until("it runs", lambda: steady.status.get("succeeded", 0) > 0, seconds=90)
    yield bad, steady
    bad.kubectl("delete", "stask", "--all", "--wait=false")


def lives(cluster: Cluster, operator: Release) -> dict[str, int]:
    """The replicas by their uid, and how often each has started anew."""
    pods = cluster.pods(operator.namespace, OPERATOR)
    return {pod.metadata.uid: sum(one.restart_count for one in pod.status.container_statuses) for pod in pods}


def goes_on(steady: Task, runs: int = 6) -> None:
    """Each tick from here on is started once, and succeeds."""
    after = steady.status["succeeded"]
    until("others run on", lambda: steady.status["succeeded"] > after + runs, seconds=120)
    assert steady.status["failed"] == steady.status["missed"] == 0


def store(space: Space, specs: list[Any], *, slug: str, annotations: Json | None = None) -> int:
    """Applies as many of them as the API server takes; returns how many that were."""
    taken = 0
    objects = [manifest(f"{slug}-{number}") | {"spec": spec} for number, spec in enumerate(specs)]
    for one in objects:
        one["metadata"]["annotations"] = annotations or {}
    sendable = [one for one in objects if "\ud800" not in json.dumps(one, ensure_ascii=False)]
    for number in range(0, len(sendable), 50):
        text = "\n---\n".join(json.dumps(one) for one in sendable[number : number + 50])
        try:
            said = space.cluster.kubectl("-n", space.name, "create", "--validate=false", "-f", "-", stdin=text)
        except CommandError as error:
            said = str(error)
        taken += said.count(" created")
    return taken


def test_hostile_specs_stop_nobody(besieged: tuple[Space, Task], cluster: Cluster, operator: Release) -> None:
    """Each text in each field: the API server or the operator refuses it in words, others run on, nothing restarts."""
    space, steady = besieged
    before = lives(cluster, operator)
    assert store(space, [VALID | {field: text} for field in text_fields(CRD_FILE) for text in TEXTS], slug="bad")
    goes_on(steady)
    assert lives(cluster, operator) == before


@contextmanager
def anything_goes(cluster: Cluster) -> Iterator[None]:
    """For as long as this takes, the API server stores whatever calls itself a ScheduledTask."""
    stored = cluster.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}")
    owners = stored["metadata"].pop("managedFields")
    # By the manager that owns it: another one would be in Helm's way at the next upgrade.
    owner = next((one["manager"] for one in owners if one["operation"] == "Apply"), "kubectl")
    for gone in ("resourceVersion", "uid", "creationTimestamp", "generation"):
        stored["metadata"].pop(gone)
    stored.pop("status")
    loose = copy.deepcopy(stored)
    (version,) = loose["spec"]["versions"]
    version["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager", owner, "-f", "-")
    cluster.kubectl(*apply, stdin=json.dumps(loose))
    try:
        yield
    finally:
        cluster.kubectl(*apply, stdin=json.dumps(stored))


def refuses(space: Space) -> bool:
    try:
        space.cluster.kubectl(
            "-n", space.name, "create", "--dry-run=server", "-f", "-", stdin=json.dumps(manifest("x", pool=""))
        )
    except CommandError:
        return True
    return False


def test_hostile_objects_that_are_older_than_the_rules_stop_nobody(
    besieged: tuple[Space, Task], cluster: Cluster, operator: Release
) -> None:
    """What no admission has seen is watched, listed by a new leader, triggered, and written to."""
    space, steady = besieged
    before = lives(cluster, operator)
    specs = bypassing()
    with anything_goes(cluster):
        until("the loose rules hold", lambda: not refuses(space), seconds=60)
        marks = {"warmcron.dev/trigger": "\u202e\x1b[31m", "warmcron.dev/trigger-payload": "[" * 5000}
        assert store(space, specs, slug="old") > 0.9 * len(specs)
        assert store(space, specs[::10], slug="marked", annotations=marks) > 5
    until("the rules hold again", lambda: refuses(space), seconds=60)
    goes_on(steady)
    assert lives(cluster, operator) == before

    # A new leader meets all of them at once, before it has led for a second.
    cluster.kubectl("-n", operator.namespace, "delete", "pod", operator.holder(), "--wait=false")
    goes_on(steady, 10)
    until("two replicas are ready again", operator.leader, seconds=120)
    after = lives(cluster, operator)
    assert set(after.values()) == {0}
    assert len(set(after) & set(before)) == 1

    said = [line for line in operator.logs() if line.get("level") in ("error", "critical") and "exception" in line]
    assert not said, "an object that cannot be read is no error of ours"
    refused = json.loads(space.kubectl("get", "stask", "-o", "json"))["items"]
    reasons = {
        one["reason"]
        for task in refused
        for one in (task.get("status") or {}).get("conditions") or []
        if one["type"] == "Ready"
    }
    assert "InvalidSpec" in reasons


def test_keys_change_under_load_and_no_run_is_refused(
    make_space: Callable[[str], Space], cluster: Cluster, operator: Release
) -> None:
    space = make_space("rotation")
    space.workers(2)
    task = space.task("steady", schedule="@every 1s", backoffLimit=0)
    until("it runs", lambda: task.status.get("succeeded", 0) > 2)

    def keys() -> list[str]:
        found = space.kubectl("get", "configmap", PUBLIC_KEYS, "-o", "jsonpath={.data.keys}")
        return found.split()

    def workers_know(count: int) -> bool:
        said = f"{count} public keys are good now"
        pods = cluster.pods(space.name, "app=worker")
        return all(said in space.kubectl("logs", pod.metadata.name) for pod in pods)

    old = keys()
    crds = operator._owns_definition()
    for names, count in (("1,2", 2), ("2", 1)):
        operator.install("--set-string", f"signing.keys={{{names}}}", crds=crds)
        publish_keys(cluster, space.name)
        assert len(keys()) == count
        until("the workers have read them", lambda count=count: workers_know(count), seconds=180, pause=2)  # type: ignore[misc]
        more = task.status["succeeded"] + 5
        until("runs go on", lambda more=more: task.status["succeeded"] > more)  # type: ignore[misc]
    assert not set(keys()) & set(old)
    assert task.status["failed"] == 0
    operator.install(crds=crds)  # back to the key of the defaults, a new one: namespaces made from here on get it
