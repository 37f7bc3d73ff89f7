"""Decides when statuses are written: later, together, and no more often than a user can tell. Never what they say.

A status write costs the API server and etcd 4 to 7 ms, a dispatch 0.3 (docs/adr/0004-status-writes.md): writes wait
until the herd is out, and all that happened to a task meanwhile goes into one. The intents of AtMostOnce runs, for
which a request waits, go before all others.
"""

import asyncio
import contextlib
import itertools
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

import structlog

from warmcron.core import runs
from warmcron.core.agenda import NEVER, Agenda
from warmcron.core.tasks import TaskRef
from warmcron.engine.ports import Gate, Inbox
from warmcron.errors import KubeError
from warmcron.kube.statuses import Result, StatusWriter, holds

log = structlog.get_logger("warmcron.status")

# A run that has begun is written this much later, so that a short one needs only one write for start and end.
SETTLE_SECONDS: Final = 1.0
# Writes are held back for a herd at most this long: a stream of ticks without a gap must not starve them.
HOLD_SECONDS: Final = 3.0
# How often it is looked whether the herd is out, or whether we lead again.
LOOK_SECONDS: Final = 0.02


class Recorder:
    """Coalesces writes, and commits intents.

    Args:
        writer: writes one status.
        gate: whether we still lead, and in which term.
        inbox: where it is said that an intent is committed.
        herd: whether runs wait to be sent.
        writers: writes in flight at once; more than 16 only queue in the API server.
        interval: least seconds between two writes of one task, but for what a user or a run waits for.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        writer: StatusWriter,
        gate: Gate,
        inbox: Inbox,
        herd: Callable[[], bool],
        writers: int,
        interval: float,
        random: Random,
    ) -> None:
        self._writer, self._gate, self._inbox = writer, gate, inbox
        self._herd = herd
        self._writers, self._interval, self._random = writers, interval, random
        self._when: dict[str, float] = {}  # uid -> when it may be written
        self._agenda = Agenda(lambda uid: self._when.get(uid, NEVER))
        # uid -> when last written; in that order, and without what is further back than the interval
        self._last: OrderedDict[str, float] = OrderedDict()
        self._intents: dict[str, list[tuple[TaskRef, runs.Attempt]]] = {}  # uid -> what waits to be committed
        self._first: deque[str] = deque()  # uids with intents
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
        if not urgent and uid in self._when:
            return  # later than what is planned it would be anyway
        now = time.monotonic()
        urgent = urgent or self._flushing
        when = now if urgent else now + SETTLE_SECONDS
        if not urgent and uid in self._last:
            when = max(when, self._last[uid] + self._interval)
        if when < self._when.get(uid, float("inf")):
            self._put(uid, when)
            self._look_at(when)

    def commit(self, run: runs.Run) -> None:
        """Writes the status that has this run's worker in it, before all others, and says how that went."""
        uid = run.task.uid
        waiting = self._intents.setdefault(uid, [])
        waiting.append((run.task, runs.Attempt(run.id, run.attempt, run.pod_uid)))
        if len(waiting) == 1 and uid not in self._writing:
            self._first.append(uid)
            self._look_at(time.monotonic())

    def clear(self) -> None:
        """We no longer lead: what is not written is the next leader's to find out."""
        self._when.clear()
        self._agenda.clear()
        self._again.clear()
        self._intents.clear()
        self._first.clear()
        self._writer.clear()

    def forget(self, uid: str) -> None:
        """The task is gone."""
        self._when.pop(uid, None)
        self._last.pop(uid, None)
        self._writer.forget(uid)

    async def flush(self, seconds: float) -> None:
        """Writes everything that waits, for at most so many seconds, before leadership is given up.

        Nothing is sent any more then, so no intent is committed either.
        """
        self._flushing = True
        self._intents.clear()
        self._first.clear()
        for uid in self._when:
            self._put(uid, 0.0)
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
        if not self._gate.may_send():
            if self._when or self._first:
                self._look_at(now + LOOK_SECONDS)
            return
        held = self._held(now)
        while len(self._writing) < self._writers and (uid := self._next(now, held=held)):
            self._writing.add(uid)
            task = asyncio.create_task(self._work(uid))
            self._tasks.add(task)  # the loop holds only a weak reference
            task.add_done_callback(self._tasks.discard)
        if len(self._writing) >= self._writers:
            return  # the next one that ends looks again
        if held and self._when:
            self._look_at(now + LOOK_SECONDS)
        elif self._when:
            self._look_at(self._agenda.next())

    async def _work(self, uid: str) -> None:
        try:
            await self._write(uid)
        finally:
            self._writing.discard(uid)
            if uid in self._intents:
                self._first.append(uid)
            if uid in self._again:
                self._again.discard(uid)
                self.note(uid, urgent=False)
            self._pump()

    def _next(self, now: float, *, held: bool) -> str | None:
        while self._first:
            uid = self._first.popleft()
            if uid in self._intents and uid not in self._writing:
                self._when.pop(uid, None)
                return uid
        return None if held else self._next_in_turn(now)

    def _next_in_turn(self, now: float) -> str | None:
        """What is due, one namespace after the other: ten thousand writes of one do not hold up another's one."""
        while (uid := self._agenda.pop(now)) is not None:
            del self._when[uid]
            if uid not in self._writing:
                return uid
            self._again.add(uid)
        return None

    def _put(self, uid: str, when: float) -> None:
        self._when[uid] = when
        self._agenda.put(uid, self._writer.namespace_of(uid), when)

    def _held(self, now: float) -> bool:
        if not self._herd():
            self._held_since = None
            return False
        self._held_since = self._held_since or now
        return now - self._held_since < HOLD_SECONDS

    # ---- one write -------------------------------------------------------------------------------------------

    async def _write(self, uid: str) -> None:
        intents = self._intents.pop(uid, [])
        epoch, now = self._gate.epoch, time.monotonic()
        written: dict[str, Any] = {}
        try:
            result, written = await self._writer.write(uid)
        except KubeError:  # not even the conflict could be looked at
            result = Result.LATER
        except Exception:  # one status that we cannot write must not take the others with it
            result = Result.REFUSED
            log.exception("status not written", uid=uid)
        if result is Result.DONE:
            self._wrote(uid, now)
        if result is Result.LATER:
            self._put(uid, time.monotonic() + self._random.uniform(0.5, 2.0))
            written = await self._read_back(intents)
        for _, about in intents:
            # A crash before this line leaves an intent without a request: the next leader asks its worker, which
            # promises never to take it.
            event = runs.Committed() if holds(written, about, epoch) else runs.NotCommitted("StatusNotWritten")
            self._inbox.on_event(about, event)

    def _wrote(self, uid: str, now: float) -> None:
        self._last[uid] = now
        self._last.move_to_end(uid)
        for old in list(itertools.islice(self._last, 2)):
            if self._last[old] < now - self._interval:
                del self._last[old]

    async def _read_back(self, intents: list[tuple[TaskRef, runs.Attempt]]) -> dict[str, Any]:
        """What the status is, after a write of which nobody knows whether it arrived. Empty if that fails, too."""
        with contextlib.suppress(KubeError):
            for ref, _ in intents[:1]:
                return await self._writer.read(ref) or {}
        return {}
