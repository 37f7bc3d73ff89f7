"""Builds the Go programs that are not in the cache yet; it never changes go.mod."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster import programs, versions
from cluster.errors import CannotInstallError, ClusterError
from cluster.paths import Paths
from cluster.shell import Runner, start_logged

# The first Go that can fetch a newer toolchain of itself.
FETCHES_ITSELF = "1.21"


def missing(paths: Paths, names: Iterable[str]) -> list[str]:
    """Returns those programs that the cache does not hold."""
    return [name for name in names if not (paths.binaries / name).exists()]


def environment(go_version: str, directive: str) -> dict[str, str]:
    """Returns what is added to the environment of every go command."""
    env = {"CGO_ENABLED": "0", "GOWORK": "off"}
    if not versions.at_least(go_version, directive):
        # Asks Go to fetch the toolchain that go.mod names, as modules are fetched.
        env["GOTOOLCHAIN"] = "auto"
    return env


def check_go(paths: Paths, run: Runner) -> dict[str, str]:
    """Returns the environment for go commands, or raises with the one sentence that says what is missing."""
    directive = versions.go_directive((paths.node / "go.mod").read_text())
    found = run.run("go", "version", env={"GOTOOLCHAIN": "local"}, cwd=paths.cache.parent)
    if not found.ok:
        raise CannotInstallError(
            f"The node image has to be built here, and there is no Go: install Go {directive} or newer, then run again."
        )
    env = environment(found.out, directive)
    if "GOTOOLCHAIN" in env:
        works = (
            versions.at_least(found.out, FETCHES_ITSELF)
            and run.run("go", "version", env=env, cwd=paths.node, timeout=300).ok
        )
        if not works:
            raise CannotInstallError(
                f"The node image has to be built here, and this Go is too old ({found.out.strip()}): "
                f"install Go {directive} or newer, then run again."
            )
    return env


class GoBuild:
    """Builds a set of programs, one call of `go build` after the other, and can be asked how far it is."""

    def __init__(self, paths: Paths, env: dict[str, str], names: Iterable[str], cancelled: threading.Event) -> None:
        self._paths = paths
        self._env = {**os.environ, **env}
        self._names = list(names)
        self._cancelled = cancelled
        self._built: list[str] = []
        self._log = paths.logs / "go-build.log"

    def far(self) -> str:
        """Says how many programs are done, and how many packages have been compiled."""
        try:
            said = self._log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            said = []
        lines = [line for line in said if not line.startswith("go: ")]  # downloads are not packages
        last = f" (last: {lines[-1]})" if lines else ""
        return f"{len(self._built)} of {len(self._names)} programs done, {len(lines)} packages compiled{last}"

    def run(self) -> None:
        """Builds everything; each program appears in the cache only when it is whole."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.write_bytes(b"")
        self._paths.binaries.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._paths.binaries, prefix=".new-") as scratch:
            for build in programs.builds(self._names, Path(scratch)):
                if not self._call(build):
                    return
                for name in build.makes:
                    shutil.move(Path(scratch) / name, self._paths.binaries / name)
                    self._built.append(name)

    def _call(self, build: programs.Build) -> bool:
        with self._log.open("ab") as log:
            process = start_logged(list(build.argv), log, env=self._env, cwd=self._paths.node)
            while process.poll() is None:
                if self._cancelled.wait(0.2):
                    process.terminate()
                    process.wait()
                    return False
        if process.returncode:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-8:])
            raise ClusterError(f"go build failed; the end of its log {self._log}:\n{tail}")
        return True
