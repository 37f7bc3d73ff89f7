"""The chart's NetworkPolicies on the live cluster: needed paths go, forbidden ones time out, as the rules work out."""

from collections.abc import Iterator
from typing import Final

import pytest

from e2e.cluster import Cluster, Json, until
from e2e.enforcer import enforced, world
from e2e.release import Release
from e2e.space import Space, opened
from fakes.policies import Pod, World

# Tries to connect, and prints what came of it.
CONNECT: Final = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 4).close()
    print("open")
except TimeoutError:
    print("silent")
except OSError as error:
    print(type(error).__name__)
"""


def connects(cluster: Cluster, source: Pod, target: Pod, port: int) -> str:
    """What a process of one pod comes to when it connects to another."""
    argv = ("exec", source.name, "--", "python", "-I", "-c", CONNECT, target.ip, str(port))
    return cluster.kubectl("-n", source.namespace, *argv).strip()


def find(seen: World, namespace: str, **labels: str) -> Pod:
    return next(pod for pod in seen.pods if pod.namespace == namespace and labels.items() <= pod.labels.items())


def policy(name: str, selector: Json, **spec: object) -> Json:
    metadata = {"name": name}
    body = {"podSelector": {"matchLabels": selector}, **spec}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": body}


@pytest.fixture(scope="module")
def space(cluster: Cluster, operator: Release) -> Iterator[Space]:
    with opened(cluster, "network") as found:
        found.workers(1)
        yield found


def test_the_enforcer_denies_what_a_plain_policy_denies_and_nothing_when_it_is_gone(
    cluster: Cluster, space: Space
) -> None:
    """Without this, nothing below would say anything."""
    seen = world(cluster)
    worker, ledger = find(seen, space.name, app="worker"), find(seen, space.name, app="ledger")
    assert connects(cluster, ledger, worker, 8080) == "open"
    space.apply(policy("deny", {"app": "worker"}, policyTypes=["Ingress"]))
    with enforced(cluster):
        assert connects(cluster, ledger, worker, 8080) == "silent"
        assert connects(cluster, worker, ledger, 8080) == "open", "what it asks itself is no ingress"
    assert connects(cluster, ledger, worker, 8080) == "open"
    space.kubectl("delete", "networkpolicy", "deny")


def test_needed_paths_go_and_forbidden_ones_are_silent(cluster: Cluster, operator: Release, space: Space) -> None:
    crds = operator._owns_definition()
    try:
        values = ("networkPolicy.enabled=true", f"networkPolicy.workerNamespaces={{{space.name}}}")
        operator.install(*(word for value in values for word in ("--set", value)), crds=crds)
        operator.leader()
        with enforced(cluster) as seen:
            # Operator to worker, worker to Service and operator, operator to API server and DNS: by what they do.
            long = space.task("long", handler="nap", payload={"seconds": 4})
            long.trigger("once")
            assert long.finished(seconds=90)["outcome"] == "Succeeded"
            steady = space.task("steady", schedule="@every 1s", backoffLimit=0)
            until("it runs", lambda: steady.status.get("succeeded", 0) > 4, seconds=90)
            assert steady.status["failed"] == 0
            component = ("app.kubernetes.io/component", "operator")
            one, other = (pod for pod in seen.pods if component in pod.labels.items())
            worker, ledger = find(seen, space.name, app="worker"), find(seen, space.name, app="ledger")
            dns = find(seen, "kube-system", **{"k8s-app": "kube-dns"})
            for source, target, port, wanted in (
                (ledger, worker, 8080, False),  # nobody but the operator starts runs
                (ledger, one, 8081, False),  # nobody but workers and replicas reports
                (ledger, one, 8080, True),  # metrics: everybody, unless httpFrom says who
                (ledger, one, 8082, True),  # the API: everybody, unless apiFrom says who
                (one, worker, 8080, True),
                (one, other, 8081, True),  # a standby passes reports on
                (one, other, 8082, True),
                (one, other, 8080, False),
                (one, ledger, 8080, False),  # an operator that was taken over reaches little
                (one, dns, 53, True),
                (worker, one, 8081, True),
                (worker, one, 8080, True),
                (worker, ledger, 8080, True),  # what workers may ask is their owner's to say
            ):
                about = f"{source.name} to {target.name} port {port}"
                assert seen.lets(source, target, port) is wanted, f"by the rules: {about}"
                assert (connects(cluster, source, target, port) == "open") is wanted, f"on the wire: {about}"
    finally:
        operator.install(crds=crds)
        operator.leader()
