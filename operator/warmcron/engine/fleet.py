"""Workers as they are seen: who came, went or changed, and what follows from it for runs and for tasks' conditions."""

import sys
from collections.abc import Callable

from warmcron.core import bookkeeping
from warmcron.core.pool import Pool, Worker
from warmcron.core.table import Tasks
from warmcron.core.tasks import PoolKey
from warmcron.engine.ports import Clock, Recorder
from warmcron.engine.runner import Runner
from warmcron.workers.protocol import Abilities


class Fleet:
    """Every worker pod.

    Args:
        opened: whether we lead and have heard a pool out; before that nothing follows from what is seen of it.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        tasks: Tasks,
        runner: Runner,
        clock: Clock,
        recorder: Recorder,
        opened: Callable[[PoolKey], bool],
    ) -> None:
        self._pool, self._tasks, self._runner = pool, tasks, runner
        self._clock, self._recorder, self._opened = clock, recorder, opened

    def see(self, seen: Worker) -> bool:
        """A worker pod exists as described. True if it should be asked what it can do: it is new or ready anew."""
        worker = self._pool.get(seen.uid)
        if worker is None or worker.pool != seen.pool:
            if worker:
                seen.runs = worker.runs
                self._pool.forget(seen.uid)
                self._changed(worker.pool)
            self._pool.put(seen)
            self._changed(seen.pool)
            return seen.ready
        was_ready, restarted = worker.ready, worker.see(seen)
        self._pool.update(worker)
        if restarted:
            for key in list(worker.runs):
                self._runner.look_at(key)
        if worker.ready != was_ready:
            self._changed(worker.pool)
        return worker.ready and (restarted or not was_ready)

    def gone(self, uid: str, reason: str) -> None:
        """The pod is gone, and with it what it ran."""
        worker = self._pool.forget(uid)
        if worker:
            self._runner.lost(worker, reason)
            self._changed(worker.pool)

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

    def _changed(self, key: PoolKey) -> None:
        """A pod of a pool came, went, or changed its readiness."""
        if not self._opened(key):
            return
        now, workers = self._clock.now(), self._pool.ready_count(key)
        for task in self._tasks.of_pool(key):
            if bookkeeping.set_available(task, now, workers=workers):
                self._recorder.note(task.ref.uid, urgent=False)
        self._runner.serve_line(key)
