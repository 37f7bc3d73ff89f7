"""An API server in memory: versions, conflicts and uids as the real one has them, and faults when a test asks."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from warmcron.errors import KubeError

Json = dict[str, Any]


async def until(condition: Callable[[], object]) -> None:
    """Waits for something to be so; fails after a time that no machine needs."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


class FakeKube:
    """Fits where a KubeClient goes.

    Attributes:
        calls: what arrived, as (method, path).
        faults: taken in order by the calls that come; each says what goes wrong, None that nothing does.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.calls: list[tuple[str, str]] = []
        self.faults: list[str | None] = []
        self.before: Callable[[str, str], None] = lambda method, path: None
        self._version = 100

    def put_object(self, path: str, body: Json) -> Json:
        self._version += 1
        self.objects[path] = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self._version)}}
        return self.objects[path]

    async def get(self, path: str, **params: str) -> Json:
        def read() -> Json:
            if name := params.get("fieldSelector", "").removeprefix("metadata.name="):
                return {"items": [found] if (found := self.objects.get(f"{path}/{name}")) else []}
            if "/scheduledtasks/" in path:
                raise KubeError("the operator may list and watch, not get", status=403)
            return self._found(path)

        return await self._answer("GET", path, read)

    async def post(self, path: str, body: Json) -> Json:
        full = f"{path}/{body['metadata']['name']}"

        def create() -> Json:
            if full in self.objects:
                raise KubeError("exists", status=409)
            return self.put_object(full, body)

        return await self._answer("POST", path, create)

    async def put(self, path: str, body: Json) -> Json:
        def replace() -> Json:
            self._precondition(path, body["metadata"])
            return self.put_object(path, body)

        return await self._answer("PUT", path, replace)

    async def merge(self, path: str, body: bytes) -> bytes:
        patch = json.loads(body)

        def merge() -> Json:
            whole = path.removesuffix("/status")
            self._precondition(whole, patch.get("metadata") or {})
            found = self._found(whole)
            status = {**found.get("status", {}), **patch["status"]}
            return self.put_object(whole, {**found, "status": {k: v for k, v in status.items() if v is not None}})

        return json.dumps(await self._answer("PATCH", path, merge)).encode()

    async def _answer(self, method: str, path: str, act: Callable[[], Json]) -> Json:
        self.calls.append((method, path))
        self.before(method, path)
        await asyncio.sleep(0)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "lost request" or (fault and fault.isdigit()):
            raise KubeError(fault, status=0 if fault == "lost request" else int(fault))
        answer: Json = json.loads(json.dumps(act()))
        if fault == "lost answer":
            raise KubeError(fault)
        return answer

    def _found(self, path: str) -> Json:
        if path not in self.objects:
            raise KubeError("not found", status=404)
        return self.objects[path]

    def _precondition(self, path: str, metadata: Json) -> None:
        found = self._found(path)["metadata"]
        for key in ("uid", "resourceVersion"):
            if key in metadata and metadata[key] != found.get(key):
                raise KubeError("conflict", status=409)
