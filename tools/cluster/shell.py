"""Runs other programs and hands back what they said; it never goes through a shell's own syntax."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from cluster.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Result:
    """What a program said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        """Says whether the program ended well."""
        return self.code == 0


class Runner(Protocol):
    """The one thing that the rest of the tool asks of the machine's programs."""

    def run(
        self, *argv: str, timeout: float = 120, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Result:
        """Runs a program to its end; a program that is absent or too slow is a result, not an exception."""
        ...

    def which(self, name: str) -> str | None:
        """Finds a program on the path."""
        ...


def must(result: Result, what: str) -> str:
    """Returns what a program printed, or raises with the last lines of its complaint."""
    if result.ok:
        return result.out
    complaint = "\n".join((result.err.strip() or result.out.strip()).splitlines()[-8:])
    raise ClusterError(f"{what} failed (exit code {result.code}):\n{complaint}")


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs programs for real."""

    extra: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *argv: str, timeout: float = 120, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Result:
        """Runs a program to its end and collects what it prints."""
        try:
            done = subprocess.run(
                argv,
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=timeout,
                env={**os.environ, **self.extra, **(env or {})},
                cwd=cwd,
            )
        except FileNotFoundError:
            return Result(127, "", f"{argv[0]}: not found")
        except subprocess.TimeoutExpired:
            return Result(124, "", f"{argv[0]}: no answer within {timeout:g} s")
        return Result(done.returncode, done.stdout, done.stderr)

    def which(self, name: str) -> str | None:
        """Finds a program on the path, or where only root's path would find it."""
        return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


def start_logged(argv: list[str], log: IO[bytes], *, env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Starts a long-running program whose whole output goes to a log file."""
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=dict(env), cwd=cwd
    )
