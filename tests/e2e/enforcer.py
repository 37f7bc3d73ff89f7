"""Enforces the NetworkPolicies of the test cluster, whose network knows none, by iptables inside each pod's network.

A snapshot of what the API server holds, worked out by fakes/policies.py. It follows nothing: pods that are made later
are not guarded, and addresses of Services are not looked behind. For paths between pods, to nodes and to the outside.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from e2e.cluster import NODE, Cluster, call
from fakes.policies import Grant, Pod, World

CHAINS: Final = {"Ingress": ("INPUT", "-i lo", "-s", "--dport"), "Egress": ("OUTPUT", "-o lo", "-d", "--dport")}


def world(cluster: Cluster) -> World:
    """All policies, pods and namespaces as the API server has them."""
    policies = cluster.get("/apis/networking.k8s.io/v1/networkpolicies")["items"]
    spaces = cluster.get("/api/v1/namespaces")["items"]
    pods = [Pod.of(raw) for raw in _raw_pods(cluster)]
    return World(policies, pods, {one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in spaces})


@contextmanager
def enforced(cluster: Cluster) -> Iterator[World]:
    """Every pod that a policy isolates is guarded for as long as this takes; at least one has to be."""
    seen = world(cluster)
    inside = _processes(cluster)
    guarded = {inside[pod.ip]: rules for pod in seen.pods if (rules := _rules(seen, pod))}
    assert guarded, "no policy isolates any pod: there is nothing to enforce"
    try:
        for process, rules in guarded.items():
            _restore(process, rules)
        yield seen
    finally:
        for process in guarded:
            _restore(process, _table([]))


def _rules(seen: World, pod: Pod) -> str:
    """What goes into the pod's table; empty for one that no policy isolates."""
    found: list[str] = []
    node = pod.ip.rpartition(".")[0] + ".1"  # the kubelet probes from there, and no policy keeps a pod's node away
    for direction, (chain, loopback, side, _) in CHAINS.items():
        grants = seen.grants(pod, direction)
        if grants is None:
            continue
        found += [
            f"-A {chain} {loopback} -j ACCEPT",
            f"-A {chain} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        ]
        found += [f"-A {chain} {side} {node}/32 -j ACCEPT"] if direction == "Ingress" else []
        for number, grant in enumerate(dict.fromkeys(grants)):
            found += _lines(chain, side, grant, name=f"{direction}-{number}")
        found.append(f"-A {chain} -j DROP")
    return _table(found) if found else ""


def _lines(chain: str, side: str, grant: Grant, *, name: str) -> Iterator[str]:
    where = f"{side} {grant.cidr}"
    if grant.protocol:
        where += f" -p {grant.protocol.lower()}"
    if grant.first:
        where += f" --dport {grant.first}:{grant.last}"
    if not grant.excepted:
        yield f"-A {chain} {where} -j ACCEPT"
        return
    yield f":{name} - [0:0]"
    yield from (f"-A {name} {side} {one} -j RETURN" for one in grant.excepted)
    yield f"-A {name} -j ACCEPT"
    yield f"-A {chain} {where} -j {name}"


def _table(lines: list[str]) -> str:
    chains = [line for line in lines if line.startswith(":")]
    rules = [line for line in lines if not line.startswith(":")]
    heads = [f":{chain} ACCEPT [0:0]" for chain in ("INPUT", "FORWARD", "OUTPUT")]
    return "\n".join(["*filter", *heads, *chains, *rules, "COMMIT", ""])


def _restore(process: int, table: str) -> None:
    call("docker", "exec", "-i", NODE, "nsenter", "--target", str(process), "--net", "iptables-restore", stdin=table)


def _processes(cluster: Cluster) -> dict[str, int]:
    """A process of each pod, by the pod's address: its network is the pod's."""
    listed = call("docker", "exec", NODE, "ctr", "--namespace", "k8s.io", "tasks", "list").splitlines()[1:]
    running = {line.split()[0]: int(line.split()[1]) for line in listed}
    found = {}
    for raw in _raw_pods(cluster):
        for status in raw["status"].get("containerStatuses") or []:
            if process := running.get(status.get("containerID", "").partition("://")[2]):
                found[raw["status"]["podIP"]] = process
    return found


def _raw_pods(cluster: Cluster) -> list[dict[str, Any]]:
    """Pods with a network of their own, that run."""
    found = cluster.get("/api/v1/pods")["items"]
    own = [raw for raw in found if raw["status"].get("podIP") and not raw["spec"].get("hostNetwork")]
    return [raw for raw in own if raw["status"]["phase"] == "Running"]
