"""Says as data what a kind node's file system holds beyond Debian; it writes nothing by itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

# Units that make no sense in a container, and what belongs to the machine that made the file system.
DROPPED: Final = (
    "usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "usr/lib/systemd/system/multi-user.target.wants/*",
    "etc/systemd/system/*.wants/*",
    "usr/lib/systemd/system/local-fs.target.wants/*",
    "usr/lib/systemd/system/sockets.target.wants/*udev*",
    "usr/lib/systemd/system/sockets.target.wants/*initctl*",
    "usr/lib/systemd/system/basic.target.wants/*",
    "etc/resolv.conf",
    "etc/hostname",
)
WANTS: Final = "etc/systemd/system/multi-user.target.wants"
LINKS: Final = {
    f"{WANTS}/kubelet.service": "/etc/systemd/system/kubelet.service",
    f"{WANTS}/containerd.service": "/etc/systemd/system/containerd.service",
    f"{WANTS}/undo-mount-hacks.service": "/etc/systemd/system/undo-mount-hacks.service",
    # It registers things in the kernel, which is everybody's.
    "etc/systemd/system/systemd-binfmt.service": "/dev/null",
    "usr/sbin/init": "/usr/lib/systemd/systemd",
    "opt/cni/bin": "/usr/lib/cni",
    "usr/local/sbin/runc": "/usr/sbin/runc",
}
FOLDERS: Final = (
    "kind",
    "kind/bin",
    "kind/manifests",
    "etc/kubernetes",
    "etc/kubernetes/manifests",
    "opt/cni",
)
PROGRAMS: Final = {
    "usr/local/bin/containerd": "containerd",
    "usr/local/bin/containerd-shim-runc-v2": "containerd-shim-runc-v2",
    "usr/local/bin/ctr": "ctr",
    "usr/bin/kubelet": "kubelet",
    "usr/bin/kubeadm": "kubeadm",
    "usr/bin/kubectl": "kubectl",
}
# kube-proxy calls iptables; the rest of Debian would only make every cluster slower to start.
IPTABLES: Final = (
    "bin", "sbin", "lib", "lib64", "usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "tmp", "run",
    "var", "usr/lib64/*", "etc/alternatives", "etc/alternatives/*tables*", "usr/sbin/*tables*",
    "usr/sbin/xtables*", "usr/sbin/nft", "usr/sbin/conntrack", "usr/lib/*-linux-gnu",
    "usr/lib/*-linux-gnu/lib*.so*", "usr/lib/*-linux-gnu/ld-linux*", "usr/lib/*-linux-gnu/xtables",
    "usr/lib/*-linux-gnu/xtables/*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """One file of the node: its content and its mode."""

    data: bytes
    mode: int = 0o644


def is_kept(name: str) -> bool:
    """Says whether a file of the Debian root file system stays in the node."""
    return not any(fnmatch(name, pattern) for pattern in DROPPED) and name not in LINKS


def is_for_iptables(name: str) -> bool:
    """Says whether kube-proxy's image needs this file; a star does not reach into a deeper folder."""
    depth = name.count("/")
    return any(pattern.count("/") == depth and fnmatch(name, pattern) for pattern in IPTABLES)


def containerd_config(text: str, pause: str) -> str:
    """Fits kind's containerd config to the sandbox image that the node holds."""
    text = re.sub(r'(sandbox_image\s*=\s*)".*"', lambda found: f'{found[1]}"{pause}"', text)
    # Lowering a pod's oom_score_adj takes CAP_SYS_RESOURCE; without it no sandbox would start at all.
    return text.replace("restrict_oom_score_adj = false", "restrict_oom_score_adj = true")


def container_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """Turns `ctr oci spec` into the base of every container, as kind's own build does."""
    process = {name: value for name, value in spec["process"].items() if name != "rlimits"}
    hooks = spec.get("hooks") or {}
    create = [*(hooks.get("createContainer") or []), {"path": "/kind/bin/mount-product-files.sh"}]
    return {**spec, "process": process, "hooks": {**hooks, "createContainer": create}}


def from_kind(files: Path, pause: str) -> dict[str, File]:
    """Returns the files that kind's module brings for its base image."""
    found: dict[str, File] = {}
    for path in sorted(files.rglob("*")):
        name = path.relative_to(files).as_posix()
        if not path.is_file() or name.startswith("LICENSES/"):
            continue
        runs = name.startswith(("usr/local/bin/", "kind/bin/"))
        found[name] = File(path.read_bytes(), 0o755 if runs else 0o644)
    config = found["etc/containerd/config.toml"].data.decode()
    found["etc/containerd/config.toml"] = File(containerd_config(config, pause).encode())
    return found


def our_own(node: Path, version: str, spec: dict[str, Any]) -> dict[str, File]:
    """Returns the files that this tool adds: the bridge network, the stand-ins and the version."""
    return {
        "etc/cni/net.d/10-bridge.conflist": File((node / "10-bridge.conflist").read_bytes()),
        "etc/containerd/cri-base.json": File(json.dumps(container_spec(spec)).encode()),
        "etc/systemd/journald.conf.d/kind.conf": File(b"[Journal]\nReadKMsg=no\n"),
        "kind/manifests/default-cni.yaml": File((node / "default-cni.yaml").read_bytes()),
        "kind/manifests/default-storage.yaml": File((node / "default-storage.yaml").read_bytes()),
        "kind/version": File(version.encode()),
        "usr/local/bin/crictl": File((node / "crictl").read_bytes(), 0o755),
    }
