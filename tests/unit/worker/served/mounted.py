"""An application of its own with the worker in it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import warmworker


@warmworker.task("hello")
async def hello(payload: dict[str, Any]) -> dict[str, Any]:
    print("mounted hello")  # noqa: T201 - what it prints is what is tested
    return payload


worker = warmworker.app()


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with worker.lifespan():
        yield


async def own(_: Request) -> PlainTextResponse:
    return PlainTextResponse('"its own page"')


application = Starlette(routes=[Route("/own", own), Mount("/", worker)], lifespan=lifespan)
