"""Names every version that the cluster is made of; it asks nothing of the machine."""

from __future__ import annotations

import re
from typing import Final

KUBERNETES: Final = "1.37.2"
KIND: Final = "0.33.0"
ETCD: Final = "3.7.3"
CONTAINERD: Final = "2.4.2"
COREDNS: Final = "1.15.0"
HELM3: Final = "3.22.0"
HELM4: Final = "4.3.1"

# The image that kind 0.33.0 itself would take; where it can be pulled, nothing is built.
KIND_NODE_IMAGE: Final = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
PYTHON_IMAGE: Final = "python:3.13-slim"

NODE_SUITE: Final = "bookworm"
NODE_PACKAGES: Final = (
    "bash", "ca-certificates", "conntrack", "containernetworking-plugins", "curl", "e2fsprogs", "ethtool",
    "iproute2", "iptables", "jq", "kmod", "libseccomp2", "mount", "netbase", "nftables", "procps", "runc",
    "systemd", "util-linux",
)  # fmt: skip
PYTHON_SUITE: Final = "trixie"
PYTHON_PACKAGES: Final = ("ca-certificates", "python3-minimal", "python3-venv")

# Manuals and translations: a third of the size, and nobody reads them in a container.
ROOT_OPTIONS: Final = (
    "--variant=minbase",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    # Otherwise the names of the machine that builds would be in it.
    '--customize-hook=rm -f "$1/etc/resolv.conf" "$1/etc/hostname"',
)

# Which requirement of go.mod each version above has to be equal to.
MODULES: Final = {
    "k8s.io/kubernetes": KUBERNETES,
    "sigs.k8s.io/kind": KIND,
    "go.etcd.io/etcd/server/v3": ETCD,
    "github.com/containerd/containerd/v2": CONTAINERD,
    "github.com/coredns/coredns": COREDNS,
    "helm.sh/helm/v3": HELM3,
    "helm.sh/helm/v4": HELM4,
}


def parse(text: str) -> tuple[int, ...] | None:
    """Finds the first dotted version in a text, as numbers: `go version go1.26.8 linux` gives (1, 26, 8)."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else None


def at_least(text: str, wanted: str) -> bool:
    """Says whether the version in a text is the wanted one or newer; no version at all is too old."""
    have, need = parse(text), parse(wanted)
    return have is not None and need is not None and have >= need


def same_minor(text: str, wanted: str, *, apart: int = 0) -> bool:
    """Says whether two versions share the major number, with minor numbers at most `apart`."""
    have, need = parse(text), parse(wanted)
    if have is None or need is None:
        return False
    return have[0] == need[0] and abs(have[1] - need[1]) <= apart


def go_directive(go_mod: str) -> str:
    """Returns the Go version that a go.mod asks for."""
    found = re.search(r"^go (\S+)$", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError("go.mod has no go directive")
    return found[1]


def required(go_mod: str) -> dict[str, str]:
    """Returns the modules that a go.mod requires, with their versions without the leading v."""
    return dict(re.findall(r"^\s+(\S+) v(\S+)$", go_mod, re.MULTILINE)) | dict(
        re.findall(r"^\s+(\S+) v(\S+) // indirect$", go_mod, re.MULTILINE)
    )
