"""Creates, checks and deletes the kind cluster; it builds no image and starts no engine."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError
from cluster.paths import CLUSTER, NODE_CONTAINER, Paths
from cluster.shell import Runner, must

CGROUP_V2_MARK = Path("/sys/fs/cgroup/cgroup.controllers")
RESTART_GRACE_SECONDS = 20.0


def kind_config(*, own_image: bool, cgroup_v1: bool) -> str:
    """Returns the text of kind's configuration for one node."""
    lines = ["kind: Cluster", "apiVersion: kind.x-k8s.io/v1alpha4", f"name: {CLUSTER}"]
    if own_image:
        # The self-built node brings its own bridge network; kind's has images that it does not hold.
        lines += ["networking:", "  disableDefaultCNI: true", "  kubeProxyMode: iptables"]
    lines += ["nodes:", "- role: control-plane"]
    if cgroup_v1:
        lines += [
            "  kubeadmConfigPatches:", "  - |", "    kind: KubeletConfiguration", "    failCgroupV1: false",
            "    cgroupDriver: cgroupfs",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def nodes_ready(nodes: dict[str, Any]) -> bool:
    """Says whether there are nodes and all of them are Ready, from `kubectl get nodes -o json`."""
    items = nodes.get("items", [])
    return bool(items) and all(
        any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"].get("conditions", []))
        for item in items
    )


def node_image(run: Runner) -> str | None:
    """Returns the image of the running node container, or None where it does not run."""
    found = run.run("docker", "inspect", "--format", "{{.State.Running}} {{.Config.Image}}", NODE_CONTAINER)
    running, _, image = found.out.strip().partition(" ")
    return image if found.ok and running == "true" else None


def exists(run: Runner) -> bool:
    """Says whether there is anything of the cluster, healthy or not."""
    return run.run("docker", "inspect", "--format", "{{.Id}}", NODE_CONTAINER).ok


def kubectl(paths: Paths, run: Runner, *argv: str, timeout: float = 30) -> str | None:
    """Asks the cluster something; None means that it gave no answer."""
    program = str(paths.tools / "kubectl")
    result = run.run(program, "--kubeconfig", str(paths.kubeconfig), *argv, timeout=timeout)
    return result.out if result.ok else None


def is_healthy(paths: Paths, run: Runner) -> bool:
    """Says whether the API answers, its nodes are Ready and CoreDNS has a ready pod."""
    if kubectl(paths, run, "get", "--raw=/readyz", timeout=5) is None:
        return False
    nodes = kubectl(paths, run, "get", "nodes", "-o", "json", timeout=10)
    if nodes is None or not nodes_ready(json.loads(nodes)):
        return False
    ready = kubectl(
        paths,
        run,
        "-n",
        "kube-system",
        "get",
        "deployment",
        "coredns",
        "-o",
        "jsonpath={.status.readyReplicas}",
    )
    return bool(ready and ready.strip() not in {"", "0"})


def becomes_healthy(paths: Paths, run: Runner, *, within: float = RESTART_GRACE_SECONDS) -> bool:
    """Gives a node that has just been restarted a moment before it counts as broken."""
    until = time.monotonic() + within
    while not is_healthy(paths, run):
        if time.monotonic() > until or node_image(run) is None:
            return False
        time.sleep(1)
    return True


def write_kubeconfig(paths: Paths, run: Runner) -> None:
    """Writes the kubeconfig for this checkout, readable by its owner only."""
    text = must(run.run(str(paths.tools / "kind"), "get", "kubeconfig", "--name", CLUSTER), "reading the kubeconfig")
    paths.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    if paths.kubeconfig.exists() and paths.kubeconfig.read_text() == text:
        paths.kubeconfig.chmod(0o600)
        return
    fresh = paths.kubeconfig.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(paths.kubeconfig)


def create(paths: Paths, run: Runner, image: str, *, own_image: bool) -> None:
    """Creates the cluster and waits until its node is Ready and DNS answers."""
    paths.run.mkdir(parents=True, exist_ok=True)
    config = paths.run / "kind.yaml"
    config.write_text(kind_config(own_image=own_image, cgroup_v1=not CGROUP_V2_MARK.exists()))
    scratch = paths.run / "kind.kubeconfig"  # kind would otherwise write into the user's own
    must(
        run.run(
            str(paths.tools / "kind"), "create", "cluster", "--name", CLUSTER, "--image", image,
            "--config", str(config), "--kubeconfig", str(scratch), "--wait", "180s", timeout=600,
        ),
        "kind create cluster",
    )  # fmt: skip
    scratch.unlink(missing_ok=True)
    write_kubeconfig(paths, run)
    rollout = ("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=180s")
    if kubectl(paths, run, *rollout, timeout=200) is None:
        raise ClusterError("CoreDNS did not become ready; see `kubectl -n kube-system describe pods`")


def delete(paths: Paths, run: Runner) -> None:
    """Deletes the cluster by its label, which needs no kind; the images stay in the engine."""
    found = run.run("docker", "ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER}")
    if nodes := must(found, "looking for the cluster's nodes").split():
        must(run.run("docker", "rm", "--force", "--volumes", *nodes, timeout=120), "deleting the cluster")
    paths.kubeconfig.unlink(missing_ok=True)


def forget_images(run: Runner, *, keep: str) -> None:
    """Removes self-built node images of other versions; one that a container still uses stays."""
    for repository in ("warmcron/node", "warmcron/node-root"):
        for tag in run.run("docker", "images", "--format", "{{.Tag}}", repository).out.split():
            if not tag.endswith(keep):
                run.run("docker", "rmi", f"{repository}:{tag}")
