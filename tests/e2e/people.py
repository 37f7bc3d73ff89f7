"""People with ServiceAccounts of their own, who use the API and the command by a port-forward, with a token."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from e2e.cluster import CONTEXT, KUBECONFIG, Cluster, CommandError, until
from e2e.space import Space

COMMAND = Path(sys.executable).with_name("warmcron")
PATIENCE = 120.0


class Answer(NamedTuple):
    status: int
    body: Any


@dataclass(frozen=True)
class Door:
    """The API of one replica, or of the Service, on loopback."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, token: str, body: Any = None) -> Answer:
        """A question to the API."""
        return self._call(method, f"/api/v1{path}", token, body)

    def send(self, path: str, token: str, body: Any) -> Answer:
        """A report, as workers send it."""
        return self._call("POST", path, token, body)

    def _call(self, method: str, path: str, token: str, body: Any) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            data = b"" if body is None else json.dumps(body).encode()
            headers = {"content-type": "application/json", "content-length": str(len(data))}
            headers |= {"authorization": f"Bearer {token}"} if token else {}
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
            return Answer(answer.status, json.loads(text) if text else None)

    def get(self, path: str, token: str) -> Any:
        """What is answered with 200."""
        answer = self.ask("GET", path, token)
        assert answer.status == 200, answer
        return answer.body


@contextlib.contextmanager
def door(cluster: Cluster, namespace: str, target: str, port: str = "api") -> Iterator[Door]:
    """`kubectl port-forward` to a pod or a Service, for as long as the test takes."""
    kubectl = Path(cluster.tools) / "kubectl"
    command = [str(kubectl), "--context", CONTEXT, "-n", namespace, "port-forward", target, f":{port}"]
    with tempfile.TemporaryFile("w+b") as said:  # not a pipe: it says something for each connection
        process = subprocess.Popen(
            command, env=cluster.env, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )

        def listening() -> int:
            text = os.pread(said.fileno(), 1 << 20, 0).decode()
            found = re.search(r"127\.0\.0\.1:(\d+)", text)
            if process.poll() is not None:
                raise CommandError(f"{' '.join(command)}: ended: {text}")
            return int(found[1]) if found else 0

        try:
            yield Door(until(f"a way to {target}", listening))
        finally:
            process.terminate()
            process.wait(30)


def token(cluster: Cluster, namespace: str, account: str) -> str:
    """What `kubectl create token` gives."""
    return cluster.kubectl("-n", namespace, "create", "token", account).strip()


def person(space: Space, name: str, role: str) -> str:
    """A ServiceAccount with that role in its own namespace and nowhere else; returns a token of it."""
    space.kubectl("create", "serviceaccount", name)
    space.kubectl(
        "create", "rolebinding", name, f"--clusterrole=warmcron-{role}", f"--serviceaccount={space.name}:{name}"
    )
    may = ("auth", "can-i", "list", "scheduledtasks.warmcron.dev")
    who = ("--as", f"system:serviceaccount:{space.name}:{name}")

    def allowed() -> bool:
        try:
            return "yes" in space.kubectl(*may, *who)
        except CommandError:
            return False

    until(f"the cluster knows the rights of {name}", allowed)
    return token(space.cluster, space.name, name)


class Typed(NamedTuple):
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Terminal:
    """A shell with a kubeconfig and a token, and `kubectl` on the PATH."""

    cluster: Cluster
    token: str
    folder: Path

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """`warmcron` with these arguments, as it is typed on this cluster."""
        command = [str(COMMAND), *arguments, "--context", CONTEXT]
        environment = {**self.cluster.env, "KUBECONFIG": str(KUBECONFIG)}
        if self.token:
            environment["WARMCRON_TOKEN"] = self.token
        return subprocess.Popen(
            command,
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def type(self, *arguments: str) -> Typed:
        """To its end."""
        process = self.start(*arguments)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return Typed(process.returncode, out, err)

    def says(self, *arguments: str) -> str:
        """What a command prints that has to succeed."""
        done = self.type(*arguments)
        assert done.code == 0, f"{arguments}: {done}"
        return done.out
