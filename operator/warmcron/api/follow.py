"""A run's log as server-sent events while it is written: one event a line, and `end` when the run is over."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from warmcron.api import documents, problems
from warmcron.history.model import Reader
from warmcron.history.tail import Over, Silence, tail

# With the worker's half second at most and a tenth for writing, a new line is seen within a second.
PAUSE: Final = 0.25
# Each follower asks the history a few times a second for as long as it stays.
MOST_OF_ONE: Final = 20
MOST: Final = 200


class Seats:
    """Places for those who follow: so many for one caller, so many in all."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def taken(self, name: str) -> Iterator[bool]:
        """A place for as long as the block takes; False if there is none."""
        if self._taken[name] >= MOST_OF_ONE or self._taken.total() >= MOST:
            yield False
            return
        self._taken[name] += 1
        try:
            yield True
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]


class Follow(StreamingResponse):
    """The stream of lines after that number, or the refusal of one follower too many.

    Args:
        name: who follows.
    """

    def __init__(self, reader: Reader, run_id: str, *, after: int, seats: Seats, name: str) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(_events(reader, run_id, after), media_type="text/event-stream", headers=headers)
        self._seats, self._name = seats, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The place is given back however this ends."""
        with self._seats.taken(self._name) as seated:
            if seated:
                await super().__call__(scope, receive, send)
                return
        refusal = problems.answer(
            429, "too-many-followers", f"at most {MOST_OF_ONE} logs are followed at once", again=5
        )
        await refusal(scope, receive, send)


async def _events(reader: Reader, run_id: str, after: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for news in tail(reader, run_id, after=after, pause=PAUSE):
        match news:
            case Silence():
                yield ": still here\n\n"
            case Over(run):
                shown = documents.Run.of(run).model_dump_json(by_alias=True) if run else "{}"
                yield f"event: end\ndata: {shown}\n\n"
            case lines:
                yield "".join(
                    f"id: {line.seq}\ndata: {documents.Line.of(line).model_dump_json(by_alias=True)}\n\n"
                    for line in lines
                )
