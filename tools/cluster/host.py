"""Says what this host lacks, and installs what may be installed; it asks for nothing that is not needed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from cluster import versions
from cluster.errors import CannotInstallError
from cluster.shell import Runner


@dataclass(frozen=True, slots=True)
class Host:
    """What was found on this host."""

    root: bool
    apt: bool
    engine: bool
    docker: bool
    dockerd: bool
    iptables: bool
    mmdebstrap: bool


def look(run: Runner, *, engine: bool) -> Host:
    """Looks at this host; whether an engine answers has been found out already."""
    return Host(
        root=os.geteuid() == 0,
        apt=run.which("apt-get") is not None,
        engine=engine,
        docker=run.which("docker") is not None,
        dockerd=run.which("dockerd") is not None,
        iptables=run.which("iptables") is not None,
        mmdebstrap=run.which("mmdebstrap") is not None,
    )


def packages(host: Host, *, building: bool) -> tuple[str, ...]:
    """Returns the Debian packages that are missing; `building` says that root file systems will be made."""
    wanted = []
    if not host.engine and not (host.dockerd and host.docker):
        wanted.append("docker.io")
    if not host.engine and not host.iptables:
        wanted.append("iptables")
    if building and not host.mmdebstrap:
        wanted += ["mmdebstrap", "debian-archive-keyring"]
    return tuple(wanted)


def complaint(host: Host, *, building: bool) -> str | None:
    """Returns the one sentence that says why this host cannot make the cluster, or None where it can."""
    if not host.engine and not host.root:
        return "No Docker engine answers, and only root may start one: start Docker, or run this as root."
    if building and not host.root:
        image = versions.KIND_NODE_IMAGE.partition("@")[0]
        return (
            f"{image} cannot be pulled, and only root may build a node image: "
            "make that image available to Docker, or run this as root."
        )
    lacking = packages(host, building=building)
    if lacking and not host.apt:
        names = " and ".join(lacking)
        return f"There is no apt-get to install {names} with: install that by hand, then run again."
    return None


def install(names: Sequence[str], run: Runner) -> None:
    """Installs Debian packages; the lists are fetched first, for a new machine has none."""
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    # One source that does not answer makes this fail; whether the packages are to be had, the next call says.
    run.run("apt-get", "update", "-q", timeout=300, env=env)
    argv = ("apt-get", "install", "-q", "-y", "--no-install-recommends", *names)
    done = run.run(*argv, timeout=900, env=env)
    if not done.ok:
        last = (done.err.strip() or done.out.strip()).splitlines()[-1:]
        raise CannotInstallError(f"apt-get could not install {' '.join(names)}: {' '.join(last)}")
