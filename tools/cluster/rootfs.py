"""Makes Debian root file systems as tar files; what is in the cache already it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster import tarball, versions
from cluster.shell import Runner, must


def command(suite: str, packages: Sequence[str], target: Path) -> list[str]:
    """Returns the call of mmdebstrap."""
    return ["mmdebstrap", *versions.ROOT_OPTIONS, f"--include={','.join(packages)}", suite, str(target)]


def make(target: Path, suite: str, packages: Sequence[str], run: Runner) -> None:
    """Makes one root file system; a half-written one never has the final name."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".new-{target.name}")
    env = {"SOURCE_DATE_EPOCH": str(tarball.EPOCH)}
    must(
        run.run(*command(suite, packages, fresh), timeout=1200, env=env),
        f"making a Debian {suite} root file system",
    )
    fresh.replace(target)


def make_node(target: Path, run: Runner) -> None:
    """Makes the file system that the node image starts from."""
    make(target, versions.NODE_SUITE, versions.NODE_PACKAGES, run)


def make_python(target: Path, run: Runner) -> None:
    """Makes the file system that stands in for the Python base image."""
    make(target, versions.PYTHON_SUITE, versions.PYTHON_PACKAGES, run)
