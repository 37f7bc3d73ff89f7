"""Serves the API on the operator's own event loop, and passes on to the leader what only that can answer."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import aiohttp
import uvicorn
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from warmcron.api import problems
from warmcron.errors import ConfigError

FORWARDED: Final = "x-warmcron-forwarded"
CONNECT_SECONDS: Final = 2.0
# Between a follower's stay and a connection that died without a word.
SILENCE_SECONDS: Final = 60.0
HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "date"})


class Server:
    """One port.

    Args:
        host, port: where to listen; port 0 takes any.
        listening: a socket that listens already, instead.
    """

    def __init__(
        self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, listening: socket.socket | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            proxy_headers=False,
            ws="none",
        )
        self._server = _Quiet(config)
        self._socket = listening or _listen(host, port)
        self._work: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Serves from now on."""
        self._work = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def close(self) -> None:
        """Ends what is under way, also those who only follow."""
        self._server.should_exit = True
        if self._work:
            await self._work
        self._socket.close()


class _Quiet(uvicorn.Server):
    """Signals are the operator's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ByTheLeader:
    """An ASGI application whose requests another replica answers while that one leads.

    Args:
        leader: base address of the leader's API; empty while it is this replica.
        alone: whether this replica can answer a request all the same.
    """

    def __init__(self, app: ASGIApp, *, leader: Callable[[], str], alone: Callable[[Scope], bool]) -> None:
        self._app, self._leader, self._alone = app, leader, alone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        leader = self._leader() if scope["type"] == "http" else ""
        if not leader or FORWARDED in Headers(scope=scope) or self._alone(scope):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS),
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            await self._pass_on(session, leader, request, send)

    async def _pass_on(self, session: aiohttp.ClientSession, leader: str, request: Request, send: Send) -> None:
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP]
        # The host decides about requests from other sites: the leader must see the one that the browser saw.
        headers += [(FORWARDED, "1"), ("host", request.headers.get("host", ""))]
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            async with session.request(
                request.method,
                f"{leader}{request.scope['raw_path'].decode()}{query}",
                headers=headers,
                data=await request.body() or None,
                allow_redirects=False,
            ) as answer:
                passed = StreamingResponse(_parts(answer), status_code=answer.status)
                passed.raw_headers = [
                    (name.lower(), value) for name, value in answer.raw_headers if name.lower().decode() not in HOP
                ]
                await passed(request.scope, request.receive, send)
        except (aiohttp.ClientConnectorError, TimeoutError):
            refusal = problems.answer(503, "no-leader", "the replica that leads did not answer; try again", again=1)
            await refusal(request.scope, request.receive, send)


async def _parts(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async for part in answer.content.iter_any():
            yield part


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise ConfigError(f"port {port} cannot be listened on: {error.strerror}") from None
    return found
