"""A run's log while it is written: its new lines, silence, and its end. How that is sent is for whoever follows it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from warmcron.errors import HistoryError
from warmcron.history.model import FINAL, LogRow, Place, Reader, RunRow

LINES: Final = 500
# A proxy between may give up on a silent connection.
SILENCE: Final = 15.0
# Whoever wants more comes back with the last place.
LONGEST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing has come for a while, and the run goes on."""


@dataclass(frozen=True, slots=True)
class Over:
    """The run has ended and all of its lines were told; `run` is None for one that is not known."""

    run: RunRow | None


async def tail(
    reader: Reader, run_id: str, *, place: Place, pause: float
) -> AsyncIterator[tuple[tuple[LogRow, Place], ...] | Silence | Over]:
    """Lines behind a place as they come, each with its own; looked for every `pause` seconds.

    It ends by itself in an hour, and where the history does not answer: who follows comes back by itself.
    """
    loop = asyncio.get_running_loop()
    end, spoken = loop.time() + LONGEST, loop.time()
    over = False
    while loop.time() < end:
        try:
            told = await reader.onward(run_id, place, limit=LINES)
            run = None if told.lines else await reader.run(run_id)
        except HistoryError:
            return
        place = told.place
        if told.lines:
            spoken = loop.time()
            yield told.lines
            continue
        if over:
            yield Over(run)
            return
        # Once more after the end: its last lines may be written just behind it.
        over = run is None or run.state in FINAL
        if loop.time() - spoken > SILENCE:
            spoken = loop.time()
            yield Silence()
        await asyncio.sleep(pause)
