"""The dashboard as an ASGI application: which address is which page. It is mounted on the API's port, at `/`."""

from collections.abc import Callable
from importlib import resources
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from warmcron.errors import HistoryError, KubeError
from warmcron.history.model import Reader
from warmcron.web import live, login, orders, overview, run, runs, tasks, workers
from warmcron.web.guard import LOCAL, Guarded
from warmcron.web.site import Clock, Page, Site
from warmcron.web.sources import Guard, Live, Orders


class _Static(StaticFiles):
    """Files whose digest is in their address: kept for ever, and only asked for again when they change."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code == 200:  # noqa: PLR2004
            response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def app(
    *, live_source: Live, reader: Reader, orders_to: Orders, guarded_by: Guard, clock: Clock, trace_url: str = ""
) -> ASGIApp:
    """The dashboard over these sources. `trace_url` is that of a trace, with `{traceId}` in it; empty for none."""
    site = Site(live=live_source, reader=reader, orders=orders_to, guard=guarded_by, clock=clock, trace_url=trace_url)
    return Guarded(pages(site), hosts=LOCAL if guarded_by.open else None)


def pages(site: Site) -> Starlette:
    """Which address is which page."""
    ask, enter, leave, prefer = cast("tuple[Callable[[Request], Any], ...]", login.routes(site))

    def get(path: str, page: Page) -> Route:
        return Route(path, site.view(page), methods=["GET"])

    async def lost(request: Request, _: Exception) -> Response:
        visit = await site.visit(request)
        visit = visit or site.visit_of(login.Nobody(), request, ())
        return site.missing(request, visit, request.url.path)

    async def unanswered(request: Request, error: Exception) -> Response:
        """The cluster or the database is away: said on a page that needs neither."""
        visit = site.visit_of(login.Nobody(), request, ())
        history = isinstance(error, HistoryError)
        values = {"section": "", "fault": str(error), "history": history, "again": request.method == "GET"}
        return site.render("unanswered.html", request, visit, status=503, **values)

    async def broken(request: Request, _: Exception) -> Response:
        """A fault of ours: said on a page as well as in the log."""
        visit = site.visit_of(login.Nobody(), request, ())
        return site.render("broken.html", request, visit, status=500, section="")

    return Starlette(
        routes=[
            get("/", overview.page),
            get("/tasks", tasks.listed),
            get("/tasks/{namespace}/{name}", tasks.one),
            get("/tasks/{namespace}/{name}/manifest", tasks.written),
            get("/tasks/{namespace}/{name}/ticks/{tick}", run.of_tick),
            get("/runs", runs.listed),
            get("/runs/{run_id}", run.one),
            get("/runs/{run_id}/log", live.follow),
            get("/workers", workers.listed),
            get("/confirm/{order}", orders.confirm),
            Route("/orders/{order}", site.view(orders.obey), methods=["POST"]),
            Route("/login", ask, methods=["GET"]),
            Route("/login", enter, methods=["POST"]),
            Route("/logout", leave, methods=["POST"]),
            Route("/settings", prefer, methods=["POST"]),
            Mount("/static", _Static(directory=str(resources.files("warmcron.web").joinpath("static")))),
        ],
        exception_handlers={404: lost, KubeError: unanswered, HistoryError: unanswered, Exception: broken},
    )
