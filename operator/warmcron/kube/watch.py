"""kopf as the process shell and the watch of pods, tuned by measurement, and our own lists that repair what it loses.

ScheduledTasks come through `reflector`: each is written once a run, and kopf's event costs more than that write. Here
are only `on.event` handlers, which change memory and nothing else: every other kind of kopf handler writes to the
object or keeps asyncio tasks for each of them (docs/adr/0002-kopf-as-event-source.md has the figures).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from random import Random
from typing import Any, Final

import kopf
import structlog

from warmcron.errors import KubeError
from warmcron.kube import paths
from warmcron.kube.client import KubeClient
from warmcron.kube.mirror import Mirror
from warmcron.kube.reflector import Reflector
from warmcron.spec.task import POOL_LABEL

log = structlog.get_logger("warmcron.watch")

# After events of a renewed first list on a synced operator: that is a relist, and deletes may have been lost.
RELIST_SECONDS: Final = 2.0


class _NoDiffBase(kopf.DiffBaseStorage):
    """kopf computes a diff for every event even for handlers that want none; this one has nothing to compare."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """No handler of ours is retried, so there is no progress to keep."""

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


def settings() -> kopf.OperatorSettings:
    """Kopf's settings; each line has its reason in docs/adr/0002-kopf-as-event-source.md."""
    s = kopf.OperatorSettings()
    s.scanning.disabled = True  # the CRD must exist; no watch on CRDs and namespaces, and no rights for it
    s.peering.standalone = True  # kopf's peering is no election; ours is a Lease
    s.posting.enabled = False  # no log line becomes an Event
    s.watching.initial_streaming = False  # loses objects when the stream breaks in the first list
    s.watching.chunk_size = 100  # a page is parsed in one go: 100 objects stall the loop for 3 ms
    s.watching.server_timeout = 600
    s.watching.connect_timeout = 5
    s.watching.label_selectors["", "v1", "pods"] = POOL_LABEL  # as a tuple: in any other form it is not applied
    s.queueing.worker_limit = 32  # never without the next line: an idle worker keeps its place
    s.queueing.idle_timeout = 0.001
    s.networking.request_timeout = 15
    s.networking.connect_timeout = 3
    s.networking.error_backoffs = [1, 1, 2, 3] + [5] * 60  # five minutes without an API server, then we restart
    s.persistence.diffbase_storage = _NoDiffBase()
    s.persistence.progress_storage = _NoProgress()
    s.persistence.consistency_timeout = 0
    s.process.ultimate_exiting_timeout = 20
    s.execution.max_workers = 4
    return s


def registry(
    *,
    login: Callable[[], kopf.ConnectionInfo],
    on_pod: Callable[[str | None, dict[str, Any]], None],
    on_stop: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """The watch of pods, and what happens first when the process is told to stop."""
    found = kopf.OperatorRegistry()

    @kopf.on.login(registry=found)
    def _login(**_: Any) -> kopf.ConnectionInfo:
        return login()

    @kopf.on.event("", "v1", "pods", registry=found)
    async def _pod(event: Any, **_: Any) -> None:
        on_pod(event["type"], event["object"])

    @kopf.on.cleanup(registry=found)
    async def _cleanup(**_: Any) -> None:
        await on_stop()

    return found


class Sync:
    """Both kinds that we watch: events in, lists compared, and whether we have seen everything once."""

    def __init__(
        self,
        *,
        client: KubeClient,
        namespaces: Collection[str],
        tasks: Collection[Reflector],
        pods: Mirror,
        seconds: float,
        random: Random,
    ) -> None:
        self._client = client
        self._namespaces = namespaces
        self._tasks, self._pods = tasks, pods
        self._seconds, self._random = seconds, random
        self._soon = asyncio.Event()
        self._pods_listed = asyncio.Event()
        self.done = asyncio.Event()

    def on_pod(self, kind: str | None, raw: dict[str, Any]) -> None:
        """A watch event of a worker pod."""
        self._pods.event(kind, raw)
        if kind is None and self.done.is_set():
            self._soon.set()

    async def run(self) -> None:
        """Follows both kinds until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._compare_pods())
            # Pods first: a task that is due at once then finds the workers it may have runs on.
            await self._pods_listed.wait()
            for reflector in self._tasks:
                group.create_task(reflector.run())
            for reflector in self._tasks:
                await reflector.synced.wait()
            self.done.set()

    def refresh(self) -> None:
        """Everything is to be read again soon."""
        self._soon.set()
        for reflector in self._tasks:
            reflector.refresh()

    async def reread_tasks(self, namespace: str) -> None:
        """Lists a namespace's tasks once more; when it returns, none is known as before the call. Raises KubeError."""
        for reflector in self._tasks:
            if reflector.path in (paths.tasks(""), paths.tasks(namespace)):
                await reflector.reread(paths.tasks(namespace))

    async def _compare_pods(self) -> None:
        """Lists and compares at once, then every so often and soon after each relist of kopf's."""
        while True:
            try:
                await self._list_pods()
                self._pods_listed.set()
                pause = self._seconds * self._random.uniform(0.9, 1.1)
            except KubeError as error:
                log.warning("not listed", error=str(error))
                pause = RELIST_SECONDS
            try:
                # Not wait_for: before Python 3.12 it loses a cancellation that comes as its wait ends.
                async with asyncio.timeout(pause):
                    await self._soon.wait()
                await asyncio.sleep(RELIST_SECONDS)
            except TimeoutError:
                continue
            finally:
                self._soon.clear()

    async def _list_pods(self) -> None:
        mark = self._pods.begin()
        found: list[dict[str, Any]] = []
        try:
            for namespace in self._namespaces or ("",):
                place = f"/namespaces/{namespace}" if namespace else ""
                async for page in self._client.pages(f"/api/v1{place}/pods", labelSelector=POOL_LABEL):
                    found.extend(page.get("items") or [])
        except BaseException:
            self._pods.abandon()
            raise
        added, removed = self._pods.compare(mark, found)
        if removed or (added and self.done.is_set()):
            log.info("repaired", kind="pods", added=added, removed=removed)
