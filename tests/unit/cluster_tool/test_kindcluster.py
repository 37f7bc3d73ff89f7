import stat
from collections.abc import Callable
from typing import Any

import pytest

from cluster import kindcluster
from cluster.errors import ClusterError
from cluster.paths import Paths
from cluster.shell import Result


def test_a_host_with_cgroup_v1_tells_the_kubelet_so() -> None:
    text = kindcluster.kind_config(own_image=True, cgroup_v1=True)
    assert "    failCgroupV1: false\n    cgroupDriver: cgroupfs\n" in text
    assert "failCgroupV1" not in kindcluster.kind_config(own_image=True, cgroup_v1=False)


def test_kinds_own_image_keeps_kinds_own_network() -> None:
    assert "disableDefaultCNI" not in kindcluster.kind_config(own_image=False, cgroup_v1=True)
    assert "  disableDefaultCNI: true\n" in kindcluster.kind_config(own_image=True, cgroup_v1=False)


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([[{"type": "Ready", "status": "True"}]], True),
        ([[{"type": "Ready", "status": "True"}], [{"type": "Ready", "status": "False"}]], False),
        ([[{"type": "MemoryPressure", "status": "False"}]], False),
        ([], False),  # no node at all
    ],
)
def test_a_cluster_is_ready_when_all_its_nodes_are(conditions: list[list[dict[str, str]]], ready: bool) -> None:
    nodes = {"items": [{"status": {"conditions": each}} for each in conditions]}
    assert kindcluster.nodes_ready(nodes) is ready


@pytest.mark.parametrize(
    ("answer", "image"),
    [
        (Result(0, "true warmcron/node:v1\n", ""), "warmcron/node:v1"),
        (Result(0, "false warmcron/node:v1\n", ""), None),  # there, but stopped
        (Result(1, "", "no such object"), None),
    ],
)
def test_only_a_running_node_has_an_image(scripted: Callable[..., Any], answer: Result, image: str | None) -> None:
    assert kindcluster.node_image(scripted({"docker inspect": answer})) == image


def test_the_kubeconfig_is_for_its_owner_only(paths: Paths, scripted: Callable[..., Any]) -> None:
    paths.kubeconfig.parent.mkdir()
    paths.kubeconfig.write_text("old")
    paths.kubeconfig.chmod(0o644)
    runner = scripted({"kind get kubeconfig": "secret"})
    kindcluster.write_kubeconfig(paths, runner)
    assert paths.kubeconfig.read_text() == "secret"
    assert stat.S_IMODE(paths.kubeconfig.stat().st_mode) == 0o600
    paths.kubeconfig.chmod(0o644)
    kindcluster.write_kubeconfig(paths, runner)
    assert stat.S_IMODE(paths.kubeconfig.stat().st_mode) == 0o600


def answers(paths: Paths, **given: str) -> dict[str, str | Result]:
    start = f"kubectl --kubeconfig {paths.kubeconfig}"
    ready = '{"items": [{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}]}'
    return {
        f"{start} get --raw=/readyz": given.get("api", "ok"),
        f"{start} get nodes": given.get("nodes", ready),
        f"{start} -n kube-system get deployment coredns": given.get("dns", "2"),
    }


@pytest.mark.parametrize(
    ("given", "healthy"),
    [({}, True), ({"nodes": '{"items": []}'}, False), ({"dns": ""}, False), ({"dns": "0"}, False)],
)
def test_a_healthy_cluster_has_an_api_ready_nodes_and_dns(
    paths: Paths, scripted: Callable[..., Any], given: dict[str, str], healthy: bool
) -> None:
    assert kindcluster.is_healthy(paths, scripted(answers(paths, **given))) is healthy


def test_a_cluster_whose_node_is_gone_is_not_waited_for(paths: Paths, scripted: Callable[..., Any]) -> None:
    assert kindcluster.becomes_healthy(paths, scripted(), within=60) is False


def test_deleting_removes_the_nodes_of_this_cluster_only(paths: Paths, scripted: Callable[..., Any]) -> None:
    runner = scripted({"docker ps": "abc\n", "docker rm": ""})
    kindcluster.delete(paths, runner)
    assert "label=io.x-k8s.kind.cluster=warmcron" in runner.calls[0]
    assert runner.calls[1] == ("docker", "rm", "--force", "--volumes", "abc")


def test_there_may_be_nothing_to_delete(paths: Paths, scripted: Callable[..., Any]) -> None:
    runner = scripted({"docker ps": ""})
    kindcluster.delete(paths, runner)
    assert len(runner.calls) == 1


def test_node_images_of_other_versions_are_let_go(scripted: Callable[..., Any]) -> None:
    runner = scripted({"docker images": "v1-old\nv1-new\n", "docker rmi": ""})
    kindcluster.forget_images(runner, keep="new")
    removed = [call[2] for call in runner.calls if call[1] == "rmi"]
    assert removed == ["warmcron/node:v1-old", "warmcron/node-root:v1-old"]


def test_a_cluster_that_cannot_be_created_shows_what_kind_said(paths: Paths, scripted: Callable[..., Any]) -> None:
    runner = scripted({"kind create cluster": Result(1, "", "ERROR: node is on fire")})
    with pytest.raises(ClusterError, match="node is on fire"):
        kindcluster.create(paths, runner, "image", own_image=True)
