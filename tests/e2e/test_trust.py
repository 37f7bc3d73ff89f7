"""Who may start what, on the live cluster: unsigned requests, keys that change under load, hostile objects, secrets."""

import base64
import json
from collections.abc import Callable

from e2e.cluster import Cluster, CommandError, until
from e2e.release import Release
from e2e.space import PUBLIC_KEYS, Space, publish_keys
from e2e.tasks import manifest
from fakes.hostile_specs import TEXTS

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


def test_a_pod_on_the_hosts_network_is_never_dialled(cluster: Cluster, operator: Release, shared: Space) -> None:
    """Its address is the node's: whoever may make such a pod could send the operator to the kubelet."""
    name = f"{shared.name}-host"
    cluster.kubectl("create", "namespace", name)
    try:
        container = {
            "name": "main",
            "image": "warmcron/worker:dev",
            "imagePullPolicy": "IfNotPresent",
            "command": ["python", "-m", "http.server", "18765"],
            "ports": [{"name": "warmcron", "containerPort": 18765}],
        }
        spec = {"hostNetwork": True, "containers": [container], "terminationGracePeriodSeconds": 0}
        metadata = {"name": "bait", "labels": {"warmcron.dev/pool": "main"}}
        cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, namespace=name)
        until("the bait is ready", lambda: cluster.ready_pods(name, "warmcron.dev/pool=main"), seconds=90)
        cluster.apply(manifest("lured", schedule="@every 1s"), namespace=name)

        def waits() -> bool:
            text = cluster.kubectl("-n", name, "get", "stask", "lured", "-o", "jsonpath={.status.conditions}")
            return "WorkersAvailable" in text

        until("it has waited for a worker", waits)
        assert "GET " not in cluster.kubectl("-n", name, "logs", "bait")
        assert "POST " not in cluster.kubectl("-n", name, "logs", "bait")
    finally:
        cluster.drop_namespace(name)


def test_hostile_specs_stop_nobody(make_space: Callable[[str], Space], cluster: Cluster, operator: Release) -> None:
    """Each text in each field: the API server or the operator refuses it in words, others run on, nothing restarts."""
    space = make_space("fuzz")
    space.workers(1)
    steady = space.task("steady", schedule="@every 1s")
    until("it runs", lambda: steady.status.get("succeeded", 0) > 0)
    before = {pod: cluster.core.read_namespaced_pod(pod, operator.namespace).metadata.uid for pod in operator.pods()}
    accepted = 0
    fields = ("schedule", "timeZone", "pool", "handler", "routingKey")
    bad = [manifest(f"bad-{field.lower()}-{n}", **{field: text}) for field in fields for n, text in enumerate(TEXTS)]
    for number in range(0, len(bad), 20):
        part = [one for one in bad[number : number + 20] if "\ud800" not in json.dumps(one, ensure_ascii=False)]
        try:
            cluster.kubectl("-n", space.name, "apply", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in part))
        except CommandError as error:
            accepted += str(error).count(" created")
    after = steady.status["succeeded"]
    until("others run on", lambda: steady.status["succeeded"] > after + 5)
    assert steady.status["failed"] == steady.status["missed"] == 0
    for pod, uid in before.items():
        found = cluster.core.read_namespaced_pod(pod, operator.namespace)
        assert found.metadata.uid == uid
        assert sum(status.restart_count for status in found.status.container_statuses) == 0
    assert accepted, "nothing got as far as the operator"


def test_no_secret_is_in_anything_that_people_read(cluster: Cluster, operator: Release, shared: Space) -> None:
    """The private key, the callback key and a live token, looked for in logs, events, statuses, metrics and objects."""
    shared.task("canary", schedule="@every 1s", handler="tick")
    secrets = json.loads(cluster.kubectl("-n", operator.namespace, "get", "secrets", "-o", "json"))["items"]
    canaries: set[str] = set()
    for secret in secrets:
        for text in secret.get("data", {}).values() if secret["type"] == "Opaque" else ():
            raw = base64.b64decode(text)
            lines = raw.decode(errors="replace").splitlines()
            canaries |= {text, *(line for line in lines if len(line) > 30 and "PRIVATE" not in line)}
    assert len(canaries) >= 4
    pod = operator.pods()[0]
    places = {
        "logs": "\n".join(cluster.kubectl("-n", operator.namespace, "logs", name) for name in operator.pods()),
        "workers' logs": shared.kubectl("logs", "--selector", "warmcron.dev/pool", "--tail=-1"),
        "events": cluster.kubectl("get", "events", "-A", "-o", "json"),
        "tasks": cluster.kubectl("get", "stask", "-A", "-o", "json"),
        "pods": cluster.kubectl("get", "pods,deployments,configmaps,leases", "-A", "-o", "json"),
        "metrics": cluster.kubectl(
            "get", "--raw", f"/api/v1/namespaces/{operator.namespace}/pods/{pod}:8080/proxy/metrics"
        ),
    }
    for place, text in places.items():
        assert text, place
        found = [canary[:6] for canary in canaries if canary in text]
        assert not found, f"{place} holds a secret that begins with {found}"
    assert all("Bearer " not in text for text in places.values())


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
