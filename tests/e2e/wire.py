"""Reads what wire-logging workers have written down, and says whose it is."""

import json
from typing import Any, Final, NamedTuple

from e2e.cluster import Cluster, Json

EXECUTE: Final = "/api/task/execute"


class Request(NamedTuple):
    """One request as a worker got it. `meant_for` is the pod uid in its signature."""

    peer: str
    method: str
    path: str
    meant_for: str
    body: str

    @property
    def task(self) -> str:
        """`namespace/name` of the task that is to be run; empty for any other request."""
        named: Json = json.loads(self.body).get("task", {}) if self.path == EXECUTE else {}
        return f"{named['namespace']}/{named['name']}" if named else ""


class Wire(NamedTuple):
    """All that reached one pod: who connected, what was asked, and the whole of it as text to search."""

    peers: set[str]
    requests: list[Request]
    text: str

    @property
    def tasks(self) -> set[str]:
        """Whose runs were sent here, as `namespace/name`."""
        return {request.task for request in self.requests} - {""}


def read(cluster: Cluster, namespace: str, pod: str, port: int = 8080) -> Wire:
    """What a pod has written down so far."""
    answer = cluster.core.connect_get_namespaced_pod_proxy_with_path(
        f"{pod}:{port}", namespace, "wire", _preload_content=False
    )
    found: list[dict[str, Any]] = json.loads(answer.data)
    requests = [_request(entry) for entry in found if "path" in entry]
    return Wire({entry["peer"] for entry in found}, requests, answer.data.decode())


def _request(entry: dict[str, Any]) -> Request:
    head = {name.lower(): value for name, value in entry["head"].items()}
    meant_for = head.get("webhook-id", ":").split(":")[1]
    return Request(entry["peer"], entry["method"], entry["path"], meant_for, entry["body"])
