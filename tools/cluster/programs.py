"""Says which Go programs there are, and with which commands they are built; it builds nothing by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster import versions

STRIPPED: Final = "-s -w"


def _kubernetes_flags() -> str:
    major, minor, *_ = versions.KUBERNETES.split(".")
    parts = [STRIPPED]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        parts += [
            f"-X {package}.gitVersion=v{versions.KUBERNETES}",
            f"-X {package}.gitMajor={major}",
            f"-X {package}.gitMinor={minor}",
        ]
    return " ".join(parts)


def _helm_flags(major: int, version: str) -> str:
    kube_major, kube_minor, *_ = versions.KUBERNETES.split(".")
    package = f"helm.sh/helm/v{major}"
    parts = [STRIPPED, f"-X {package}/internal/version.version=v{version}"]
    if major == 3:  # noqa: PLR2004 - Helm 4 reads these from its own modules
        for owner in ("lint/rules", "chartutil"):
            parts.append(f"-X {package}/pkg/{owner}.k8sVersionMajor={kube_major}")
            parts.append(f"-X {package}/pkg/{owner}.k8sVersionMinor={kube_minor}")
    return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Program:
    """One Go program: the name it gets, its main package and its linker flags."""

    name: str
    package: str
    flags: str = STRIPPED

    @property
    def is_named_by_go(self) -> bool:
        """Says whether `go build` itself would give it this name."""
        return self.package.rpartition("/")[2] == self.name


KUBERNETES: Final = tuple(
    Program(name, f"k8s.io/kubernetes/cmd/{name}", _kubernetes_flags())
    for name in (
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubeadm",
        "kubectl",
        "kubelet",
    )
)
CONTAINERD: Final = tuple(
    Program(name, f"github.com/containerd/containerd/v2/cmd/{name}")
    for name in ("containerd", "containerd-shim-runc-v2", "ctr")
)
NODE: Final = (
    *KUBERNETES,
    *CONTAINERD,
    Program("coredns", "./coredns"),
    Program("pause", "./pause"),
    Program("kind", "sigs.k8s.io/kind"),
    Program("etcd", "go.etcd.io/etcd/server/v3"),
)
HELM: Final = (
    Program("helm3", "helm.sh/helm/v3/cmd/helm", _helm_flags(3, versions.HELM3)),
    Program("helm4", "helm.sh/helm/v4/cmd/helm", _helm_flags(4, versions.HELM4)),
)
BY_NAME: Final = {program.name: program for program in (*NODE, *HELM)}


@dataclass(frozen=True, slots=True)
class Build:
    """One call of `go build`, and the programs that it leaves in the output folder."""

    argv: tuple[str, ...]
    makes: tuple[str, ...]


def builds(names: Iterable[str], out: Path) -> list[Build]:
    """Returns the fewest calls that build these programs: one per set of flags, one per unusual name."""
    together: dict[str, list[Program]] = {}
    alone: list[Program] = []
    for program in (BY_NAME[name] for name in names):
        if program.is_named_by_go:
            together.setdefault(program.flags, []).append(program)
        else:
            alone.append(program)
    calls = [_build(group, f"{out}/") for group in together.values()]
    return calls + [_build([program], f"{out}/{program.name}") for program in alone]


def _build(group: list[Program], out: str) -> Build:
    packages = [program.package for program in group]
    argv = (
        "go",
        "build",
        "-v",
        "-mod=readonly",
        "-trimpath",
        "-ldflags",
        group[0].flags,
        "-o",
        out,
        *packages,
    )
    return Build(argv, tuple(program.name for program in group))
