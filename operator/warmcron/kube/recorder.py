"""Writes statuses: later, together, and no more often than a user can tell. It never decides what they say.

A status write costs the API server and etcd 4 to 7 ms, a dispatch 0.3 (docs/adr/0004-status-writes.md): writes wait
until the herd is out, and all that happened to a task meanwhile goes into one.
"""

import asyncio
import heapq
import json
import time
from collections.abc import Callable
from random import Random
from typing import Final, Protocol

import structlog

from warmcron.core import status
from warmcron.core.tasks import TaskRef
from warmcron.errors import KubeError
from warmcron.kube.client import KubeClient
from warmcron.observe import Metrics
from warmcron.spec.task import GROUP, PLURAL, VERSION

log = structlog.get_logger("warmcron.status")

# A run that has begun is written this much later, so that a short one needs only one write for start and end.
SETTLE_SECONDS: Final = 1.0
# Writes are held back for a herd at most this long: a stream of ticks without a gap must not starve them.
HOLD_SECONDS: Final = 3.0
# How often it is looked whether the herd is out, or whether we lead again.
LOOK_SECONDS: Final = 0.02
NOT_FOUND, CONFLICT, THROTTLED, SERVER_ERROR = 404, 409, 429, 500


class Source(Protocol):
    """Where statuses come from: the engine."""

    def status_of(self, uid: str) -> tuple[TaskRef, status.Json] | None:
        """What the status of a task should be now."""


class Recorder:
    """Coalesces and writes.

    Args:
        client: its connections are shared with nothing that must be quick.
        source: where statuses come from.
        may_write: whether we still lead.
        herd: whether runs wait to be sent.
        writers: writes in flight at once; more than 16 only queue in the API server.
        interval: least seconds between two writes of one task, but for what a user waits for.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        client: KubeClient,
        source: Source,
        may_write: Callable[[], bool],
        herd: Callable[[], bool],
        metrics: Metrics,
        writers: int,
        interval: float,
        random: Random,
    ) -> None:
        self._client, self._source, self._metrics = client, source, metrics
        self._may_write, self._herd = may_write, herd
        self._writers, self._interval, self._random = writers, interval, random
        self._when: dict[str, float] = {}  # uid -> when it may be written
        self._heap: list[tuple[float, str]] = []
        self._last: dict[str, tuple[float, int]] = {}  # uid -> when last written, and the hash of what
        self._writing: set[str] = set()
        self._again: set[str] = set()  # changed while being written
        self._held_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._flushing = self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def note(self, uid: str, *, urgent: bool) -> None:
        """The status of this task has changed."""
        if uid in self._writing:
            self._again.add(uid)
            return
        now = time.monotonic()
        urgent = urgent or self._flushing
        when = now if urgent else now + SETTLE_SECONDS
        if not urgent and uid in self._last:
            when = max(when, self._last[uid][0] + self._interval)
        if when < self._when.get(uid, float("inf")):
            self._put(uid, when)
            self._look_at(when)

    def clear(self) -> None:
        """We no longer lead: what is not written is the next leader's to find out."""
        self._when.clear()
        self._heap.clear()
        self._again.clear()

    def forget(self, uid: str) -> None:
        """The task is gone."""
        self._when.pop(uid, None)
        self._last.pop(uid, None)

    async def flush(self, seconds: float) -> None:
        """Writes everything that waits, for at most so many seconds. Before leadership is given up."""
        self._flushing = True
        for uid in self._when:
            self._when[uid] = 0.0
        self._heap = [(0.0, uid) for uid in self._when]
        self._pump()
        end = time.monotonic() + seconds
        while (self._when or self._writing) and time.monotonic() < end:  # noqa: ASYNC110 - at most 70 turns, once
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Writes no more."""
        self.clear()
        self._closed = True
        if self._timer:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- who writes next -------------------------------------------------------------------------------------

    def _look_at(self, when: float) -> None:
        """Looks at `when`, unless that is done sooner anyway. One timer for all: a note must cost next to nothing."""
        if self._closed or (self._timer and self._timer_at <= when):
            return
        if self._timer:
            self._timer.cancel()
        self._timer_at = when
        pause = max(when - time.monotonic(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(pause, self._pump)

    def _pump(self) -> None:
        """Starts what is due, as far as there are writers."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        now = time.monotonic()
        if self._held(now) or not self._may_write():
            if self._heap:
                self._look_at(now + LOOK_SECONDS)
            return
        while len(self._writing) < self._writers and (uid := self._next(now)):
            self._writing.add(uid)
            task = asyncio.create_task(self._work(uid))
            self._tasks.add(task)  # the loop holds only a weak reference
            task.add_done_callback(self._tasks.discard)
        if self._heap and len(self._writing) < self._writers:
            self._look_at(self._heap[0][0])

    async def _work(self, uid: str) -> None:
        try:
            await self._write(uid)
        except Exception:  # one status that we cannot write must not take the others with it
            self._metrics.errors.labels("status").inc()
            log.exception("status not written", uid=uid)
        finally:
            self._writing.discard(uid)
            if uid in self._again:
                self._again.discard(uid)
                self.note(uid, urgent=False)
            self._pump()

    def _next(self, now: float) -> str | None:
        while self._heap and self._heap[0][0] <= now:
            when, uid = heapq.heappop(self._heap)
            if self._when.get(uid) == when:
                del self._when[uid]
                return uid
        return None

    def _put(self, uid: str, when: float) -> None:
        self._when[uid] = when
        heapq.heappush(self._heap, (when, uid))

    def _held(self, now: float) -> bool:
        if not self._herd():
            self._held_since = None
            return False
        self._held_since = self._held_since or now
        return now - self._held_since < HOLD_SECONDS

    async def _write(self, uid: str) -> None:
        found = self._source.status_of(uid)
        if found is None:
            return
        ref, wanted = found
        # The uid makes the API server refuse it if the object was deleted and made anew under the same name.
        body = json.dumps({"metadata": {"uid": ref.uid}, "status": wanted}, separators=(",", ":")).encode()
        now, digest = time.monotonic(), hash(body)
        if self._last.get(uid, (0.0, 0))[1] == digest:
            return
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{ref.namespace}/{PLURAL}/{ref.name}/status"
        try:
            await self._client.merge(path, body)
        except KubeError as error:
            self._failed(uid, ref, error)
            return
        # A crash before this line loses nothing: the next leader reads what was written.
        self._last[uid] = (now, digest)
        self._metrics.writes.labels("ok").inc()

    def _failed(self, uid: str, ref: TaskRef, error: KubeError) -> None:
        self._metrics.writes.labels(str(error.status or "no answer")).inc()
        if error.status in (NOT_FOUND, CONFLICT):
            return  # deleted meanwhile, or another object by now
        if error.status in (0, THROTTLED) or error.status >= SERVER_ERROR:
            self._put(uid, time.monotonic() + self._random.uniform(0.5, 2.0))
            return
        self._metrics.errors.labels("status").inc()
        log.error("status refused", namespace=ref.namespace, task=ref.name, error=str(error))
