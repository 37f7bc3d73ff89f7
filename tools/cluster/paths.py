"""Says where everything lives in the repository and the cache; it creates none of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster import hashing

CLUSTER = "warmcron"
CONTEXT = f"kind-{CLUSTER}"
NODE_CONTAINER = f"{CLUSTER}-control-plane"


def cache_folder(env: Mapping[str, str], home: Path) -> Path:
    """Returns the folder for everything slow: WARMCRON_CACHE, or the usual place for caches."""
    if chosen := env.get("WARMCRON_CACHE"):
        return Path(chosen)
    base = env.get("XDG_CACHE_HOME")
    return (Path(base) if base else home / ".cache") / "warmcron"


@dataclass(frozen=True, slots=True)
class Paths:
    """Every place that this tool reads from or writes to."""

    repo: Path
    cache: Path

    @property
    def tool(self) -> Path:
        """The folder of this tool's own sources."""
        return self.repo / "tools" / "cluster"

    @property
    def node(self) -> Path:
        """The committed inputs of the self-built node image."""
        return self.tool / "node"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig that `up` writes."""
        return self.repo / ".cache" / "kubeconfig"

    @property
    def binaries(self) -> Path:
        """The Go programs, in a folder named after everything that goes into them."""
        return self.cache / "bin" / hashing.go_key(self.node)

    @property
    def tools(self) -> Path:
        """The folder that tests put on their PATH."""
        return self.cache / "tools" / hashing.go_key(self.node)

    @property
    def node_key(self) -> str:
        """The key of the self-built node image."""
        return hashing.node_key(self.tool)

    @property
    def node_root(self) -> Path:
        """The Debian root file system that the node image starts from."""
        return self.cache / "rootfs" / f"node-{hashing.node_root_key()}.tar"

    @property
    def python_root(self) -> Path:
        """The Debian root file system that stands in for the Python base image."""
        return self.cache / "rootfs" / f"python-{hashing.python_root_key()}.tar"

    @property
    def node_tar(self) -> Path:
        """The whole node image as one file, so that a fresh engine needs only an import."""
        return self.cache / "node" / f"{self.node_key}.tar"

    @property
    def logs(self) -> Path:
        """Where the output of slow programs goes."""
        return self.cache / "logs"

    @property
    def run(self) -> Path:
        """What is remembered about programs that are running: the engine that we started."""
        return self.cache / "run"

    @property
    def lock(self) -> Path:
        """The file that two calls at the same time are told apart by."""
        return self.cache / "lock"


def here(env: Mapping[str, str] | None = None) -> Paths:
    """Returns the places for the checkout that this file is in."""
    return Paths(
        repo=Path(__file__).resolve().parents[2],
        cache=cache_folder(os.environ if env is None else env, Path.home()),
    )
