"""A small API server on loopback: objects, lists by label, merge patches, errors, tokens. In a thread of its own."""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Json = dict[str, Any]

TASKS = "/apis/warmcron.dev/v1alpha1"
TOKEN = "good-token"


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    found = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


class KubeApi:
    """Objects by path; `patches` are all that were made; a prefix in `forbidden` answers 403."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.patches: list[tuple[str, Json]] = []
        self.forbidden: tuple[str, ...] = ()
        self.crd = True
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def kubeconfig(self, folder: Path, *, namespace: str = "team", token: str = TOKEN) -> Path:
        config = {
            "current-context": "here",
            "contexts": [
                {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": namespace}},
                {"name": "other", "context": {"cluster": "c", "user": "u", "namespace": "elsewhere"}},
            ],
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def add_task(self, name: str, *, namespace: str = "team", labels: Json | None = None, **parts: Any) -> Json:
        spec = {"schedule": "*/5 * * * *", "timeZone": "UTC", "pool": "p", "handler": "h", **parts.pop("spec", {})}
        task = {
            "apiVersion": "warmcron.dev/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}/{name}")),
                "generation": 1,
                "creationTimestamp": "2026-11-01T00:00:00Z",
                "labels": labels or {},
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": spec,
            "status": {
                "observedGeneration": 1,
                "conditions": [{"type": "Ready", "status": "True", "reason": "Scheduled", "message": ""}],
                "nextScheduleTime": "2036-11-24T14:00:00Z",
                "lastScheduleTime": "2026-11-24T13:55:00Z",
                **parts.pop("status", {}),
            },
        }
        self.objects[f"{TASKS}/namespaces/{namespace}/scheduledtasks/{name}"] = task
        return task

    def add_pod(self, name: str, *, pool: str = "p", namespace: str = "team", ready: bool = True, **parts: Any) -> None:
        self.objects[f"/api/v1/namespaces/{namespace}/pods/{name}"] = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{name}",
                "labels": {"warmcron.dev/pool": pool},
            },
            "spec": {"containers": [{"name": "w", "ports": [{"name": "warmcron", "containerPort": 8080}]}]},
            "status": {
                "phase": "Running",
                "podIP": "10.0.0.1",
                "conditions": [
                    {"type": "Ready", "status": str(ready), "reason": "" if ready else "ContainersNotReady"}
                ],
                **parts,
            },
        }


class _Handler(BaseHTTPRequestHandler):
    api: KubeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if not self._may(path):
            return
        if path in self.api.objects:
            self._answer(200, self.api.objects[path])
        elif path == TASKS:
            self._answer(200, {"kind": "APIResourceList"})
        elif (kind := path.rsplit("/", 1)[-1]) in ("scheduledtasks", "pods", "services"):
            selector = query.get("labelSelector", [""])[0]
            prefix = path.removesuffix(kind)
            items = [
                found
                for place, found in self.api.objects.items()
                if place.startswith(prefix) and f"/{kind}/" in place and _selected(found, selector)
            ]
            self._answer(200, {"kind": "List", "items": items, "metadata": {}})
        else:
            self._answer(404, {"message": f"{path} not found"})

    def do_PATCH(self) -> None:
        patch = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self._may(self.path):
            return
        if self.headers["content-type"] != "application/merge-patch+json":
            self._answer(415, {"message": "merge patches only"})
        elif self.path not in self.api.objects:
            self._answer(404, {"message": f"{self.path} not found"})
        else:
            self.api.patches.append((self.path, patch))
            self.api.objects[self.path] = merged(self.api.objects[self.path], patch)
            self._answer(200, self.api.objects[self.path])

    def _may(self, path: str) -> bool:
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"message": "Unauthorized"})
        elif any(path.startswith(prefix) for prefix in self.api.forbidden):
            self._answer(403, {"message": f'User "ann" cannot use {path}'})
        elif path.startswith(TASKS) and not self.api.crd:
            self._answer(404, {"message": "the server could not find the requested resource"})
        else:
            return True
        return False

    def _answer(self, status: int, body: Json) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


def _selected(found: Json, selector: str) -> bool:
    labels = found["metadata"].get("labels") or {}
    for part in filter(None, selector.split(",")):
        key, equal, value = part.partition("=")
        if key not in labels or (equal and labels[key] != value):
            return False
    return True
