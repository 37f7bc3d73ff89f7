from collections.abc import Callable
from typing import Any

import pytest

from fakes.asgi import Browser
from fakes.web import FakeCluster, FakeGuard, cluster
from warmcron.web.app import app


def dashboard(source: FakeCluster, guard: FakeGuard | None = None) -> Any:
    return app(
        live_source=source,
        reader=source.history,
        orders_to=source,
        guarded_by=guard or FakeGuard(),
        clock=source.clock,
    )


@pytest.fixture
def source() -> FakeCluster:
    return cluster(10)


@pytest.fixture
def browser(source: FakeCluster) -> Browser:
    return Browser(dashboard(source))


@pytest.fixture
def serve() -> Callable[..., Any]:
    return dashboard
