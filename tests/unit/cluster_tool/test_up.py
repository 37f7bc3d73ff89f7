import io
import threading
from dataclasses import dataclass, field, replace

import pytest

from cluster.errors import CannotInstallError, ClusterError
from cluster.plan import Facts, steps
from cluster.progress import Progress
from cluster.up import Up

WAIT = 10


@dataclass
class FakeWork:
    """A machine on which every step takes no time, and which remembers what was done to it."""

    facts: Facts
    packages: tuple[str, ...] = ()
    pullable: bool = False
    tools: tuple[str, ...] = ()
    compile_problem: ClusterError | None = None
    build_problem: ClusterError | None = None
    compiles_until_cancelled: bool = False
    done: list[str] = field(default_factory=list)
    compile_began: threading.Event = field(default_factory=threading.Event)

    def gather(self) -> Facts:
        return self.facts

    def check(self, *, building: bool) -> tuple[str, ...]:
        if building and self.build_problem:
            raise self.build_problem
        return self.packages if building else ()

    def install(self, packages: tuple[str, ...]) -> None:
        self.done.append(f"install {' '.join(packages)}")

    def start_engine(self) -> None:
        if self.compiles_until_cancelled:
            assert self.compile_began.wait(WAIT)
        self.done.append("engine")
        self.facts = replace(self.facts, engine=True)

    def keep_traffic_here(self) -> None:
        self.done.append("fence")

    def pull(self) -> bool:
        self.done.append("pull")
        return self.pullable

    def compile(self, programs: tuple[str, ...], cancelled: threading.Event) -> None:
        self.compile_began.set()
        if self.compile_problem:
            raise self.compile_problem
        if self.compiles_until_cancelled and programs != self.tools:
            assert cancelled.wait(WAIT)
            self.done.append("compiling ended early")
        else:
            self.done.append(f"compile {' '.join(programs)}")

    def far(self) -> str:
        return ""

    def tools_to_build(self) -> tuple[str, ...]:
        return self.tools

    def make_roots(self) -> None:
        self.done.append("roots")

    def assemble(self) -> None:
        self.done.append("assemble")

    def load(self) -> None:
        self.done.append("load")

    def delete(self) -> None:
        self.done.append("delete")

    def create(self, *, own_image: bool) -> None:
        self.done.append("create own" if own_image else "create kind's")


def go(work: FakeWork) -> str:
    said = io.StringIO()
    Up(work, work.facts, Progress(total=len(steps(work.facts)), out=said)).go()
    return said.getvalue()


def test_a_new_machine_gets_an_engine_a_build_and_a_cluster() -> None:
    work = FakeWork(Facts(programs=("kubelet", "kind")), packages=("mmdebstrap",))
    go(work)
    assert set(work.done) == {
        "compile kubelet kind", "engine", "fence", "pull", "install mmdebstrap", "roots", "assemble", "load",
        "create own",
    }  # fmt: skip
    assert work.done.index("compile kubelet kind") < work.done.index("assemble")
    assert work.done[-3:] == ["assemble", "load", "create own"]


def test_the_fence_around_the_traffic_stands_before_the_cluster() -> None:
    work = FakeWork(Facts(own_image=True))
    go(work)
    assert work.done == ["engine", "fence", "create own"]


def test_an_image_that_can_be_pulled_ends_the_compiling() -> None:
    work = FakeWork(Facts(programs=("kubelet",)), pullable=True, compiles_until_cancelled=True)
    go(work)
    assert work.done == ["engine", "fence", "pull", "compiling ended early", "create kind's"]


def test_kubectl_is_built_even_when_the_image_was_pulled() -> None:
    work = FakeWork(
        Facts(programs=("kubelet", "kubectl")), pullable=True, tools=("kubectl",), compiles_until_cancelled=True
    )
    go(work)
    assert work.done[-2:] == ["compile kubectl", "create kind's"]


def test_no_go_is_no_problem_where_the_image_can_be_pulled() -> None:
    work = FakeWork(Facts(programs=("kubelet",)), pullable=True, compile_problem=CannotInstallError("no Go"))
    go(work)
    assert work.done[-1] == "create kind's"


def test_no_go_is_a_problem_where_it_cannot() -> None:
    work = FakeWork(Facts(engine=True, programs=("kubelet",)), compile_problem=CannotInstallError("no Go"))
    with pytest.raises(CannotInstallError, match="no Go"):
        go(work)
    assert "create own" not in work.done


def test_a_failure_beside_the_compiling_ends_the_compiling() -> None:
    problem = CannotInstallError("only root may build")
    work = FakeWork(Facts(programs=("kubelet",)), build_problem=problem, compiles_until_cancelled=True)
    with pytest.raises(CannotInstallError, match="only root"):
        go(work)
    assert work.done[-1] == "compiling ended early"


def test_with_an_engine_nothing_is_compiled_before_a_pull_was_tried() -> None:
    work = FakeWork(Facts(engine=True, programs=("kubelet",), roots=True))
    go(work)
    assert work.done == ["fence", "pull", "compile kubelet", "assemble", "load", "create own"]


def test_a_cached_node_image_is_neither_pulled_nor_built() -> None:
    work = FakeWork(Facts(engine=True, node_tar=True, old_cluster=True))
    go(work)
    assert work.done == ["fence", "load", "delete", "create own"]


def test_the_steps_are_counted_to_the_number_that_was_announced() -> None:
    # The old cluster is seen only once the engine runs: the total grows by its step.
    work = FakeWork(Facts(own_image=True, old_cluster=True))
    said = io.StringIO()
    Up(work, Facts(), Progress(total=len(steps(Facts())), out=said)).go()
    assert "[3/3] create the cluster: done" in said.getvalue()
