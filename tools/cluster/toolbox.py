"""Keeps the folder with kind, kubectl, helm3 and helm4 that tests put on their PATH; it holds links only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cluster import versions
from cluster.paths import Paths
from cluster.shell import Runner


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: the names it may be installed under, how to ask for its version, and which will do."""

    name: str
    candidates: tuple[str, ...]
    ask: tuple[str, ...]
    wanted: str
    exact: bool = False
    apart: int = 0

    def will_do(self, said: str) -> bool:
        """Says whether a tool that calls itself this version can be used as it is."""
        if self.exact:
            return versions.parse(said) == versions.parse(self.wanted)
        return versions.same_minor(said, self.wanted, apart=self.apart)


TOOLS = (
    # kind and its node image belong together, so only the very same one.
    Tool("kind", ("kind",), ("version",), versions.KIND, exact=True),
    # Kubernetes supports a client that is one minor version away.
    Tool("kubectl", ("kubectl",), ("version", "--client"), versions.KUBERNETES, apart=1),
    Tool("helm3", ("helm3", "helm"), ("version", "--short"), versions.HELM3),
    Tool("helm4", ("helm4", "helm"), ("version", "--short"), versions.HELM4),
)
FOR_CLUSTER = ("kind", "kubectl")


def absent(paths: Paths, names: Iterable[str]) -> list[str]:
    """Returns those tools that the folder does not hold, or no longer."""
    return [name for name in names if not (paths.tools / name).exists()]


def link_installed(paths: Paths, run: Runner, names: Iterable[str]) -> None:
    """Links the tools that this machine has in the right version."""
    for tool in (tool for tool in TOOLS if tool.name in absent(paths, names)):
        for candidate in tool.candidates:
            program = run.which(candidate)
            if program is None or Path(program).parent == paths.tools:
                continue
            said = run.run(program, *tool.ask, timeout=20)
            if said.ok and tool.will_do(said.out):
                link(paths, tool.name, Path(program))
                break


def link_built(paths: Paths, names: Iterable[str]) -> None:
    """Links the tools that were built here."""
    for name in absent(paths, names):
        if (paths.binaries / name).exists():
            link(paths, name, paths.binaries / name)


def link(paths: Paths, name: str, program: Path) -> None:
    """Puts a link into the folder in one move, so that no test ever finds it missing."""
    paths.tools.mkdir(parents=True, exist_ok=True)
    fresh = paths.tools / f".new-{name}-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(program)
    fresh.replace(paths.tools / name)
