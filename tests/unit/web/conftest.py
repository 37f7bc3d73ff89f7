from collections.abc import Callable
from typing import Any

import pytest
from starlette.routing import Route

from fakes.asgi import Browser
from fakes.web import FakeCluster, FakeGuard, cluster
from warmcron.web.app import app, pages
from warmcron.web.site import Site


def dashboard(source: FakeCluster, guard: FakeGuard | None = None) -> Any:
    return app(
        live_source=source,
        reader=source.history,
        orders_to=source,
        guarded_by=guard or FakeGuard(),
        clock=source.clock,
    )


def walk() -> list[tuple[str, str]]:
    """Method and path of everything that the dashboard answers, but for its files."""
    source = cluster(0)
    site = Site(live=source, reader=source.history, orders=source, guard=FakeGuard(), clock=source.clock)
    routes = [route for route in pages(site).routes if isinstance(route, Route)]
    return [(method, route.path) for route in routes for method in sorted(route.methods or ())]


@pytest.fixture
def source() -> FakeCluster:
    return cluster(10)


@pytest.fixture
def browser(source: FakeCluster) -> Browser:
    return Browser(dashboard(source))


@pytest.fixture
def serve() -> Callable[..., Any]:
    return dashboard
