"""/livez, /readyz and /metrics. Readiness is not leadership: a standby that is in sync is ready."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from warmcron.exposition import Exposition
from warmcron.observe import Metrics


def app(
    *, alive: Callable[[], str], ready: Callable[[], str], metrics: Metrics, refresh: Callable[[], Awaitable[None]]
) -> web.Application:
    """The application to serve. `alive` and `ready` say what is wrong, or nothing."""
    found = web.Application()
    add(found, alive=alive, ready=ready, metrics=metrics, refresh=refresh)
    return found


def add(
    found: web.Application,
    *,
    alive: Callable[[], str],
    ready: Callable[[], str],
    metrics: Metrics,
    refresh: Callable[[], Awaitable[None]],
) -> None:
    """Adds the probes to an application that serves other things too."""

    async def livez(_: web.Request) -> web.Response:
        return _verdict(alive())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(ready())

    exposition = Exposition(metrics, refresh)

    async def scrape(request: web.Request) -> web.Response:
        body, content_type = await exposition.text(request.headers.get("accept", ""))
        return web.Response(body=body, headers={"content-type": content_type})

    found.router.add_get("/livez", livez)
    found.router.add_get("/readyz", readyz)
    found.router.add_get("/metrics", scrape)


def _verdict(fault: str) -> web.Response:
    return web.Response(status=503 if fault else 200, text=fault or "ok\n")
