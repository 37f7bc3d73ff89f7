"""The API as an ASGI application: its routes, and what stands before them. It answers nothing itself."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

import warmcron
from warmcron.api import pools, problems, runs, tasks
from warmcron.api.admission import OPENAPI, PREFIX, Admitted
from warmcron.api.bounds import Bounded
from warmcron.api.serving import ByTheLeader
from warmcron.api.sources import Sources
from warmcron.web.guard import LOCAL

__all__ = ["PREFIX", "Sources", "create"]


def create(
    sources: Sources,
    *,
    pages: ASGIApp | None = None,
    leader: Callable[[], str] = str,
    alone: Callable[[Scope], bool] = lambda _: False,
) -> ASGIApp:
    """The application.

    Args:
        sources: where the answers come from.
        pages: the dashboard, served beside the API.
        leader: base address of the API of the replica that leads; empty while it is this one.
        alone: whether this replica can answer a request though another one leads.
    """
    app = FastAPI(
        title="warmcron",
        version=warmcron.__version__,
        description="Tasks, runs, logs and workers. Who asks is checked with Kubernetes RBAC.",
        openapi_url=OPENAPI,
        docs_url=None,  # both pages would load scripts from another host
        redoc_url=None,
    )
    problems.install(app)
    for router in (tasks.routes(sources), tasks.orders(sources), runs.routes(sources), pools.routes(sources)):
        app.include_router(router, prefix=PREFIX)
    if pages is not None:
        app.mount("/", pages)
    # In this order: the size is known before the caller, the caller before the body, and all three before another
    # replica is bothered with it.
    led = ByTheLeader(app, leader=leader, alone=alone)
    return Bounded(Admitted(led, guard=sources.guard), hosts=LOCAL if sources.guard.open else None)
