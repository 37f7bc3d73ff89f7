"""Decides how to get from what is there to a running cluster; the doing itself is in `work.py`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from cluster import plan
from cluster.errors import ClusterError
from cluster.plan import Facts, Step
from cluster.progress import Progress


class Work(Protocol):
    """Everything that `up` does to the machine; each call returns when it is done."""

    def gather(self) -> Facts:
        """Finds out what is there."""
        ...

    def check(self, *, building: bool) -> tuple[str, ...]:
        """Returns the Debian packages that are missing for this, or raises with what cannot be installed."""
        ...

    def install(self, packages: tuple[str, ...]) -> None:
        """Installs Debian packages."""
        ...

    def start_engine(self) -> None:
        """Starts the Docker engine."""
        ...

    def keep_traffic_here(self) -> None:
        """Keeps the cluster's traffic on this machine where the engine is ours."""
        ...

    def pull(self) -> bool:
        """Tries to pull kind's node image."""
        ...

    def compile(self, programs: tuple[str, ...], cancelled: threading.Event) -> None:
        """Builds Go programs, unless it is cancelled before that."""
        ...

    def far(self) -> str:
        """Says how far the compiling is."""
        ...

    def tools_to_build(self) -> tuple[str, ...]:
        """Returns which of kind and kubectl have to be built here."""
        ...

    def make_roots(self) -> None:
        """Makes the Debian root file systems."""
        ...

    def assemble(self) -> None:
        """Assembles the node image."""
        ...

    def load(self) -> None:
        """Loads the node image into the engine."""
        ...

    def delete(self) -> None:
        """Deletes the old cluster."""
        ...

    def create(self, *, own_image: bool) -> None:
        """Creates the cluster."""
        ...


@dataclass(slots=True)
class Up:
    """One run of `up`, past the point where a healthy cluster was found."""

    work: Work
    facts: Facts
    progress: Progress
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _compiling: Future[None] | None = None

    def go(self) -> None:
        """Does everything that is not done yet, the slow compiling beside the rest."""
        with ThreadPoolExecutor(1) as pool:
            try:
                self._prepare(pool)
                own_image = self._image(pool)
                if self.facts.old_cluster:
                    self._do(Step.DELETE, self.work.delete)
                self._do(Step.CREATE, lambda: self.work.create(own_image=own_image))
            finally:
                # A failure elsewhere must not have to wait for the compiler.
                self._cancelled.set()

    def _do(self, step: Step, work: Callable[[], None], *, far: Callable[[], str] | None = None) -> None:
        with self.progress.step(step.value, expect=plan.EXPECTED.get(step, ""), far=far):
            work()

    def _prepare(self, pool: ThreadPoolExecutor) -> None:
        """Makes sure of an engine. Without one nothing can be pulled yet, so compiling starts beside it."""
        if self.facts.engine:
            self.work.keep_traffic_here()
            return
        packages = self.work.check(building=False)
        if self.facts.programs:
            self._compile(pool, self.facts.programs)
        if packages:
            self._do(Step.INSTALL, lambda: self.work.install(packages))
        self._do(Step.ENGINE, self.work.start_engine)
        self.work.keep_traffic_here()
        self.facts = self.work.gather()
        rest = [step for step in plan.steps(self.facts) if step is not Step.GO or self._compiling is None]
        self.progress.total = self.progress.number + len(rest)

    def _compile(self, pool: ThreadPoolExecutor, programs: tuple[str, ...]) -> None:
        def work() -> None:
            self._do(Step.GO, lambda: self.work.compile(programs, self._cancelled), far=self.work.far)

        self._compiling = pool.submit(work)

    def _image(self, pool: ThreadPoolExecutor) -> bool:
        """Sees to a node image, pulled or built, and says whether it is our own."""
        if self.facts.kind_image or (self.facts.may_pull and self._pulled()):
            self._tools(pool)
            return False
        building = not self.facts.has_image
        packages = self.work.check(building=True) if building else ()
        if self.facts.programs and self._compiling is None:
            self._compile(pool, self.facts.programs)
        if building and not self.facts.roots:
            if packages:
                self._do(Step.INSTALL, lambda: self.work.install(packages))
            self._do(Step.ROOTS, self.work.make_roots)
        if self._compiling:
            self._compiling.result()
        if building:
            self._do(Step.ASSEMBLE, self.work.assemble)
        if not self.facts.own_image:
            self._do(Step.LOAD, self.work.load)
        return True

    def _pulled(self) -> bool:
        answers: list[bool] = []
        self._do(Step.PULL, lambda: answers.append(self.work.pull()))
        if not answers[0]:
            self.progress.say("kindest/node cannot be pulled here: a node image is built instead")
        return answers[0]

    def _tools(self, pool: ThreadPoolExecutor) -> None:
        """Ends a compiling that has become pointless, and sees to kind and kubectl."""
        if self._compiling:
            self._cancelled.set()
            try:
                self._compiling.result()
            except ClusterError as problem:
                self.progress.say(f"no matter, for nothing has to be built: {problem}")
            self._cancelled.clear()
        if names := self.work.tools_to_build():
            self._compile(pool, names)
        else:
            self._compiling = None
        if self._compiling:
            self._compiling.result()
