"""One `warmcron dev` and what it prints, and the process tree below it as /proc tells it."""

import contextlib
import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fakes.waiting import PATIENCE, eventually

COMMAND = Path(sys.executable).with_name("warmcron")

EVERY_SECOND = """
apiVersion: warmcron.dev/v1alpha1
kind: ScheduledTask
metadata: {{name: {name}}}
spec:
  schedule: "{schedule}"
  pool: demo
  handler: {handler}
  payload: {payload}
  backoff: {{initialSeconds: 0.1}}
"""


def task(name: str, *, schedule: str = "* * * * * *", handler: str = "hello", payload: str = "{}") -> str:
    return EVERY_SECOND.format(name=name, schedule=schedule, handler=handler, payload=payload)


class Session:
    """The process, its output so far, and its state."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._output = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - open as long as the session
        self.process = subprocess.Popen(
            [COMMAND, "dev", *arguments],
            cwd=folder,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._seen: set[int] = set()

    @property
    def output(self) -> str:
        self._output.seek(0)
        return self._output.read().decode()

    def says(self, pattern: str, *, times: int = 1) -> re.Match[str]:
        """Waits until a line is there; fails at once when the process has ended without it."""

        def ask() -> re.Match[str] | None:
            self.tree()
            over = self.process.poll() is not None
            found = list(re.finditer(pattern, self.output, re.MULTILINE))
            if over and len(found) < times:
                raise AssertionError(f"ended with {self.process.returncode} before {pattern!r}:\n{self.output}")
            return found[times - 1] if len(found) >= times else None

        try:
            return eventually(ask, pattern)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def ends(self) -> int:
        """Waits for the end; returns the exit code."""
        return self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Ctrl-C, as the terminal would send it."""
        self.tree()
        self.process.send_signal(signal.SIGINT)
        return self.ends()

    def tree(self) -> set[int]:
        """The pids of everything below the session, now."""
        found = below(self.process.pid)
        self._seen |= found
        return found

    def end(self) -> list[int]:
        """Ends what is left; returns the pids that were ever below the session and still live."""
        if self.process.poll() is None:
            self.tree()
            self.process.kill()
            self.process.wait(PATIENCE)
        self._output.close()
        until = time.monotonic() + 10
        while (left := [pid for pid in self._seen if running(pid)]) and time.monotonic() < until:
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return left

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / ".warmcron" / "state.json").read_text())
        return found

    @property
    def server(self) -> dict[str, Any]:
        """Where it listens."""
        found: dict[str, Any] = json.loads((self.folder / ".warmcron" / "server.json").read_text())
        return found

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A question to the API, as the command line asks it."""
        found = urlsplit(self.server["url"])
        connection = http.client.HTTPConnection(found.netloc, timeout=PATIENCE)
        with contextlib.closing(connection):
            data = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1{path}", data, {"content-type": "application/json", **headers})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def run(self, run_id: str, *states: str) -> dict[str, Any]:
        """A run, once it is in one of these states."""

        def ask() -> dict[str, Any] | None:
            status, found = self.api("GET", f"/runs/{run_id}")
            return dict(found["run"]) if status == 200 and found["run"]["state"] in states else None

        return eventually(ask, f"run {run_id} to be {' or '.join(states)}")

    def remembered(self, state: str) -> set[str]:
        """The tasks that the history has a run of in that state; waits for the first."""

        def ask() -> set[str]:
            with contextlib.closing(sqlite3.connect(self.folder / ".warmcron" / "history.db")) as database:
                return {str(row[0]) for row in database.execute("SELECT task FROM runs WHERE state = ?", (state,))}

        return eventually(ask, f"a run in the state {state} in the history")

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.state["tasks"][f"default/{name}"]["status"]
        return found


def below(pid: int) -> set[int]:
    """All descendants of a process."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, todo = set[int](), [pid]
    while todo:
        for child in parents.get(todo.pop(), ()):
            found.add(child)
            todo.append(child)
    return found


def running(pid: int) -> bool:
    """Whether a process lives and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
