"""What stands before every page: headers, no to what another site sends, and the bearer token's cookie."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_COOKIE: Final = "warmcron_token"  # noqa: S105 - a cookie's name
# Browsers keep 4096 bytes of a cookie with its name and attributes: a longer token is kept in parts.
PART: Final = 3800
PARTS: Final = 4
TOKEN_LIMIT: Final = PART * PARTS
BODY_LIMIT: Final = 256 * 1024
# Nothing inline, nothing from elsewhere, no frame: text that got through every escape could still do nothing.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Guarded:
    """An ASGI application with the headers that every answer carries.

    Args:
        hosts: the host names by which it may be addressed, None for any. Where nobody logs in, only those of the
            machine itself: a page elsewhere could else point a name of its own at it and read everything.
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
        if self._hosts is not None and host_of(headers) not in self._hosts:
            return PlainTextResponse("this dashboard answers to the machine's own names only\n", status_code=421)
        if scope["method"] in ("GET", "HEAD"):
            return None
        if not same_origin(headers):
            return PlainTextResponse("refused: this request comes from another site\n", status_code=403)
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > BODY_LIMIT:
            return PlainTextResponse(f"expected a body of at most {BODY_LIMIT} bytes\n", status_code=413)
        return None


def headed(send: Send) -> Send:
    """Puts the headers that every answer carries into the start of one."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sent


def host_of(headers: Headers) -> str:
    """The name by which we were addressed, without its port; empty for one that is no name."""
    try:
        return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()
    except ValueError:  # a bracket that is never closed
        return ""


def same_origin(headers: Headers) -> bool:
    """Whether a page of ours sent this. Browsers say so themselves; one that does not at least names the origin."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host", "")
    except ValueError:  # a bracket that is never closed
        return False


class Form:
    """What a form of ours sent; `Guarded` has bounded its size before."""

    def __init__(self, body: bytes) -> None:
        self.pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)

    def one(self, name: str) -> str:
        """A field's first value; empty if it was not sent."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for field, value in self.pairs if field == name]


async def form(request: Request) -> Form:
    """The form that a POST carries."""
    return Form(await request.body())


def token(request: Request) -> str:
    """The bearer token that the login page keeps; empty if there is none."""
    found = ""
    for name in _names():
        part = request.cookies.get(name, "")
        found += part
        if len(part) < PART:
            break
    return found


def keep(response: Response, value: str, *, secure: bool) -> None:
    """Lets the browser keep the token: no script reads it, no other site's request carries it."""
    for place, name in enumerate(_names()):
        if part := value[place * PART : (place + 1) * PART]:
            response.set_cookie(name, part, httponly=True, samesite="strict", secure=secure, path="/")
        else:  # of an earlier, longer token
            _forget(response, name)


def drop(response: Response) -> None:
    """Makes the browser forget the token."""
    for name in _names():
        _forget(response, name)


def _names() -> Iterator[str]:
    yield TOKEN_COOKIE
    yield from (f"{TOKEN_COOKIE}_{number}" for number in range(2, PARTS + 1))


def _forget(response: Response, name: str) -> None:
    response.delete_cookie(name, httponly=True, samesite="strict", path="/")


def local_path(text: str) -> str:
    """A path on this site to go back to; the start page for anything else."""
    # A backslash or a second slash would make a browser read a host name.
    if text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text:
        return text
    return "/"
