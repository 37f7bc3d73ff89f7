"""Asks each worker what it can do until it has said so. Who may be sent a run meanwhile is not decided here.

A worker that is ready and has not been asked could get a run for a handler that it lacks, and 404 ends that run for
good. So it is sent nothing before it has answered, or has been asked in vain often enough: a plain endpoint with one
thread, busy with its work, may answer much later.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Final

from warmcron.core.pool import Worker
from warmcron.workers.protocol import Abilities

# Unanswered questions before a worker is used as it is: with 2 s for each, six seconds.
PATIENCE: Final = 3
PAUSE_SECONDS: Final = 0.2
# It is asked on: at this pause, doubled each time.
LATER_SECONDS: Final = 2.0
LATER_SECONDS_MAX: Final = 60.0


class Introductions:
    """Every worker that has still to be asked.

    Args:
        ask: what a worker says it can do; None if it gave no answer.
        find: the worker of that pod uid as it is now.
        tell: takes what was said; None for a worker that has been silent for too long.
    """

    def __init__(
        self,
        *,
        ask: Callable[[Worker], Awaitable[Abilities | None]],
        find: Callable[[str], Worker | None],
        tell: Callable[[str, Abilities | None], None],
    ) -> None:
        self._ask, self._find, self._tell = ask, find, tell
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, uid: str) -> None:
        """This worker is new, or ready anew: it is asked from the beginning."""
        if asked := self._tasks.pop(uid, None):
            asked.cancel()
        task = self._tasks[uid] = asyncio.create_task(self._until_heard(uid))
        task.add_done_callback(lambda done: self._tasks.pop(uid, None) if self._tasks.get(uid) is done else None)

    async def close(self) -> None:
        """Asks nobody any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_heard(self, uid: str) -> None:
        for asked in itertools.count(1):
            worker = self._find(uid)
            if worker is None or not worker.ready or worker.address is None:
                return  # gone; or asked anew when it is ready anew
            said = await self._ask(worker)
            if said is not None or asked == PATIENCE:
                self._tell(uid, said)
            if said is not None:
                return
            late = asked - PATIENCE
            await asyncio.sleep(
                PAUSE_SECONDS if late < 0 else min(LATER_SECONDS * 2.0 ** min(late, 10), LATER_SECONDS_MAX)
            )
