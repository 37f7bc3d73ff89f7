"""A collection of the API server as the reflector sees it: lists in pages, watches that end, expire and break off."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

from warmcron.errors import KubeError
from warmcron.kube.client import KubeClient


class Collection:
    """Objects by name, and every event ever; versions before `oldest` have expired."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 100
        self.oldest = 0
        self.lists = 0
        self.mute = False  # watches stay open and say nothing, as when the server behind them has gone
        self.breaks: list[Exception] = []  # each ends one page of a list, or one watch
        self.between_pages: asyncio.Event | None = None
        self.page_breaks: list[Exception] = []  # each ends one page of a list, and never a watch
        self._events: list[tuple[int, bytes]] = []
        self._changed = asyncio.Event()

    @property
    def client(self) -> KubeClient:
        return cast("KubeClient", self)

    def put(self, name: str, **spec: Any) -> None:
        kind = "MODIFIED" if name in self.objects else "ADDED"
        self.version += 1
        metadata = {"uid": f"uid-{name}", "name": name, "resourceVersion": str(self.version)}
        self.objects[name] = {"metadata": metadata, "spec": spec}
        self._tell(kind, self.objects[name])

    def delete(self, name: str) -> None:
        self.version += 1
        gone = self.objects.pop(name)
        self._tell("DELETED", {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}})

    def expire(self) -> None:
        """Nothing that has happened so far can be watched any more."""
        self._events.clear()
        self.oldest = self.version

    def end_watches(self) -> None:
        """As the server does every few minutes."""
        self._tell("", {})

    async def pages(self, path: str, **_: str) -> AsyncIterator[dict[str, Any]]:
        assert path == "/things"
        self.lists += 1
        version, items = str(self.version), list(self.objects.values())
        for start in range(0, max(len(items), 1), 2):
            await asyncio.sleep(0)
            if self.between_pages and start:
                await self.between_pages.wait()
            if self.breaks and start:
                raise self.breaks.pop()
            if self.page_breaks and start:
                raise self.page_breaks.pop()
            yield {"metadata": {"resourceVersion": version}, "items": items[start : start + 2]}

    async def stream(self, path: str, **params: str) -> AsyncIterator[list[bytes]]:
        assert path == "/things"
        since = int(params["resourceVersion"])
        if since < self.oldest:
            gone = {"kind": "Status", "code": 410, "message": "too old resource version"}
            yield [json.dumps({"type": "ERROR", "object": gone}).encode()]
            return
        while True:
            new = [] if self.mute else [(version, line) for version, line in self._events if version > since]
            self._changed.clear()
            for version, line in new:
                since = version
                if not line:
                    self._events.remove((version, line))
                    return
                yield [line]
            if self.breaks:
                raise self.breaks.pop()
            if not new:
                await self._changed.wait()

    def _tell(self, kind: str, raw: dict[str, Any]) -> None:
        if not kind:
            self.version += 1
        self._events.append((self.version, json.dumps({"type": kind, "object": raw}).encode() if kind else b""))
        self._changed.set()


class BrokenOffError(KubeError):
    """The API server is away for a moment."""
