"""One worker process: started, its port learnt, its readiness asked for, stopped. It never starts itself anew."""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from warmcron.core import standing, times
from warmcron.errors import LocalError

LISTENING: Final = re.compile(rb"listening on http://127\.0\.0\.1:(\d+)")
# What a worker prints goes to a file; a chatty one begins its file anew.
LOG_BYTES_MAX: Final = 5 * 1024 * 1024
TAIL_LINES: Final = 12
PROBE_SECONDS: Final = 2.0
OK, NOT_FOUND = 200, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How workers are started.

    Attributes:
        modules: Python modules for `warmworker serve`; empty when `command` is given.
        command: a worker in any language; `{port}` in it, and $PORT, name the port to listen on.
        directory: where it is started.
        python_path: folders in which modules are found.
        grace: seconds for what runs when a worker is stopped.
        environment: added to this process's own.
    """

    modules: tuple[str, ...] = ()
    command: str = ""
    directory: Path = field(default_factory=Path.cwd)
    python_path: tuple[Path, ...] = ()
    grace: float = 5.0
    environment: dict[str, str] = field(default_factory=dict)


class Process:
    """A worker that has been started.

    Attributes:
        uid: what a pod's uid is in the cluster: new for every process.
        port: where it listens on loopback; 0 while it has not said.
        started: when, as text in RFC 3339: what a container's status says in the cluster.
        proved: whether it was ever ready.
    """

    def __init__(self, name: str, child: asyncio.subprocess.Process, *, port: int, log: Path, uid: str) -> None:
        self.name, self.uid, self.port = name, uid, port
        self.started = times.text(time.time())
        self.proved = False
        self._child = child
        self._log = log
        self._tail: list[bytes] = []
        self._reader = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """The process's id, which is its group's too."""
        return self._child.pid

    async def ended(self) -> str:
        """Waits for the end of the process; returns how it ended, in words."""
        code = await self._child.wait()
        await asyncio.wait({self._reader}, timeout=1)  # a grandchild may hold the pipe open
        self._reader.cancel()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # what it started and left behind goes with it, as in a pod
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def last_words(self) -> str:
        """The last lines that it printed."""
        lines = b"".join(self._tail).decode(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join("".join(char if char.isprintable() else " " for char in line) for line in lines)

    def stop(self) -> None:
        """Tells it to finish what it has and leave."""
        with contextlib.suppress(ProcessLookupError):
            self._child.terminate()

    def kill(self) -> None:
        """Ends it and everything it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def ready(self, session: aiohttp.ClientSession) -> str:
        """Asks the readiness probe; returns why it is not ready, or nothing. A worker without /readyz is ready."""
        if not self.port:
            return standing.STARTING
        timeout = aiohttp.ClientTimeout(total=PROBE_SECONDS)
        try:
            async with session.get(
                f"http://127.0.0.1:{self.port}/readyz", timeout=timeout, allow_redirects=False
            ) as answer:
                reason = "" if answer.status in (OK, NOT_FOUND) else f"readiness probe: {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError):
            reason = "readiness probe: no answer" if self.proved else standing.STARTING
        self.proved = self.proved or not reason
        return reason

    async def _read(self) -> None:
        """Copies what it prints into its file, and learns its port from it."""
        stream = self._child.stdout
        assert stream is not None  # noqa: S101 - started with a pipe
        with self._log.open("wb") as file:
            while part := await stream.read(65536):
                if file.tell() > LOG_BYTES_MAX:
                    file.seek(0)
                    file.truncate()
                file.write(part)
                file.flush()
                self._tail = [*self._tail, part][-TAIL_LINES:]
                if not self.port and (found := LISTENING.search(b"".join(self._tail))):
                    self.port = int(found[1])


def check(command: str, directory: Path) -> None:
    """Raises LocalError for a command that cannot be started whatever happens."""
    try:
        program = shlex.split(command)[0]
    except (ValueError, IndexError) as error:
        raise LocalError(f"--command: {command!r} is no command line: {error}") from None
    if "/" in program and (directory / program).is_file():
        program = str(directory / program)
    if shutil.which(program) is None:
        raise LocalError(f"--command: {program}: no such program, or it is not executable")


async def start(name: str, plan: Plan, *, folder: Path, lock_fd: int) -> Process:
    """Starts a worker; raises LocalError when its command cannot be started."""
    uid = str(uuid.uuid4())
    port = _free_port() if plan.command else 0
    state = folder / name / uid
    state.mkdir(parents=True)
    environment = {
        **os.environ,
        **plan.environment,
        "POD_NAME": name,
        "POD_UID": uid,
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([*map(str, plan.python_path), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "WARMWORKER_HOST": "127.0.0.1",
        "WARMWORKER_PORT": "0",
        "WARMWORKER_STATE_DIR": str(state),
        "WARMWORKER_GRACE_SECONDS": f"{plan.grace:g}",
        "WARMWORKER_LOG_FORMAT": "text",
    }
    try:
        child = await asyncio.create_subprocess_exec(
            *_argv(plan, port),
            cwd=plan.directory,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C is for us; we tell the workers
            pass_fds=(lock_fd,),
        )
    except OSError as error:
        raise LocalError(f"--command: {plan.command}: cannot be started: {error.strerror}") from None
    return Process(name, child, port=port, log=folder / f"{name}.log", uid=uid)


def _argv(plan: Plan, port: int) -> list[str]:
    if plan.command:
        return [part.replace("{port}", str(port)) for part in shlex.split(plan.command)]
    return [sys.executable, "-m", "warmworker", "serve", *plan.modules]


def _free_port() -> int:
    """A port that is free now. Should somebody be quicker, the worker fails and is started again with another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
