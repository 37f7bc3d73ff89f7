"""What the tests of the cluster tool share: a runner that answers from a script, and folders of their own."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.shell import Result


class ScriptedRunner:
    """Answers calls by their first words; whatever is not in the script fails as an absent program does."""

    def __init__(self, answers: Mapping[str, str | Result], programs: Mapping[str, str]) -> None:
        self.answers = answers
        self.programs = programs
        self.calls: list[tuple[str, ...]] = []

    def run(
        self, *argv: str, timeout: float = 120, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Result:
        self.calls.append(argv)
        line = " ".join([argv[0].rpartition("/")[2], *argv[1:]])
        for start in sorted(self.answers, key=len, reverse=True):
            if line.startswith(start):
                answer = self.answers[start]
                return answer if isinstance(answer, Result) else Result(0, answer, "")
        return Result(127, "", f"{argv[0]}: not found")

    def which(self, name: str) -> str | None:
        return self.programs.get(name)


@pytest.fixture
def scripted() -> Callable[..., ScriptedRunner]:
    def make(answers: Mapping[str, str | Result] | None = None, **programs: str) -> ScriptedRunner:
        return ScriptedRunner(answers or {}, programs)

    return make


@pytest.fixture
def repo() -> Path:
    return Path(__file__).resolve().parents[3]


@pytest.fixture
def paths(repo: Path, tmp_path: Path) -> Paths:
    """The places of a checkout of its own; only the committed inputs of the node image are the real ones."""
    own = tmp_path / "repo"
    (own / "tools").mkdir(parents=True)
    (own / "tools" / "cluster").symlink_to(repo / "tools" / "cluster")
    return Paths(repo=own, cache=tmp_path / "cache")
