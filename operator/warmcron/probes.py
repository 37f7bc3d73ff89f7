"""/livez, /readyz and /metrics. Readiness is not leadership: a standby that is in sync is ready."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from warmcron.observe import Metrics


def app(
    *, alive: Callable[[], str], ready: Callable[[], str], metrics: Metrics, refresh: Callable[[], None]
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
    refresh: Callable[[], None],
) -> None:
    """Adds the probes to an application that serves other things too."""

    async def livez(_: web.Request) -> web.Response:
        return _verdict(alive())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(ready())

    async def scrape(_: web.Request) -> web.Response:
        refresh()
        return web.Response(body=generate_latest(metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    found.router.add_get("/livez", livez)
    found.router.add_get("/readyz", readyz)
    found.router.add_get("/metrics", scrape)


def _verdict(fault: str) -> web.Response:
    return web.Response(status=503 if fault else 200, text=fault or "ok\n")
