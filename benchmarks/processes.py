"""Child processes and what the kernel says they used. A child dies with the benchmark, whatever happens to that."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# In the benchmark's folder: what the operator signs with, and what real workers check.
SIGNING_KEY: Final = Path("signing") / "1.pem"
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None)


class StartError(Exception):
    """A program of the benchmark did not start. Its log says why."""


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(slots=True)
class Child:
    """One process of the benchmark."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    def cpu(self) -> float:
        """Seconds of CPU, in user and in kernel, since it began (in steps of 10 ms: measure long enough)."""
        return cpu_of(self.pid)

    def rss(self) -> float:
        """Resident memory in MiB."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE / 2**20

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    async def stop(self, seconds: float = 15.0) -> None:
        """SIGTERM, then SIGKILL."""
        if self.alive():
            self.process.terminate()
        end = time.monotonic() + seconds
        while self.alive() and time.monotonic() < end:  # noqa: ASYNC110 - a child has no event to wait for
            await asyncio.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(name: str, command: Sequence[str], *, logs: Path, env: Mapping[str, str] | None = None) -> Child:
    """Starts a program; its output goes to a file."""
    log = logs / f"{name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads have been started here
        )
    return Child(name, process, log)


def cpu_of(pid: int) -> float:
    """Seconds of CPU of any process, as `Child.cpu`."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def busy_seconds() -> float:
    """CPU seconds that anybody on the machine has used, and that were stolen from it."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq + steal) / _TICKS
