"""Asks the history for what a page could do without, and stops waiting when it is slow. It never fails a page."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog

from warmcron.errors import HistoryError

log = structlog.get_logger("warmcron.web")

Value = TypeVar("Value")

SECONDS: Final = 2.0
# Questions that nobody waits for any more. With so many a further one would only wait behind them.
MOST_LATE: Final = 8


class Patience:
    """The questions of all pages to one history.

    A late answer is not cancelled: what it brings may be kept by the reader, and then the next page has it at once.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._late: set[asyncio.Task[Any]] = set()

    async def told(
        self, answer: Coroutine[Any, Any, Value], otherwise: Value, *, seconds: float | None = None
    ) -> tuple[Value, str]:
        """What the history says, or `otherwise` and why it says nothing; waits for `seconds`, ours unless told."""
        seconds = self._seconds if seconds is None else seconds
        if len(self._late) >= MOST_LATE:
            answer.close()
            return otherwise, "the history's database is slow; several questions are still without an answer"
        task = asyncio.create_task(answer)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            self._late.add(task)  # the loop holds only a weak reference
            task.add_done_callback(self._came)
            return otherwise, f"the history's database did not answer within {seconds:g} s"
        try:
            return task.result(), ""
        except HistoryError as error:
            log.warning("history did not answer", error=str(error))
            return otherwise, str(error)

    def _came(self, task: asyncio.Task[Any]) -> None:
        self._late.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("history did not answer", error=str(error))
