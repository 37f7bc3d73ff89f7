"""A run's log as server-sent events while it is written: one event a line, and `end` when the run is over."""

from collections.abc import AsyncIterator
from typing import Final

from warmcron.api import documents, problems
from warmcron.history.model import Place, Reader
from warmcron.history.tail import Over, Silence, tail
from warmcron.web.seats import AGAIN, REFUSAL, Seated, Seats

# With the worker's half second at most and a tenth for writing, a new line is seen within a second.
PAUSE: Final = 0.25


def follow(reader: Reader, run_id: str, *, start: Place, seats: Seats, name: str) -> Seated:
    """The stream of lines behind that place, for somebody of that name."""
    refusal = problems.answer(429, "too-many-followers", REFUSAL, again=AGAIN)
    return Seated(_events(reader, run_id, start), seats=seats, name=name, refusal=refusal)


async def _events(reader: Reader, run_id: str, start: Place) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for news in tail(reader, run_id, place=start, pause=PAUSE):
        match news:
            case Silence():
                yield ": still here\n\n"
            case Over(run):
                shown = documents.Run.of(run).model_dump_json(by_alias=True) if run else "{}"
                yield f"event: end\ndata: {shown}\n\n"
            case lines:
                yield "".join(
                    f"id: {behind.text}\ndata: {documents.Line.of(line).model_dump_json(by_alias=True)}\n\n"
                    for line, behind in lines
                )
