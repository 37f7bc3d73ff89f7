"""Two tenants on the live cluster: whatever one writes, nothing of it reaches the other's workers, by wire logs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from e2e import wire
from e2e.cluster import NODE, Cluster, CommandError, Json, call, until
from e2e.release import CRD_FILE, OPERATOR, Release
from e2e.space import IMAGE, POOL, Space, opened, worker_spec
from e2e.tasks import Task, manifest
from e2e.wire import Wire
from fakes.hostile_specs import TEXTS, text_fields

POOL_OF_BOTH = "main"
MARK = "only-of-a-5f1c"  # in every payload of tenant a: found by b's workers, it would have crossed
ADDRESSES = "/var/lib/cni/networks/pods"
IN_NODE = ("docker", "exec", NODE, "sh", "-c")


@dataclass
class Tenants:
    """Tenant a, who means harm, and tenant b. Both have a pool of the same name with one wire-logging worker."""

    a: Space
    b: Space
    steady: Task  # of b

    def worker(self, space: Space) -> Any:
        (pod,) = space.cluster.pods(space.name, "app=worker")
        return pod

    def log(self, space: Space) -> Wire:
        return wire.read(space.cluster, space.name, self.worker(space).metadata.name)

    def runs_on(self, more: int = 5) -> None:
        """Waits until b's own task has run so many times more: whatever was to cross has had its time."""
        before = self.steady.status["succeeded"]
        until("b's task runs on", lambda: self.steady.status["succeeded"] >= before + more, seconds=120)


@pytest.fixture(scope="module")
def tenants(cluster: Cluster, operator: Release) -> Iterator[Tenants]:
    with opened(cluster, "a", ledger=False) as a, opened(cluster, "b", ledger=False) as b:
        # Tenant a may do more than any test's namespace else: pods on the host's network among others.
        cluster.kubectl("label", "namespace", a.name, "pod-security.kubernetes.io/enforce=privileged", "--overwrite")
        for space in (a, b):
            space.lay_out()
            space.workers(1, wire_log=True, pool=POOL_OF_BOTH)
        steady = b.task("steady", schedule="@every 1s", payload={"of": "b"})
        until("b's task runs", lambda: steady.status.get("succeeded", 0) > 2, seconds=120)
        yield Tenants(a, b, steady)


def check(tenants: Tenants, operator: Release) -> None:
    """Nothing at b's worker is a's, nobody but the operator and the node talked to it; the same the other way."""
    pods = tenants.a.cluster.pods(operator.namespace, OPERATOR)
    replicas = {pod.status.pod_ip for pod in pods}
    node = {pod.status.host_ip for pod in pods} | {tenants.worker(tenants.b).status.pod_ip.rpartition(".")[0] + ".1"}
    for space in (tenants.b, tenants.a):
        found, uid = tenants.log(space), tenants.worker(space).metadata.uid
        assert found.requests, space.name
        assert {task.partition("/")[0] for task in found.tasks} <= {space.name}
        assert {request.meant_for for request in found.requests} == {uid}, "signed for another pod"
        assert found.peers <= replicas | node
    text = tenants.log(tenants.b).text
    assert tenants.a.name not in text
    assert MARK not in text


def hostile(b: Space, pod: Any) -> list[str]:
    """What would lead to b's worker, for whoever read it as an address, a selector or a name."""
    ip, uid, name = pod.status.pod_ip, pod.metadata.uid, pod.metadata.name
    return [
        f"{b.name}/{POOL_OF_BOTH}",
        f"../{b.name}/{POOL_OF_BOTH}",
        f"{POOL_OF_BOTH}.{b.name}",
        f"{POOL_OF_BOTH},namespace={b.name}",
        f"{POOL_OF_BOTH} -n {b.name}",
        f"{POOL_OF_BOTH}%2f..%2f{b.name}",
        f"{POOL_OF_BOTH}\r\nhost: {ip}",
        *(ip, f"{ip}:8080", f"http://{ip}:8080/", f"worker.{b.name}.svc", uid, name, f"{b.name}/steady"),
    ]


def tasks_that_mean_harm(tenants: Tenants) -> list[Json]:
    """Every text field of the definition with every text, fields that the definition does not know, and names."""
    target = tenants.worker(tenants.b)
    texts = hostile(tenants.b, target)
    plain: Json = {"schedule": "@every 5s", "pool": POOL_OF_BOTH, "handler": "tick", "payload": {"mark": MARK}}
    fields = text_fields(CRD_FILE)
    assert {"schedule", "timeZone", "pool", "handler", "routingKey"} <= set(fields)
    specs = [plain | {field: text} for field in fields for text in (*texts, *TEXTS)]
    specs += [plain | {"routingPolicy": "ConsistentHash", "routingKey": text} for text in texts]
    unknown = (
        "namespace",
        "host",
        "url",
        "address",
        "callback",
        "selector",
        "podSelector",
        "namespaceSelector",
        "worker",
    )
    values: list[Any] = [tenants.b.name, {"matchLabels": {POOL: POOL_OF_BOTH}}, {"namespace": tenants.b.name}, texts]
    specs += [plain | {field: value} for field in unknown for value in values]
    specs += [
        plain | {"payload": {"mark": MARK, "worker": {"podUID": target.metadata.uid}, "callback": text}}
        for text in texts
    ]
    found = [_task(f"harm-{number}", spec) for number, spec in enumerate(specs)]
    words = {
        "namespace": tenants.b.name,
        "address": target.status.pod_ip,
        "callback-url": f"http://{target.status.pod_ip}:8080/",
    }
    marked = _task("annotated", plain)
    marked["metadata"]["annotations"] = {f"warmcron.dev/{word}": value for word, value in words.items()}
    marked["metadata"]["labels"] = {POOL: POOL_OF_BOTH, "warmcron.dev/namespace": tenants.b.name}
    return [*found, marked, _task("steady", plain), _task(tenants.b.name, plain)]


def _task(name: str, spec: Json) -> Json:
    return manifest(name) | {"spec": spec}


def _apply_what_is_taken(tenants: Tenants, objects: list[Json]) -> int:
    """Applies one by one where a batch would stop; unknown fields are not held back on our side. Returns how many."""
    taken = 0
    sendable = [one for one in objects if "\ud800" not in json.dumps(one, ensure_ascii=False)]
    for number in range(0, len(sendable), 40):
        part = sendable[number : number + 40]
        text = "\n---\n".join(json.dumps(one) for one in part)
        try:
            said = tenants.a.cluster.kubectl("-n", tenants.a.name, "apply", "--validate=false", "-f", "-", stdin=text)
        except CommandError as error:
            said = str(error)
        taken += said.count(" created")
    return taken


def test_no_field_name_label_or_annotation_of_a_task_leads_to_anothers_worker(
    tenants: Tenants, operator: Release
) -> None:
    taken = _apply_what_is_taken(tenants, tasks_that_mean_harm(tenants))
    assert taken > 50, "too little got past the API server to say anything"
    until("a's worker has a's runs", lambda: len(tenants.log(tenants.a).tasks) > 20, seconds=120)
    tenants.runs_on()
    check(tenants, operator)
    assert MARK in tenants.log(tenants.a).text


def test_no_endpoints_of_a_tenant_redirect_anything(tenants: Tenants, operator: Release) -> None:
    """CVE-2021-25740: whoever may write EndpointSlices sends a trusted proxy where he likes."""
    ip = tenants.worker(tenants.b).status.pod_ip
    ports = [{"name": "warmcron", "port": 8080, "protocol": "TCP"}]
    for name in (POOL_OF_BOTH, "worker", "warmcron", "warmcron-workers"):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports}}
        labels = {"kubernetes.io/service-name": name, POOL: POOL_OF_BOTH}
        slice_ = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-slice", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [ip], "conditions": {"ready": True}}],
            "ports": ports,
        }
        old = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": name, "labels": {POOL: POOL_OF_BOTH}},
            "subsets": [{"addresses": [{"ip": ip}], "ports": ports}],
        }
        tenants.a.apply(service, slice_, old)
    tenants.a.task("by-endpoints", schedule="@every 1s", payload={"mark": MARK})
    until("it runs at a's worker", lambda: f"{tenants.a.name}/by-endpoints" in tenants.log(tenants.a).tasks)
    tenants.runs_on()
    check(tenants, operator)


def test_no_pod_leads_to_an_address_that_it_only_claims(tenants: Tenants, operator: Release) -> None:
    """Labels and annotations that say b's address; a pool that has such a pod alone waits, or runs on that very pod."""
    target = tenants.worker(tenants.b)
    ip = target.status.pod_ip
    spec = worker_spec(wire_log=True)
    claims = ("warmcron.dev/address", "warmcron.dev/pod-ip", "warmcron.dev/url", "cni.projectcalico.org/podIPs")
    annotations = {**dict.fromkeys(claims, ip), "k8s.v1.cni.cncf.io/network-status": json.dumps([{"ips": [ip]}])}
    labels = {"app": "claimant", POOL: "claimed", "warmcron.dev/namespace": tenants.b.name, "warmcron.dev/address": ip}
    metadata = {"name": "claimant", "labels": labels, "annotations": annotations}
    tenants.a.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    tenants.a.wait_ready(1, "app=claimant")
    tenants.a.task("claims", schedule="@every 1s", pool="claimed", payload={"mark": MARK})
    own = f"{tenants.a.name}/claims"
    until("it runs on that pod", lambda: wire.read(tenants.a.cluster, tenants.a.name, "claimant").tasks == {own})
    tenants.runs_on()
    check(tenants, operator)


def test_a_pod_on_the_hosts_network_is_never_dialled(tenants: Tenants, operator: Release) -> None:
    """Its address is the node's: whoever may make such a pod could send the operator to the kubelet."""
    container = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-u", "/app/wire_log.py", "18765"],
        "ports": [{"name": "warmcron", "containerPort": 18765}],
        "volumeMounts": [{"name": "modules", "mountPath": "/app", "readOnly": True}],
    }
    spec = {
        "hostNetwork": True,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "modules", "configMap": {"name": "modules"}}],
    }
    labels = {"app": "bait", POOL: "bait"}
    metadata = {"name": "bait", "labels": labels}
    tenants.a.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    tenants.a.wait_ready(1, "app=bait")
    lured = tenants.a.task("lured", schedule="@every 1s", pool="bait", payload={"mark": MARK})
    until("it waits for a worker", lambda: lured.condition("WorkersAvailable").get("status") == "False", seconds=90)
    tenants.runs_on()
    assert wire.read(tenants.a.cluster, tenants.a.name, "bait", 18765).requests == []
    check(tenants, operator)


def test_a_pod_that_is_on_its_way_out_gets_nothing_new(tenants: Tenants, operator: Release) -> None:
    """It goes on being ready and serving until its grace period ends."""
    tenants.a.worker("leaver", pool="leaving", wire_log=True, pre_stop=25, grace=40)
    task = tenants.a.task("leaving", schedule="@every 1s", pool="leaving", payload={"mark": MARK})
    until("it runs there", lambda: task.status.get("succeeded", 0) > 2, seconds=90)
    tenants.a.kubectl("delete", "pod", "leaver", "--wait=false")
    until("the operator knows", lambda: task.condition("WorkersAvailable").get("status") == "False", seconds=20)
    before = len(wire.read(tenants.a.cluster, tenants.a.name, "leaver").requests)
    tenants.runs_on(4)
    assert len(wire.read(tenants.a.cluster, tenants.a.name, "leaver").requests) == before
    check(tenants, operator)


def is_free(ip: str) -> bool:
    """Whether the node has given this address to nobody."""
    return call(*IN_NODE, f"ls {ADDRESSES}/{ip} 2>/dev/null || echo free") == "free\n"


def test_a_new_pod_on_an_old_address_gets_nothing_that_was_meant_for_the_other(
    tenants: Tenants, operator: Release
) -> None:
    """A worker of a's is killed while its task is due each second, and the next address that the node gives is its."""
    task = tenants.a.task("orphaned", schedule="@every 1s", pool="short", payload={"mark": MARK})
    for number in range(6):
        ran = task.status.get("succeeded", 0)
        tenants.a.worker(f"short-{number}", pool="short", wire_log=True)
        until("it runs there", lambda ran=ran: task.status.get("succeeded", 0) > ran + 1, seconds=90)  # type: ignore[misc]
        (old,) = tenants.a.cluster.pods(tenants.a.name, f"app=short-{number}")
        ip = old.status.pod_ip
        tenants.a.kubectl("delete", "pod", old.metadata.name, "--grace-period=0", "--force")
        until(f"{ip} is free", partial(is_free, ip))
        head, _, last = ip.rpartition(".")
        call(*IN_NODE, f"printf {head}.{int(last) - 1} > {ADDRESSES}/last_reserved_ip.0")
        tenants.b.worker(f"heir-{number}", pool="heirs", wire_log=True)
        (heir,) = tenants.b.cluster.pods(tenants.b.name, f"app=heir-{number}")
        if heir.status.pod_ip == ip:
            break
    else:
        pytest.fail("six pods in a row did not get the address that was free")
    tenants.b.task("heirs", schedule="@every 1s", pool="heirs")
    own = f"{tenants.b.name}/heirs"

    def read() -> Wire:
        return wire.read(tenants.b.cluster, tenants.b.name, heir.metadata.name)

    until("b's run reaches b's new pod", lambda: own in read().tasks, seconds=90)
    tenants.runs_on()
    found = read()
    assert found.tasks == {own}
    assert {request.meant_for for request in found.requests} == {heir.metadata.uid}
    assert MARK not in found.text
    assert tenants.a.name not in found.text
    check(tenants, operator)
