"""A run's log as server-sent events while it is written: one event a line, and `end` when the run is over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import StreamingResponse

from warmcron.api import documents
from warmcron.errors import HistoryError
from warmcron.history.model import FINAL, Reader

LINES: Final = 500
# With the worker's half second at most and a tenth for writing, a new line is seen within a second.
PAUSE: Final = 0.25
# A proxy between may give up on a silent connection.
SILENCE: Final = 15.0
# Whoever wants more comes back with the last number.
LONGEST: Final = 3600.0


def follow(reader: Reader, run_id: str, *, after: int) -> StreamingResponse:
    """The stream of lines after that number."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_events(reader, run_id, after), media_type="text/event-stream", headers=headers)


async def _events(reader: Reader, run_id: str, after: int) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    end, spoken = loop.time() + LONGEST, loop.time()
    over = False
    yield "retry: 1000\n\n"
    while loop.time() < end:
        try:
            lines = await reader.logs(run_id, after=after, limit=LINES)
            run = None if lines else await reader.run(run_id)
        except HistoryError:
            return  # the client comes back by itself
        if lines:
            after, spoken = lines[-1].seq, loop.time()
            yield "".join(
                f"id: {line.seq}\ndata: {documents.Line.of(line).model_dump_json(by_alias=True)}\n\n" for line in lines
            )
            continue
        if over:
            shown = documents.Run.of(run).model_dump_json(by_alias=True) if run else "{}"
            yield f"event: end\ndata: {shown}\n\n"
            return
        # Once more after the end: its last lines may be written just behind it.
        over = run is None or run.state in FINAL
        if loop.time() - spoken > SILENCE:
            spoken = loop.time()
            yield ": still here\n\n"
        await asyncio.sleep(PAUSE)
