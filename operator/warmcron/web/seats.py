"""Places for those who follow a log: so many for one caller, so many in all. What is followed is not its concern."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

# Each follower asks the history a few times a second for as long as it stays.
MOST_OF_ONE: Final = 20
MOST: Final = 200
# After so many seconds somebody may have left.
AGAIN: Final = 5
REFUSAL: Final = f"at most {MOST_OF_ONE} logs are followed at once by one, and {MOST} by all"


class Seats:
    """The places of one replica's port."""

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


class Seated(StreamingResponse):
    """Server-sent events for somebody who has a place, or the refusal.

    Args:
        name: who follows.
        refusal: what is answered when there is no place.
    """

    def __init__(self, events: AsyncIterator[str], *, seats: Seats, name: str, refusal: Response) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._seats, self._name, self._refusal = seats, name, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The place is given back however this ends."""
        with self._seats.taken(self._name) as seated:
            if seated:
                await super().__call__(scope, receive, send)
                return
        await self._refusal(scope, receive, send)
