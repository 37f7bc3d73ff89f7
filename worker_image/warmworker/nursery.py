"""The parent's side of a handler with a process of its own: starts it, listens, kills it; never reads its memory."""

import contextlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing import connection, forkserver
from typing import Final

from warmworker import child, ending
from warmworker.ending import Ending
from warmworker.run import Sink

# Forked from a small process without threads that has the user's modules loaded: starting costs milliseconds, and
# no lock of this process is copied while a thread holds it.
_CONTEXT: Final = multiprocessing.get_context("forkserver")
LONGEST_MESSAGE: Final = 2 * 1024 * 1024
# How long a child that has told its ending may take to leave, with threads and exit hooks of its own.
PATIENCE: Final = 5.0


def start(modules: Sequence[str]) -> None:
    """Start the process that children are forked from; it imports the modules on its own time."""
    _CONTEXT.set_forkserver_preload(["warmworker.child", *modules])
    forkserver.ensure_running()


class Child:
    """One call of one handler in one process."""

    def __init__(self, order: child.Order, sink: Sink) -> None:
        self._sink = sink
        self._order = order
        self._lock = threading.Lock()
        self._killed = False
        self._process: multiprocessing.process.BaseProcess | None = None

    def kill(self) -> None:
        """End the process and what it started, now; safe at any time, from any thread."""
        with self._lock:
            self._killed = True
            if self._process is not None and self._process.pid is not None:
                _kill_group(self._process.pid)

    def run(self) -> Ending:
        """Blocks until the process is gone."""
        try:
            ours, theirs = _CONTEXT.Pipe()
            with ours:
                with theirs, self._lock:
                    if self._killed:
                        return ending.STOPPED
                    self._process = _CONTEXT.Process(target=child.main, args=(theirs, self._order))
                    self._process.start()
                return self._listen(ours, self._process)
        except Exception as error:  # noqa: BLE001 - no process to be had (limits, memory): the run failed, the worker did not
            return ending.raised(error)

    def _listen(self, ours: connection.Connection, process: multiprocessing.process.BaseProcess) -> Ending:
        ended: Ending | None = None
        while ended is None:
            ready = connection.wait([ours, process.sentinel])
            if ours in ready:
                try:
                    ended = self._take(ours.recv_bytes(LONGEST_MESSAGE))
                except (EOFError, OSError, ValueError):
                    break
            elif not ours.poll(0):
                break
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
        code = process.exitcode
        with self._lock:  # from here on its number may belong to somebody else
            self._process = None
        process.close()
        if ended is not None:
            return ended
        return ending.STOPPED if self._killed else _crashed(code)

    def _take(self, data: bytes) -> Ending | None:
        match json.loads(data):
            case {"stream": str(stream), "text": str(text)}:
                self._sink.write(stream, text)
            case {"level": str(level), "text": str(text)}:
                self._sink.log(level, text)
            case {"fraction": float(fraction), "text": str(text)}:
                self._sink.progress(fraction, text)
            case {"step": str()} as last:
                return child.read_end(last)
        return None


def _kill_group(pid: int) -> None:
    # The child makes itself the head of a group as its first act; before that there is only itself to kill.
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
            return


def _crashed(code: int | None) -> Ending:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return ending.failed("HandlerCrashed", f"handler crashed: signal {-code} ({signal.Signals(-code).name})")
        return ending.failed("HandlerCrashed", f"handler crashed: signal {-code}")
    return ending.failed("HandlerCrashed", f"handler crashed: it left with exit code {code}, without returning")
