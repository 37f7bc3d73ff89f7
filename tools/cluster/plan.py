"""Decides from what was found which steps lead to a cluster; it looks at nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """One step of `up`, by the name that people see."""

    INSTALL = "install Debian packages"
    ENGINE = "start the Docker engine"
    PULL = "look for the kindest/node image"
    GO = "build the Go programs"
    ROOTS = "make the Debian root file systems"
    ASSEMBLE = "assemble the node image"
    LOAD = "load the node image into the engine"
    DELETE = "delete the old cluster"
    CREATE = "create the cluster"


# What people are told to expect, measured on two cores with nothing cached.
EXPECTED: dict[Step, str] = {
    Step.INSTALL: "1 min",
    Step.GO: "12 min, with two cores and nothing cached",
    Step.ROOTS: "1 min",
    Step.ASSEMBLE: "15 s",
    Step.LOAD: "10 s",
    Step.CREATE: "30 s",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found: an engine, images in it, and what the cache holds."""

    packages: tuple[str, ...] = ()
    engine: bool = False
    old_cluster: bool = False
    kind_image: bool = False
    own_image: bool = False
    node_tar: bool = False
    roots: bool = False
    programs: tuple[str, ...] = ()

    @property
    def has_image(self) -> bool:
        """Says whether a node image is at hand without a build."""
        return self.kind_image or self.own_image or self.node_tar

    @property
    def may_pull(self) -> bool:
        """Says whether a pull is worth a try: a node image built here shows that one failed before."""
        return not self.has_image


def steps(facts: Facts) -> tuple[Step, ...]:
    """Returns the steps in the order in which they begin; without an engine its images count as absent."""
    building = not facts.has_image
    needed = {
        Step.INSTALL: bool(facts.packages),
        Step.ENGINE: not facts.engine,
        Step.PULL: facts.may_pull,
        Step.GO: bool(facts.programs),
        Step.ROOTS: building and not facts.roots,
        Step.ASSEMBLE: building,
        Step.LOAD: not (facts.kind_image or facts.own_image),
        Step.DELETE: facts.old_cluster,
        Step.CREATE: True,
    }
    return tuple(step for step in Step if needed[step])
