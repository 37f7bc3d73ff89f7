"""Runs uvicorn around the worker: listens, drains on SIGTERM, ends; never looks into a request."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from warmworker.server import WorkerApp
from warmworker.settings import Settings
from warmworker.tls import PEER, Identity, names

logger = logging.getLogger(__name__)
# Answers that are on their way when the drain is over get this long.
LAST_ANSWERS: Final = 2
RENEWAL_SECONDS: Final = 10.0


def serve(application: WorkerApp, listening: socket.socket, configured: Settings) -> int:
    """Serve until SIGTERM or SIGINT and the drain after it; returns how many handlers could not be ended."""
    server = _Server(application, listening, configured)
    _hide_main()
    factory = server.config.get_loop_factory() or asyncio.new_event_loop
    with contextlib.closing(factory()) as loop:
        asyncio.set_event_loop(loop)
        work = loop.create_task(_serve(server, application, configured.grace_seconds))
        while not work.done():
            try:
                loop.run_until_complete(work)
            except (SystemExit, KeyboardInterrupt) as error:
                # asyncio lets these through from any task, also from one that a handler started. They end nothing.
                logger.error("ignored %r of a task that a handler left behind", error)  # noqa: TRY400
        return work.result()


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # one of two classes, by what is installed
    """uvicorn's, which tells the application whose certificate the client has shown."""

    app_state: dict[str, Any]  # the server's, which is laid under each request

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, PEER: names(transport)}


class _Server(uvicorn.Server):
    """uvicorn without its own idea of signals: this one goes on answering while the worker drains."""

    def __init__(self, application: WorkerApp, listening: socket.socket, configured: Settings) -> None:
        tls = configured.tls
        self.identity = identity = Identity(tls, ask=bool(configured.tls_client_name)) if tls else None
        super().__init__(
            uvicorn.Config(
                application,
                http=_Protocol,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=1024,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=LAST_ANSWERS,
                ssl_context_factory=(lambda *_: identity.server) if identity else None,
            )
        )
        self.listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `_serve`."""
        yield

    async def renew(self) -> None:
        """Show a new certificate as soon as the old one is replaced, without a restart."""
        while self.identity:
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                if self.identity.renew():
                    logger.info("the certificate was renewed")
            except OSError as error:  # half of it is there: the next look finds the rest
                logger.warning("the certificate cannot be renewed: %s", error)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where the worker is once it is there: tests and people read the port from this line."""
        await super().startup(sockets)
        host, port = self.listening.getsockname()[:2]
        scheme = "https" if self.identity else "http"
        logger.info("listening on %s://%s:%d", scheme, f"[{host}]" if ":" in host else host, port)


async def _serve(server: _Server, application: WorkerApp, grace: float) -> int:
    told = _signals()
    async with application.lifespan():
        worker = application.worker
        answering = asyncio.create_task(server.serve(sockets=[server.listening]))
        stop = asyncio.create_task(told.get())
        renewing = asyncio.create_task(server.renew())
        await asyncio.wait({answering, stop}, return_when=asyncio.FIRST_COMPLETED)
        logger.info("told to stop: taking nothing new")
        worker.draining = True
        drained = asyncio.create_task(worker.drain(grace))
        again = asyncio.create_task(told.get())
        await asyncio.wait({drained, again}, return_when=asyncio.FIRST_COMPLETED)
        if not drained.done():
            logger.warning("told to stop again: the grace period ends now")
            await worker.drain(0)
        await drained
        again.cancel()
        renewing.cancel()
        server.should_exit = True
        await answering
    logger.info("the worker has ended")
    return worker.busy


def _signals() -> "asyncio.Queue[int]":
    told: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.put_nowait, number)
    return told


def _hide_main() -> None:
    # multiprocessing would run the file of the command again in each child, to have its __main__: handlers lie in
    # modules of their own, so that would only cost time.
    main = sys.modules["__main__"]
    main.__spec__ = None
    main.__dict__.pop("__file__", None)
