"""The harness's own way to the API server: objects in bulk, counters, and a watch that stamps what it sees."""

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

Json = dict[str, Any]
TASKS: Final = "/apis/warmcron.dev/v1alpha1"
WRITING: Final = 16
MERGE: Final = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused what the benchmark asked for."""


class Api:
    """One session with the API server."""

    def __init__(self, server: str, *, token: str, context: ssl.SSLContext) -> None:
        self._server = server
        self._session = aiohttp.ClientSession(
            headers={"authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(ssl=context, limit=64),
            # Not of the whole: a request among 100,000 waits long for a connection before it leaves.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60),
        )

    async def close(self) -> None:
        """Ends the session."""
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Json:
        """One request; anything but a 2xx raises."""
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self._server + path, data=data, headers={"content-type": kind}
        ) as answer:
            text = await answer.text()
            if answer.status >= 300:  # noqa: PLR2004
                raise ApiError(f"{method} {path}: {answer.status} {text[:400]}")
            return dict(json.loads(text))

    async def namespace(self, name: str) -> None:
        """Creates a namespace."""
        await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    async def in_bulk(self, method: str, calls: Iterable[tuple[str, Any]], *, kind: str = "application/json") -> None:
        """The same kind of request many times, a few at once."""
        waiting = iter(list(calls))

        async def work() -> None:
            for path, body in waiting:
                await self.call(method, path, body, kind=kind)

        async with asyncio.TaskGroup() as group:
            for _ in range(WRITING):
                group.create_task(work())

    async def establish(self, crd: Json) -> None:
        """Applies a CRD and waits until its objects can be made."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        await self.call("POST", path, crd)
        for _ in range(300):
            try:
                await self.call("GET", f"{TASKS}/scheduledtasks?limit=1")
            except ApiError:
                await asyncio.sleep(0.1)
            else:
                return
        raise ApiError("the CRD is not established")

    async def metrics(self, url: str | None = None) -> str:
        """The text of a /metrics page."""
        async with self._session.get(url or f"{self._server}/metrics") as answer:
            return await answer.text()

    async def watch(self, path: str, version: str) -> AsyncIterator[tuple[float, bytes]]:
        """Watch events as they come, each with the second of its arrival, unparsed: parsing would be our cost."""
        url = f"{self._server}{path}?watch=1" + (f"&resourceVersion={version}" if version else "")
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(url, timeout=timeout, read_bufsize=2**20) as answer:
            rest = b""
            async for chunk in answer.content.iter_any():
                now = time.time()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield now, line


def total(text: str, name: str, **labels: str) -> float:
    """The sum of a counter over all label sets that have these labels (values are regular expressions)."""
    found = 0.0
    for line in text.splitlines():
        if not line.startswith(name) or line[len(name)] not in "{ ":
            continue
        given, _, value = line.rpartition(" ")
        if all(re.search(rf'[{{,]{key}="({wanted})"', given) for key, wanted in labels.items()):
            found += float(value)
    return found


@dataclass(slots=True)
class Stamps:
    """What a watch saw, and when."""

    lines: list[tuple[float, bytes]] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    async def follow(self, api: Api, path: str, *, empty: bool = False) -> None:
        """Begins to watch from now on; `empty` says that there is nothing yet, so that no version is needed."""
        version = "" if empty else (await api.call("GET", f"{path}?limit=1"))["metadata"]["resourceVersion"]

        async def read(version: str) -> None:
            while True:  # the API server ends the watch of whom it takes for too slow: a herd is a burst
                async for stamped in api.watch(path, version):
                    self.lines.append(stamped)
                if self.lines:
                    version = json.loads(self.lines[-1][1])["object"]["metadata"]["resourceVersion"]

        self.task = asyncio.create_task(read(version))

    def stop(self) -> None:
        """Watches no more; raises if the watch had ended before: what it did not see would count as lost."""
        if self.task and self.task.done():
            raise ApiError(f"a watch ended early: {self.task.exception()}")
        if any(line.startswith(b'{"type":"ERROR"') for _, line in self.lines):
            raise ApiError(f"a watch broke: {self.lines[-1][1][:300]!r}")
        if self.task:
            self.task.cancel()
