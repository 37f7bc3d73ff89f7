"""The API server of one task and its only worker, on one port of loopback, in a thread of this process."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
TASK = "/apis/warmcron.dev/v1alpha1/namespaces/ns/scheduledtasks/task"
RUNS = "/api/task/runs"


class Servers:
    """Both, and what has happened on them.

    Attributes:
        task: the object; its status is written by compare-and-set.
        starts: (run id, attempt) of each run that the worker began.
        plain: the worker is an HTTP endpoint that knows of nothing but execute.
    """

    def __init__(self, task: Json, *, plain: bool = False) -> None:
        self.task, self.plain = task, plain
        self.starts: list[tuple[str, int]] = []
        self.ended: dict[str, Json] = {}
        self.fenced: dict[str, int] = {}
        self.epoch = 0
        self.lock = threading.Lock()
        self._version = 100
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"here": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.task["metadata"]["resourceVersion"] = str(self._version)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def status(self) -> Json:
        with self.lock:
            return dict(self.task.get("status") or {})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # ---- the API server --------------------------------------------------------------------------------------

    def patch(self, body: Json) -> tuple[int, Json]:
        metadata = self.task["metadata"]
        for key in ("uid", "resourceVersion"):
            if key in body["metadata"] and body["metadata"][key] != metadata[key]:
                return 409, {"message": "conflict"}
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        status = {**self.task.get("status", {}), **body["status"]}
        self.task["status"] = {key: value for key, value in status.items() if value is not None}
        return 200, self.task

    # ---- the worker ------------------------------------------------------------------------------------------

    def execute(self, body: Json) -> tuple[int, Json]:
        run_id, attempt = body["runId"], body["attempt"]
        if not self.plain:
            if body["epoch"] < self.epoch:
                return 412, {}
            self.epoch = body["epoch"]
            if run_id in self.ended:
                return 409, self.ended[run_id]
            if attempt <= self.fenced.get(run_id, 0):
                return 409, {"runId": run_id, "state": "Fenced"}
        self.starts.append((run_id, attempt))
        named = {key: body[key] for key in ("runId", "attempt", "task", "scheduledTime", "trigger")}
        self.ended[run_id] = {**named, "state": "Succeeded"}
        return 200, {"outcome": "Succeeded"}

    def fence(self, run_id: str, body: Json) -> tuple[int, Json]:
        self.epoch = max(self.epoch, body["epoch"])
        if run_id in self.ended:
            return 200, self.ended[run_id]
        self.fenced[run_id] = body["attempt"]
        return 200, {"runId": run_id, "state": "Fenced"}


class _Handler(BaseHTTPRequestHandler):
    here: Servers
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        here, path = self.here, self.path.partition("?")[0]
        with here.lock:
            if path.endswith("/scheduledtasks"):
                self._answer(200, {"items": [here.task], "metadata": {"resourceVersion": "1"}})
            elif here.plain:
                self._answer(404, {})
            elif path == RUNS:
                self._answer(200, {"podUID": "uid-pod", "runs": list(here.ended.values())})
            elif path == "/api/task/handlers":
                self._answer(200, {"handlers": ["h"], "concurrency": 5})
            else:
                run = here.ended.get(path.rsplit("/", 1)[-1])
                self._answer(200 if run else 404, run or {})

    def do_POST(self) -> None:
        self._act(self.here.execute)

    def do_PUT(self) -> None:
        run_id = self.path.split("/")[-2]
        self._act(lambda body: (404, {}) if self.here.plain else self.here.fence(run_id, body))

    def do_PATCH(self) -> None:
        self._act(self.here.patch)

    def _act(self, act: Any) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.here.lock:
            status, answer = act(body)
            self._answer(status, answer)

    def _answer(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass
