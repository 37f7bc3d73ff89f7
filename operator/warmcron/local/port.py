"""What the embedded mode listens on, all of it loopback: a port for people, and one on which its workers report."""

import socket
from typing import Final

from aiohttp import web
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from warmcron.api.app import Sources, create
from warmcron.api.serving import Server
from warmcron.errors import LocalError
from warmcron.exposition import Exposition
from warmcron.history.model import Reader
from warmcron.hub import Hub, WallClock
from warmcron.local.desk import Desk, Door
from warmcron.local.labels import FileLabels
from warmcron.local.objects import Objects
from warmcron.observe import Metrics
from warmcron.web.app import app as dashboard

HOST: Final = "127.0.0.1"
PORT: Final = 8321


class Listening:
    """Both ports, held from the start so that nobody else takes them.

    Args:
        port: the port for people; None for ours, or a free one where that is taken.
    """

    def __init__(self, port: int | None) -> None:
        self.people = listen(port)
        self.workers = listen(0)

    @property
    def url(self) -> str:
        """Where people look."""
        return f"http://{HOST}:{self.people.getsockname()[1]}"

    @property
    def callback_url(self) -> str:
        """Where workers report."""
        return f"http://{HOST}:{self.workers.getsockname()[1]}"

    def close(self) -> None:
        """Gives both back."""
        self.people.close()
        self.workers.close()


class Port:
    """Dashboard, API and metrics on the one port, callbacks on the other."""

    def __init__(self, listening: Listening, *, hub: Hub, objects: Objects, reader: Reader, metrics: Metrics) -> None:
        self._listening = listening
        self._exposition = Exposition(metrics, hub.refresh_metrics)
        sources = Sources(
            live=hub.memory,
            reader=reader,
            orders=Desk(objects=objects, engine=hub.engine, reader=reader),
            guard=Door(),
            labels=FileLabels(objects),
        )
        pages = dashboard(
            live_source=sources.live,
            reader=reader,
            orders_to=sources.orders,
            guarded_by=sources.guard,
            clock=WallClock(),
        )
        beside = Starlette(
            routes=[
                Route("/livez", self._alive),
                Route("/readyz", self._alive),
                Route("/metrics", self._scrape),
                Mount("/", pages),
            ]
        )
        self._server = Server(create(sources, pages=beside), listening=listening.people)
        self._reports = web.AppRunner(hub.callbacks.app(), access_log=None)

    async def open(self) -> None:
        """Answers from now on."""
        await self._reports.setup()
        await web.SockSite(self._reports, self._listening.workers).start()
        self._server.start()

    async def close(self) -> None:
        """Ends what is under way; workers are heard to the last."""
        await self._server.close()
        await self._reports.cleanup()

    async def _alive(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")  # a service that ends takes the process with it

    async def _scrape(self, request: Request) -> Response:
        body, content_type = await self._exposition.text(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})


def listen(port: int | None) -> socket.socket:
    """A socket on loopback: on the port that was asked for, or on ours, or on a free one where that is taken."""
    for wanted in (PORT, 0) if port is None else (port,):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, wanted))
            listening.listen(512)
        except OSError as error:
            listening.close()
            if wanted == port:
                raise LocalError(
                    f"port {port} cannot be used: {error.strerror}; choose another with --port, or leave --port out"
                ) from None
        else:
            return listening
    raise LocalError(f"no port is free on {HOST}")
