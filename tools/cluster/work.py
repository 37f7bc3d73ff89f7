"""Does what `up` decides, by calling the module that knows how; it decides nothing itself."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field

from cluster import (
    engine,
    gobuild,
    host,
    kindcluster,
    nodeimage,
    plan,
    programs,
    pulling,
    rootfs,
    toolbox,
    versions,
)
from cluster.errors import CannotInstallError
from cluster.paths import CONTEXT, Paths
from cluster.progress import Progress
from cluster.shell import Runner, must
from cluster.up import Up


@dataclass(slots=True)
class Machine:
    """Works on this machine for real."""

    paths: Paths
    run: Runner
    _building: gobuild.GoBuild | None = field(default=None)

    def gather(self) -> plan.Facts:
        """Finds out what is there."""
        alive = engine.answers(self.run)
        own_image = alive and pulling.present(self.run, nodeimage.image_name(self.paths))
        kind_image = alive and pulling.present(self.run, versions.KIND_NODE_IMAGE)
        has_image = own_image or kind_image or self.paths.node_tar.exists()
        tools = self.tools_to_build()
        wanted = tools if has_image else tuple(program.name for program in programs.NODE)
        found = host.look(self.run, engine=alive)
        return plan.Facts(
            packages=host.packages(found, building=False),
            engine=alive,
            old_cluster=alive and kindcluster.exists(self.run),
            kind_image=kind_image,
            own_image=own_image,
            node_tar=self.paths.node_tar.exists(),
            roots=self.paths.node_root.exists() and self.paths.python_root.exists(),
            programs=tuple(gobuild.missing(self.paths, wanted)),
        )

    def check(self, *, building: bool) -> tuple[str, ...]:
        """Returns the Debian packages that are missing for this, or raises with what cannot be installed."""
        found = host.look(self.run, engine=engine.answers(self.run))
        making = building and not (self.paths.node_root.exists() and self.paths.python_root.exists())
        if problem := host.complaint(found, building=building):
            raise CannotInstallError(problem)
        return host.packages(found, building=making)

    def install(self, packages: tuple[str, ...]) -> None:
        """Installs Debian packages."""
        host.install(packages, self.run)

    def start_engine(self) -> None:
        """Starts the Docker engine."""
        engine.start(self.paths, self.run)

    def keep_traffic_here(self) -> None:
        """Keeps the cluster's traffic on this machine where the engine is ours."""
        if engine.ours(self.paths):
            engine.keep_traffic_here(self.run)

    def pull(self) -> bool:
        """Tries to pull kind's node image."""
        return pulling.pull(versions.KIND_NODE_IMAGE)

    def compile(self, names: tuple[str, ...], cancelled: threading.Event) -> None:
        """Builds Go programs, unless it is cancelled before that."""
        env = gobuild.check_go(self.paths, self.run)
        self._building = gobuild.GoBuild(self.paths, env, names, cancelled)
        self._building.run()
        toolbox.link_built(self.paths, toolbox.FOR_CLUSTER)

    def far(self) -> str:
        """Says how far the compiling is."""
        return self._building.far() if self._building else "not begun"

    def tools_to_build(self) -> tuple[str, ...]:
        """Returns which of kind and kubectl have to be built here."""
        toolbox.link_built(self.paths, toolbox.FOR_CLUSTER)
        toolbox.link_installed(self.paths, self.run, toolbox.FOR_CLUSTER)
        return tuple(toolbox.absent(self.paths, toolbox.FOR_CLUSTER))

    def make_roots(self) -> None:
        """Makes the Debian root file systems."""
        rootfs.make_node(self.paths.node_root, self.run)
        rootfs.make_python(self.paths.python_root, self.run)

    def assemble(self) -> None:
        """Assembles the node image; kind's files come from Go's module cache, which may have been emptied."""
        fetched = self.run.run("go", "mod", "download", "sigs.k8s.io/kind", cwd=self.paths.node, timeout=300)
        must(fetched, "fetching kind's files")
        nodeimage.build(self.paths, self.run)

    def load(self) -> None:
        """Loads the node image into the engine."""
        nodeimage.load(self.paths, self.run)

    def delete(self) -> None:
        """Deletes the old cluster."""
        kindcluster.delete(self.paths, self.run)

    def create(self, *, own_image: bool) -> None:
        """Creates the cluster, and lets go of node images of other versions."""
        image = nodeimage.image_name(self.paths) if own_image else versions.KIND_NODE_IMAGE
        kindcluster.create(self.paths, self.run, image, own_image=own_image)
        kindcluster.forget_images(self.run, keep=self.paths.node_key)


def is_up(paths: Paths, run: Runner) -> bool:
    """Says whether a healthy cluster of this version is up already; if so its kubeconfig is written."""
    if not engine.answers(run):
        return False
    if kindcluster.node_image(run) not in {versions.KIND_NODE_IMAGE, nodeimage.image_name(paths)}:
        return False
    toolbox.link_built(paths, toolbox.FOR_CLUSTER)
    if toolbox.absent(paths, toolbox.FOR_CLUSTER):
        return False
    Machine(paths, run).keep_traffic_here()
    kindcluster.write_kubeconfig(paths, run)
    return kindcluster.becomes_healthy(paths, run)


def up(paths: Paths, run: Runner) -> None:
    """Gives a running cluster, the fastest way that there is."""
    closing = f"{CONTEXT} is up; KUBECONFIG={paths.kubeconfig}"
    if is_up(paths, run):
        print(closing, file=sys.stderr)
        return
    machine = Machine(paths, run)
    facts = machine.gather()
    progress = Progress(total=len(plan.steps(facts)))
    Up(machine, facts, progress).go()
    progress.finish(closing)
