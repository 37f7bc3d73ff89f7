"""A real worker process and a stand-in for the operator's callback address; both stopped at the end."""

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fakes.waiting import PATIENCE, eventually

ROOT = Path(__file__).resolve().parents[3]
JsonObject = dict[str, Any]
KEYS = {"WARMWORKER_PUBLIC_KEYS", "WARMWORKER_PUBLIC_KEYS_FILE", "WARMWORKER_INSECURE_ACCEPT_UNSIGNED"}
# The same in each process, for it is in the names of tests.
OPERATOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


def order(handler: str, payload: JsonObject | None = None, **fields: Any) -> JsonObject:
    """The body of an execute request."""
    now = datetime.now(UTC)
    body: JsonObject = {
        "runId": str(uuid.uuid4()),
        "attempt": 1,
        "epoch": 1,
        "trigger": "Schedule",
        "scheduledTime": now.isoformat(),
        "deadline": (now + timedelta(minutes=10)).isoformat(),
        "task": {"namespace": "default", "name": "nightly", "uid": "task-uid"},
        "worker": {"podName": "pod-a", "podUID": "uid-a"},
        "handler": handler,
        "payload": payload or {},
    }
    return body | fields


def public(key: Ed25519PrivateKey) -> str:
    """What a worker is given of a key."""
    return "whpk_" + base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def sign(
    message: str, body: bytes, *, key: Ed25519PrivateKey = OPERATOR_KEY, at: float | None = None
) -> dict[str, str]:
    """The headers of Standard Webhooks, written down once more from its text: the operator's code is not asked."""
    timestamp = str(int(time.time() if at is None else at))
    signature = base64.b64encode(key.sign(f"{message}.{timestamp}.".encode() + body)).decode()
    return {"webhook-id": message, "webhook-timestamp": timestamp, "webhook-signature": f"v1a,{signature}"}


def meaning(method: str, path: str, body: bytes) -> str:
    """The webhook-id of a request as the operator sends it to the pod uid-a."""
    parts = path.removeprefix("/api/task/").split("/")
    if parts[0] == "execute":
        try:
            asked = json.loads(body)
        except ValueError:
            asked = {}
        return f"execute:uid-a:{asked.get('runId', '')}:{asked.get('attempt', 0)}"
    run_id = parts[1] if len(parts) > 1 else ""
    operation = parts[2] if len(parts) > 2 else "run" if run_id else parts[0]
    return f"{operation}:uid-a:{run_id}:0"


class Worker:
    """`warmworker serve` in a process of its own."""

    def __init__(self, state: Path, *command: str, environment: dict[str, str]) -> None:
        # A file and not a pipe: nobody has to read it for the worker to go on, and it is there after a crash.
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - open as long as the worker
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=Path(__file__).parent / "served",
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "worker_image"),
                "POD_NAME": "pod-a",
                "POD_UID": "uid-a",
                "WARMWORKER_HOST": "127.0.0.1",
                "WARMWORKER_PORT": "0",
                "WARMWORKER_STATE_DIR": str(state),
                **({} if KEYS & environment.keys() else {"WARMWORKER_PUBLIC_KEYS": public(OPERATOR_KEY)}),
                **environment,
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._port = 0

    @property
    def log(self) -> str:
        return os.pread(self._log.fileno(), 1 << 22, 0).decode(errors="replace")

    def wait_until_it_listens(self) -> "Worker":
        def port() -> int:
            assert self.process.poll() is None, f"the worker ended with {self.process.returncode}:\n{self.log}"
            found = re.search(r"(?:listening|running) on https?://127\.0\.0\.1:(\d+)", self.log)
            return int(found.group(1)) if found else 0

        self._port = eventually(port, "the worker to listen")
        return self

    def call(self, method: str, path: str, body: JsonObject | bytes | None = None, **headers: str) -> Answer:
        """A request that is signed, as the operator's are."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body or b""
        sent = {key.replace("_", "-"): text for key, text in headers.items()}
        return self.ask(method, path, data, sign(meaning(method, path, data), data) | sent)

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """A request with these headers and no others."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            return Answer(answer.status, json.loads(text), {k.lower(): v for k, v in answer.getheaders()})

    def leave_waiting(self, body: JsonObject) -> socket.socket:
        """Sends a run and does not wait for the answer."""
        data = json.dumps(body).encode()
        headers = sign(meaning("POST", "/api/task/execute", data), data) | {"host": "x", "prefer": "wait=300"}
        lines = [f"{name}: {text}" for name, text in (headers | {"content-length": str(len(data))}).items()]
        connection = socket.create_connection(("127.0.0.1", self._port))
        connection.sendall("\r\n".join(["POST /api/task/execute HTTP/1.1", *lines, "", ""]).encode() + data)
        return connection

    def execute(self, body: JsonObject, *, wait: int = 30) -> Answer:
        return self.call("POST", "/api/task/execute", body, prefer=f"respond-async, wait={wait}")

    def run(self, body: JsonObject) -> Any:
        return self.call("GET", f"/api/task/runs/{body['runId']}").body

    def ended(self, body: JsonObject) -> JsonObject:
        """The run document once it is not Running."""

        def find() -> JsonObject | None:
            document = self.run(body)
            return None if document["state"] == "Running" else document

        return eventually(find, "the run to end")

    def has_said(self, text: str) -> None:
        eventually(lambda: text in self.log, f"{text!r} in the log")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._log.close()


class Operator:
    """Collects callbacks, and answers them as it is told to.

    Attributes:
        verdict: from one callback to the status and the lastSeq it is answered with; None acknowledges everything.
    """

    def __init__(self) -> None:
        self.callbacks: list[JsonObject] = []
        self.tokens: list[str] = []
        self.verdict: Callable[[JsonObject], tuple[int, int | None]] = lambda _: (200, None)
        self._lock = threading.Lock()
        operator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, last = operator.take(data, self.headers["authorization"])
                body = json.dumps({"lastSeq": last}).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def take(self, data: JsonObject, token: str) -> tuple[int, int | None]:
        with self._lock:
            self.callbacks.append(data)
            self.tokens.append(token)
            status, last = self.verdict(data)
            return status, data["events"][-1]["seq"] if last is None else last

    @property
    def address(self) -> JsonObject:
        return {"url": f"http://127.0.0.1:{self._server.server_address[1]}/callback", "token": "secret-token"}

    def events(self) -> list[JsonObject]:
        with self._lock:
            return [event for callback in self.callbacks for event in callback["events"]]

    def finished(self) -> JsonObject:
        def find() -> JsonObject | None:
            return next((event for event in self.events() if event["type"] == "Finished"), None)

        return eventually(find, "a Finished event")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


Start = Callable[..., Worker]


@contextlib.contextmanager
def workers(state: Path) -> Iterator[Start]:
    """Start workers on one state directory; all of them are gone when this closes."""
    started: list[Worker] = []

    def start(
        *modules: str, command: Sequence[str] = ("warmworker", "serve"), listening: bool = True, **environment: str
    ) -> Worker:
        worker = Worker(state, *command, *(modules or ("warmworker.demo",)), environment=environment)
        started.append(worker)
        return worker.wait_until_it_listens() if listening else worker

    try:
        yield start
    finally:
        for worker in started:
            worker.close()
