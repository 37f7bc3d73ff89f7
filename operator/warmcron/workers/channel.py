"""One keep-alive connection to a worker: bytes of one request go out, one answer or the reason for none comes in.

It never decides when a request is sent. What a worker answers is hostile input: its head and its body are bounded,
nothing is decompressed, no redirect is followed, and an answer that is no HTTP ends the connection.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

import httptools

# A head of this size tells nothing that we would read.
MAX_HEAD: Final = 16 * 1024
INFORMATIONAL: Final = range(100, 200)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker answered. Header names are in lower case; a body over its limit is empty."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer. `unsent` is true when the request certainly never left."""

    unsent: bool
    reason: str


Reply = Answer | Failure
NOT_ALLOWED: Final = Failure(unsent=True, reason="NotLeading")


class Request(NamedTuple):
    """Bytes to send, and what to do with what comes of them.

    Attributes:
        head: the request line and headers as they go out; body: what follows them.
        on_reply: called once, from the event loop.
        seconds: how long an answer is waited for, counted from when the request leaves.
        limit: bytes of a body that are read.
        allowed: asked just before the bytes leave; if it says no, they do not.
    """

    head: bytes
    body: bytes
    on_reply: Callable[[Reply], None]
    seconds: float
    limit: int
    allowed: Callable[[], bool]


class Channel(asyncio.Protocol):
    """One connection.

    Args:
        on_free: an answer is complete and the connection can take the next request.
        on_closed: the connection is gone; called once.
    """

    def __init__(self, *, on_free: Callable[["Channel"], None], on_closed: Callable[["Channel"], None]) -> None:
        self._on_free, self._on_closed = on_free, on_closed
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self.expires = 0.0  # when the answer must be there, by the loop's clock
        self.idle_since = 0.0

    # ---- what the pool of channels asks ----------------------------------------------------------------------

    def send(self, request: Request) -> None:
        """Sends a request. Only while no other is out."""
        assert self._transport is not None  # noqa: S101 - a channel is handed out once it is connected
        self._request = request
        self.expires = self._loop.time() + request.seconds
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._size = self._head_size = 0
        self._headed = self._framed = self._over = self._keep = False
        self._transport.write(request.head + request.body)

    def close(self, reason: str) -> None:
        """Ends the connection; a request that is out has no answer for this reason."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()
        self._fail(reason)

    @property
    def usable(self) -> bool:
        """Whether a request can go out on it."""
        return self._transport is not None and not self._transport.is_closing()

    # ---- what the event loop calls ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)  # TCP; uvloop's own class is no subclass of it
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer, or of something nobody asked for."""
        if self._request is None:
            self.close("")
            return
        self._head_size += 0 if self._headed else len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._over:
                self.close("BadAnswer")
                return
            self._keep = False
        if self._over:
            self._complete()
        elif not self._headed and self._head_size > MAX_HEAD:
            self.close("BadAnswer")

    def eof_received(self) -> bool:
        """The worker closed its side: that ends a body whose length it did not say."""
        if self._request and self._headed and not self._framed:
            self._complete()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why makes no difference
        """Gone."""
        self._fail("ConnectionLost")
        self._on_closed(self)

    # ---- what the parser calls: nothing of ours may raise in here, it would be taken for a bad answer --------

    def on_message_begin(self) -> None:
        """An answer begins. A second one to the same request is not ours."""
        self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        if not self._over:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._over or self._parser.get_status_code() in INFORMATIONAL:
            return
        self._status = self._parser.get_status_code()
        self._headed = True
        self._framed = "content-length" in self._headers or "transfer-encoding" in self._headers

    def on_body(self, part: bytes) -> None:
        """A part of the body. Of one that is too long nothing is believed, and its end is not waited for."""
        if self._over or self._request is None:
            return
        self._size += len(part)
        self._parts.append(part)
        if self._size > self._request.limit:
            self._parts.clear()
            self._over = True

    def on_message_complete(self) -> None:
        """The answer is complete, unless it was one of those that only announce another."""
        if self._over:
            return
        if not self._headed:
            self._headers = {}
            return
        self._over, self._keep = True, self._parser.should_keep_alive()

    # ---- inside ----------------------------------------------------------------------------------------------

    def _complete(self) -> None:
        request, self._request = self._request, None
        if request is None:
            return
        if not self._keep and self._transport:
            self._transport.abort()
        answer = Answer(self._status, self._headers, b"".join(self._parts))
        if self._keep:  # what waits goes out before this answer is looked at
            self.idle_since = self._loop.time()
            self._on_free(self)
        request.on_reply(answer)

    def _fail(self, reason: str) -> None:
        request, self._request = self._request, None
        if request:
            request.on_reply(Failure(unsent=False, reason=reason))
