"""What stands before the API: a limit to what is sent, and where nobody logs in, the refusal of other sites' pages."""

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from warmcron.api import problems
from warmcron.web.guard import BODY_LIMIT, headed, host_of, same_origin

SAFE: Final = ("GET", "HEAD")


class Bounded:
    """An ASGI application with bounds.

    Args:
        hosts: the host names by which it may be addressed; None for any, where every request brings a token.
    """

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] | None) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        await (self._refusal(scope) or self._app)(scope, receive, headed(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._hosts is not None and not self._ours(scope, headers):
            return problems.answer(
                421, "wrong-host", "this API answers to the machine's own names and its own pages only"
            )
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            return problems.answer(411, "length-required", "say how long the body is")
        if int(length) > BODY_LIMIT:
            return problems.answer(413, "too-large", f"a body has at most {BODY_LIMIT} bytes")
        return None

    def _ours(self, scope: Scope, headers: Headers) -> bool:
        # A page elsewhere could point a name of its own at this machine, or make a browser send it an order.
        return (
            self._hosts is not None
            and host_of(headers) in self._hosts
            and (scope["method"] in SAFE or same_origin(headers))
        )
