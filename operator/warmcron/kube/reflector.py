"""Lists the ScheduledTasks of one place and watches them from there on: the source of events for what changes often.

kopf's event for each of our own status writes cost more than the write itself (docs/adr/0071-own-reflector.md); it
watches the pods, which change seldom. Nothing here decides anything: objects go on to `apply` and `forget`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any, Final

import structlog

from warmcron.errors import KubeError
from warmcron.kube.client import KubeClient

log = structlog.get_logger("warmcron.watch")

Json = dict[str, Any]
EXPIRED: Final = 410
# Objects taken in before others get a turn of the loop: about 20 ms of first sight.
SLICE: Final = 50
WATCH_SECONDS: Final = 570
PAUSE_SECONDS_MAX: Final = 5.0


class Reflector:
    """What exists in one place.

    Args:
        client: used for lists and watches.
        path: the collection, of one namespace or of the cluster.
        apply: an object exists as described.
        forget: an object is gone; gets its last description, or only its uid in one.
    """

    def __init__(
        self,
        *,
        client: KubeClient,
        path: str,
        apply: Callable[[Json], None],
        forget: Callable[[Json], None],
        random: Random,
    ) -> None:
        self._client, self.path, self._random = client, path, random
        self._apply, self._forget = apply, forget
        self._known: dict[str, str] = {}  # uid -> resourceVersion
        self._afresh = False
        self._rereading = 0
        self._gone: set[str] = set()  # deleted while a list was read beside the watch: still in it
        self._watching: asyncio.Task[str] | None = None
        self.synced = asyncio.Event()

    def refresh(self) -> None:
        """Everything is to be told again soon, whether it has changed or not."""
        self._afresh = True
        if self._watching:
            self._watching.cancel()

    async def reread(self, path: str) -> None:
        """Lists a part of the collection beside the watch. When it returns, nothing of it is known as before the call.

        A watch says nothing of how far behind it is; one whose server is gone is noticed after a minute of silence.
        Raises KubeError.
        """
        self._rereading += 1
        try:
            async for page in self._client.pages(path):
                await self._take_all(page.get("items") or [], afresh=False)
        finally:
            self._rereading -= 1
            if not self._rereading:
                self._gone.clear()

    async def run(self) -> None:
        """Lists and watches until cancelled. An API server that is away is asked again, with growing pauses."""
        version, failures = "", 0
        while True:
            try:
                while self._afresh or not version:  # it may be asked for during a list
                    version = await self._list()
                    self.synced.set()
                version = await self._interruptible(version)
                failures = 0
            except KubeError as error:
                if error.status == EXPIRED:  # what lies between the last event and now is only in a list
                    version = ""
                    log.info("watch expired; listing anew", path=self.path)
                else:
                    failures += 1
                    log.warning("not watched", path=self.path, error=str(error))
                pause = min(0.2 * 2**failures, PAUSE_SECONDS_MAX) * self._random.uniform(0.5, 1.0)
                await asyncio.sleep(pause)

    async def _interruptible(self, version: str) -> str:
        """A watch that `refresh` can end without ending us."""
        self._watching = asyncio.create_task(self._watch(version))
        try:
            return await self._watching
        except asyncio.CancelledError:
            if self._afresh and self._watching.cancelled() and not _cancelling():
                return version
            self._watching.cancel()
            raise
        finally:
            self._watching = None

    async def _list(self) -> str:
        """Reads everything, page by page; what is not in it is gone. Returns the version to watch from.

        A list that breaks off has told what exists and nothing of what does not: it is begun again.
        """
        afresh, self._afresh = self._afresh, False
        missing = set(self._known)
        version = ""
        try:
            async for page in self._client.pages(self.path):
                version = version or str(page["metadata"]["resourceVersion"])
                items = page.get("items") or []
                missing.difference_update(raw["metadata"]["uid"] for raw in items)
                await self._take_all(items, afresh=afresh)
            for number, uid in enumerate(missing, 1):
                if self._known.pop(uid, None):
                    self._forget({"metadata": {"uid": uid}})
                if number % SLICE == 0:
                    await asyncio.sleep(0)
        except BaseException:
            self._afresh = self._afresh or afresh
            raise
        return version

    async def _watch(self, version: str) -> str:
        """Takes events until the server ends the watch; returns the version to go on from."""
        seconds = str(int(WATCH_SECONDS * self._random.uniform(0.8, 1.0)))
        params = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": seconds}
        stream: AsyncIterator[list[bytes]] = self._client.stream(self.path, **params)
        async for lines in stream:
            for number, line in enumerate(lines, 1):
                version = self._event(json.loads(line)) or version
                if number % SLICE == 0:
                    await asyncio.sleep(0)
        return version

    def _event(self, event: Json) -> str:
        raw = event["object"]
        match event["type"]:
            case "ERROR":
                raise KubeError(f"watch: {raw.get('message')}", status=int(raw.get("code") or 0))
            case "DELETED":
                self._known.pop(raw["metadata"]["uid"], None)
                if self._rereading:
                    self._gone.add(raw["metadata"]["uid"])
                self._forget(raw)
            case "ADDED" | "MODIFIED":
                self._take(raw, afresh=False)
        return str(raw["metadata"]["resourceVersion"])

    async def _take_all(self, items: list[Json], *, afresh: bool) -> None:
        for start in range(0, len(items), SLICE):
            for raw in items[start : start + SLICE]:
                self._take(raw, afresh=afresh)
            await asyncio.sleep(0)

    def _take(self, raw: Json, *, afresh: bool) -> None:
        metadata = raw["metadata"]
        uid, version = metadata["uid"], metadata["resourceVersion"]
        if afresh or (uid not in self._gone and _is_news(version, self._known.get(uid))):
            self._known[uid] = version
            self._apply(raw)


def _is_news(version: str, known: str | None) -> bool:
    """Whether an object at this version says more than what is known; a list may have been ahead of the watch."""
    if known is None or not (version.isdecimal() and known.isdecimal()):
        return version != known
    return int(version) > int(known)


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
