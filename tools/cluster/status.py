"""Tells what is up, as plain data; it changes nothing."""

from __future__ import annotations

from typing import Any

from cluster import appimages, engine, gobuild, kindcluster, nodeimage, programs, toolbox, versions
from cluster.paths import CLUSTER, CONTEXT, Paths
from cluster.shell import Runner


def status(paths: Paths, run: Runner) -> dict[str, Any]:
    """Returns what is up, in which version, and where everything lives."""
    server = run.run("docker", "version", "--format", "{{.Server.Version}}", timeout=20)
    alive = server.ok
    ours = engine.ours(paths)
    return {
        "engine": {
            "up": alive,
            "version": server.out.strip() if alive else None,
            "started_by_us": ours is not None,
            "pid": ours.pid if ours else None,
        },
        "cluster": _cluster(paths, run, alive=alive),
        "images": {app.image: _image(run, app.image) if alive else None for app in appimages.APPS},
        "tools": {tool.name: not toolbox.absent(paths, [tool.name]) for tool in toolbox.TOOLS},
        "programs_to_build": gobuild.missing(paths, programs.BY_NAME),
        "versions": {
            "kubernetes": versions.KUBERNETES,
            "kind": versions.KIND,
            "etcd": versions.ETCD,
            "containerd": versions.CONTAINERD,
            "coredns": versions.COREDNS,
            "helm3": versions.HELM3,
            "helm4": versions.HELM4,
        },
        "paths": {
            "kubeconfig": str(paths.kubeconfig),
            "cache": str(paths.cache),
            "tools": str(paths.tools),
            "node_tar": str(paths.node_tar) if paths.node_tar.exists() else None,
            "logs": str(paths.logs),
        },
    }


def _cluster(paths: Paths, run: Runner, *, alive: bool) -> dict[str, Any]:
    image = kindcluster.node_image(run) if alive else None
    return {
        "name": CLUSTER,
        "context": CONTEXT,
        "node_image": image,
        "own_image": image == nodeimage.image_name(paths),
        "healthy": image is not None and kindcluster.is_healthy(paths, run),
    }


def _image(run: Runner, name: str) -> dict[str, Any] | None:
    shown = run.run("docker", "image", "inspect", "--format", "{{.Id}} {{.Size}} {{.Created}}", name)
    if not shown.ok:
        return None
    identity, size, created = shown.out.split()
    return {"id": identity, "megabytes": round(int(size) / 1e6, 1), "created": created}
