"""Workers as they are seen: who came, went or changed, and what follows from it for runs and for tasks' conditions."""

import sys
from collections.abc import Callable
from typing import Final

from warmcron.core import bookkeeping
from warmcron.core.pool import Pool, Worker
from warmcron.core.table import Tasks
from warmcron.core.tasks import PoolKey
from warmcron.engine.ports import Clock, Recorder
from warmcron.engine.runner import Runner
from warmcron.workers.protocol import Abilities

# Tasks told of a change before the loop gives others a turn.
SLICE: Final = 50


class Fleet:
    """Every worker pod.

    Args:
        opened: whether we lead and have heard a pool out; before that nothing follows from what is seen of it.
        on_untold: tasks wait to be told by `tell`.
    """

    def __init__(  # noqa: PLR0913 - what it works on, each by name
        self,
        *,
        pool: Pool,
        tasks: Tasks,
        runner: Runner,
        clock: Clock,
        recorder: Recorder,
        opened: Callable[[PoolKey], bool],
        on_untold: Callable[[], None],
    ) -> None:
        self._pool, self._tasks, self._runner = pool, tasks, runner
        self._clock, self._recorder, self._opened, self._on_untold = clock, recorder, opened, on_untold
        self._untold: dict[str, None] = {}  # uids, in order

    def see(self, seen: Worker) -> bool:
        """A worker pod exists as described. True if it should be asked what it can do: it is new or ready anew."""
        worker = self._pool.get(seen.uid)
        if worker is None or worker.pool != seen.pool:
            if worker:
                seen.runs = worker.runs
                before = self._pool.ready_count(worker.pool)
                self._pool.forget(seen.uid)
                self._changed(worker.pool, before)
            before = self._pool.ready_count(seen.pool)
            self._pool.put(seen)
            self._changed(seen.pool, before)
            return seen.ready
        before = self._pool.ready_count(worker.pool)
        was_ready, restarted = worker.ready, worker.see(seen)
        self._pool.update(worker)
        if restarted:
            for key in list(worker.runs):
                self._runner.look_at(key)
        if worker.ready != was_ready:
            self._changed(worker.pool, before)
        return worker.ready and (restarted or not was_ready)

    def gone(self, uid: str, reason: str) -> None:
        """The pod is gone, and with it what it ran."""
        worker = self._pool.get(uid)
        if worker:
            before = self._pool.ready_count(worker.pool)
            self._pool.forget(uid)
            self._runner.lost(worker, reason)
            self._changed(worker.pool, before)

    def can(self, uid: str, abilities: Abilities | None) -> None:
        """What a worker says it can do; None for one that could not be asked, and is taken to have every handler."""
        worker = self._pool.get(uid)
        if worker is None:
            return
        worker.heard = True
        if abilities:
            worker.handlers, worker.concurrency = abilities.handlers, abilities.concurrency
            worker.plain, worker.version = abilities.handlers is None, sys.intern(abilities.version)
        self._pool.update(worker)
        self._runner.serve_line(worker.pool)

    def tell(self, limit: int) -> bool:
        """Tells at most `limit` more tasks whether there are workers for them. True if others wait to be told."""
        now = self._clock.now()
        for _ in range(min(limit, len(self._untold))):
            task = self._tasks.get(self._untold.popitem()[0])
            if task is None or task.spec is None or not self._opened(task.spec.pool):
                continue
            if bookkeeping.set_available(task, now, workers=self._pool.ready_count(task.spec.pool)):
                self._recorder.note(task.ref.uid, urgent=False)
        return bool(self._untold)

    def _changed(self, key: PoolKey, before: int) -> None:
        """A pod of a pool came, went, or changed its readiness; `before` is how many were ready."""
        if not self._opened(key):
            return
        if bool(before) != bool(self._pool.ready_count(key)):  # all that a task says is whether there are any
            # A pool may have 100,000 tasks: those who are not told here are told in the turns of the loop.
            self._untold |= self._tasks.uids_of(key)
            if self.tell(SLICE):
                self._on_untold()
        self._runner.serve_line(key)
