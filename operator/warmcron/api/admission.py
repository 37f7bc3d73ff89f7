"""Asks who is there before anything of a request is read but its head. It decides nothing else about the request."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from warmcron.api import problems
from warmcron.errors import KubeError
from warmcron.web.sources import Guard, Viewer

PREFIX: Final = "/api/v1"
OPENAPI: Final = f"{PREFIX}/openapi.json"
BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the namespaces they may see; None for all."""

    viewer: Viewer
    scope: tuple[str, ...] | None

    def sees(self, namespace: str) -> bool:
        """Whether what is in the namespace may be told."""
        return self.scope is None or namespace in self.scope

    def within(self, namespaces: list[str]) -> tuple[str, ...] | None:
        """Of the namespaces that are asked for (none: all), those that may be seen."""
        if not namespaces:
            return self.scope
        return tuple(name for name in namespaces if self.sees(name))


class Admitted:
    """An ASGI application that hears only callers whose token the cluster accepts; who it is stands in the scope.

    The pages beside the API have a door of their own.
    """

    def __init__(self, app: ASGIApp, *, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path == OPENAPI or not f"{path}/".startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._find(Headers(scope=scope).get("authorization", ""))
        except KubeError as error:
            await problems.answer(503, "cluster-unavailable", str(error))(scope, receive, send)
            return
        if caller is None:
            await problems.unauthorized().response()(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    async def _find(self, header: str) -> Caller | None:
        token = header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else ""
        viewer = await self._guard.viewer(token) if token or self._guard.open else None
        return Caller(viewer, await viewer.namespaces()) if viewer else None


async def _known(request: Request) -> Caller:
    """Who was let in. A route that was reached past the door answers nobody."""
    caller = getattr(request.state, "caller", None)
    if not isinstance(caller, Caller):
        raise problems.unauthorized()
    return caller


Asking = Annotated[Caller, Depends(_known)]
