import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster import gobuild, programs
from cluster.errors import CannotInstallError, ClusterError
from cluster.paths import Paths
from cluster.shell import Result


def test_no_go_gets_a_sentence_with_the_version_to_install(paths: Paths, scripted: Callable[..., Any]) -> None:
    with pytest.raises(CannotInstallError, match=r"there is no Go: install Go 1\.\d+\.\d+ or newer") as caught:
        gobuild.check_go(paths, scripted())
    assert caught.value.exit_code == 2


def test_a_go_that_cannot_fetch_a_newer_one_gets_a_sentence(paths: Paths, scripted: Callable[..., Any]) -> None:
    runner = scripted({"go version": "go version go1.19.8 linux/amd64"})
    with pytest.raises(CannotInstallError, match=r"too old \(go version go1\.19\.8 linux/amd64\)"):
        gobuild.check_go(paths, runner)
    assert len(runner.calls) == 1


def test_a_go_whose_newer_one_cannot_be_fetched_gets_the_same_sentence(paths: Paths) -> None:
    class OnlyTheLocalOne:
        def which(self, name: str) -> str | None:
            return None

        def run(
            self, *argv: str, timeout: float = 120, env: Mapping[str, str] | None = None, cwd: Path | None = None
        ) -> Result:
            if env and env["GOTOOLCHAIN"] == "local":
                return Result(0, "go version go1.24.1 linux/amd64", "")
            return Result(1, "", "toolchain not available")

    with pytest.raises(CannotInstallError, match="too old"):
        gobuild.check_go(paths, OnlyTheLocalOne())


def test_a_go_that_is_new_enough_is_taken_as_it_is(paths: Paths, scripted: Callable[..., Any]) -> None:
    env = gobuild.check_go(paths, scripted({"go version": "go version go1.99.0 linux/amd64"}))
    assert env == {"CGO_ENABLED": "0", "GOWORK": "off"}


def test_an_older_go_is_asked_to_fetch_the_newer_one() -> None:
    assert gobuild.environment("go1.24.1", "1.26.6")["GOTOOLCHAIN"] == "auto"


def test_only_absent_programs_are_missing(paths: Paths) -> None:
    paths.binaries.mkdir(parents=True)
    (paths.binaries / "ctr").touch()
    assert gobuild.missing(paths, ["ctr", "kind"]) == ["kind"]


def build_with(paths: Paths, script: str, cancelled: threading.Event) -> gobuild.GoBuild:
    """A build whose `go` is a little Python program that gets the output folder as its last argument."""

    class Build(gobuild.GoBuild):
        def _call(self, build: programs.Build) -> bool:
            out = build.argv[build.argv.index("-o") + 1]
            return super()._call(programs.Build((sys.executable, "-c", script, out), build.makes))

    return Build(paths, {}, ["ctr", "kind"], cancelled)


def test_programs_appear_in_the_cache_when_they_are_whole(paths: Paths) -> None:
    script = "import sys, pathlib; [(pathlib.Path(sys.argv[1]) / n).write_text(n) for n in ('ctr', 'kind')]; print('x')"
    build = build_with(paths, script, threading.Event())
    build.run()
    assert sorted(path.name for path in paths.binaries.iterdir()) == ["ctr", "kind"]
    assert build.far() == "2 of 2 programs done, 1 packages compiled (last: x)"


def test_a_failed_build_leaves_nothing_and_shows_the_end_of_its_log(paths: Paths) -> None:
    build = build_with(paths, "raise SystemExit('undefined: foo')", threading.Event())
    with pytest.raises(ClusterError, match="undefined: foo"):
        build.run()
    assert list(paths.binaries.iterdir()) == []


def test_a_cancelled_build_ends_its_compiler(paths: Paths) -> None:
    cancelled = threading.Event()
    cancelled.set()
    build_with(paths, "import time; time.sleep(60)", cancelled).run()
    assert list(paths.binaries.iterdir()) == []
