"""What the rendered NetworkPolicies let through between the pods of an install, worked out by the rules."""

from dataclasses import replace

import pytest

from contract.chart_helm import NAMESPACE, Helm, Object, helm_or_skip, only
from fakes.policies import Pod, World

VALUES = (
    "demo.enabled=true",
    "networkPolicy.enabled=true",
    "networkPolicy.workerNamespaces={team-a}",
    "networkPolicy.apiServerCIDR=10.96.0.1/32",
    "networkPolicy.httpFrom[0].namespaceSelector.matchLabels.kubernetes\\.io/metadata\\.name=monitoring",
    "networkPolicy.extraEgress[0].to[0].ipBlock.cidr=192.0.2.10/32",
    "networkPolicy.extraEgress[0].ports[0].port=5432",
)
API_SERVER, DATABASE, METADATA, OUTSIDE = "10.96.0.1", "192.0.2.10", "169.254.169.254", "203.0.113.5"
POOL = {"warmcron.dev/pool": "main"}


@pytest.fixture(params=["helm3", "helm4"], scope="module")
def helm(request: pytest.FixtureRequest) -> Helm:
    return helm_or_skip(request.param)


@pytest.fixture(scope="module")
def objects(helm: Helm) -> list[Object]:
    return helm.render(*(word for value in VALUES for word in ("--set", value)))


def pod_of(deployment: Object, name: str, ip: str) -> Pod:
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "namespace": deployment["metadata"]["namespace"], "name": name}
    return Pod.of({"metadata": metadata, "spec": template["spec"], "status": {"podIP": ip}})


@pytest.fixture(scope="module")
def world(objects: list[Object]) -> World:
    operator = only(objects, "Deployment", "warmcron")
    demo = only(objects, "Deployment", "warmcron-demo-worker")
    pods = [
        pod_of(operator, "leader", "10.244.0.1"),
        pod_of(operator, "standby", "10.244.0.2"),
        pod_of(demo, "demo", "10.244.0.3"),
        Pod("team-a", "worker-a", "10.244.1.1", POOL, {"warmcron": 9000}),
        Pod("team-a", "web-a", "10.244.1.2", {"app": "web"}),
        Pod("team-b", "worker-b", "10.244.2.1", POOL, {"warmcron": 8080}),  # of a namespace that is not listed
        Pod("team-b", "thief", "10.244.2.2", {"app.kubernetes.io/component": "operator"}),
        Pod("monitoring", "prometheus", "10.244.3.1"),
        Pod("kube-system", "dns", "10.244.4.1"),
    ]
    # One that copies every label of the operator's into another namespace.
    pods.append(replace(pods[0], namespace="team-b", name="impostor", ip="10.244.2.3"))
    names = {pod.namespace for pod in pods}
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    return World(policies, pods, {name: {"kubernetes.io/metadata.name": name} for name in names})


@pytest.mark.parametrize(
    ("source", "target", "port", "wanted"),
    [
        # What the operator does.
        ("leader", "demo", 8080, True),
        ("leader", "worker-a", 9000, True),
        ("leader", "worker-b", 8080, True),
        ("leader", API_SERVER, 443, True),
        ("leader", DATABASE, 5432, True),
        ("leader", "dns", 53, True),
        ("standby", "leader", 8081, True),  # reports that came to the wrong one
        ("standby", "leader", 8082, True),  # questions that came to the wrong one
        # What it does not, should it be taken over.
        ("leader", "web-a", 80, False),
        ("leader", "prometheus", 9090, False),
        ("leader", METADATA, 80, False),
        ("leader", OUTSIDE, 443, False),
        ("leader", DATABASE, 22, False),
        ("leader", API_SERVER, 22, False),
        # Who reports.
        ("demo", "leader", 8081, True),
        ("worker-a", "leader", 8081, True),
        ("worker-b", "standby", 8081, True),
        ("web-a", "leader", 8081, False),
        ("prometheus", "leader", 8081, False),
        ("thief", "leader", 8081, False),
        # Who reads metrics, and who asks the API.
        ("prometheus", "leader", 8080, True),
        ("web-a", "leader", 8080, False),
        ("web-a", "leader", 8082, True),
        ("web-a", "leader", 22, False),
        # Who starts runs: the operator of this namespace, whatever labels others give themselves.
        ("web-a", "worker-a", 9000, False),
        ("worker-b", "worker-a", 9000, False),
        ("thief", "worker-a", 9000, False),
        ("impostor", "worker-a", 9000, False),
        ("impostor", "leader", 8081, False),
        ("demo", "demo", 8080, False),
        ("web-a", "demo", 8080, False),
        ("web-a", "worker-b", 8080, True),  # team-b is not in workerNamespaces
        ("worker-a", OUTSIDE, 443, True),  # what workers ask is their owners' to say
    ],
)
def test_each_path_goes_or_does_not(world: World, source: str, target: str, port: int, wanted: bool) -> None:
    by_name = {pod.name: pod for pod in world.pods}
    assert world.lets(by_name[source], by_name.get(target, target), port) is wanted


def test_names_are_asked_for_by_udp_too(world: World) -> None:
    leader, dns = world.pods[0], world.pods[8]
    assert world.lets(leader, dns, 53, "UDP")
    assert not world.lets(leader, dns, 123, "UDP")


def test_nothing_is_rendered_unless_asked_for(helm: Helm) -> None:
    assert not [one for one in helm.render("--set", "demo.enabled=true") if one["kind"] == "NetworkPolicy"]


def test_each_namespace_has_one_policy_for_its_workers(helm: Helm) -> None:
    asked = f"networkPolicy.enabled=true,networkPolicy.workerNamespaces={{{NAMESPACE},team-a}},demo.enabled=true"
    found = [one["metadata"] for one in helm.render("--set", asked) if one["kind"] == "NetworkPolicy"]
    assert sorted((one["namespace"], one["name"]) for one in found) == [
        ("team-a", "warmcron-workers"),
        (NAMESPACE, "warmcron"),
        (NAMESPACE, "warmcron-workers"),
    ]
