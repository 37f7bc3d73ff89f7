"""What every page shares: its sources, who looks and how, and the templates. Each page fetches only its own rows."""

import asyncio
import functools
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib import resources
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlencode

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

import warmcron
from warmcron.history.model import Reader
from warmcron.web import catalog, guard, marks, show, standing
from warmcron.web.language import NAMES, Language, grouped, language, preferred
from warmcron.web.patience import Patience
from warmcron.web.seats import Seats
from warmcron.web.sources import Flag, Guard, Live, Order, Orders, Viewer
from warmcron.web.words import words

ZONES: Final = ("task", "mine", "utc")
TRACE_ID: Final = re.compile("[0-9a-f]{32}")
NOTE_COOKIE: Final = "wc_note"
NOTE_LIMIT: Final = 300
PREFERENCES: Final = ("wc_lang", "wc_zone", "wc_mine")


class Clock(Protocol):
    """Wall time."""

    def now(self) -> float:
        """UTC epoch seconds."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: who looks, in which language, and in which zone times are shown.

    Attributes:
        scope: the namespaces that may be seen; None for all.
        zone: `task` (each time in its task's zone), `mine` or `utc`.
        here: the path and query that were asked for.
    """

    viewer: Viewer
    scope: tuple[str, ...] | None
    language: Language
    zone: str
    mine: str
    now: float
    here: str

    def sees(self, namespace: str) -> bool:
        """Whether what is in the namespace may be shown."""
        return self.scope is None or namespace in self.scope

    def place(self, task_zone: str = "UTC") -> str:
        """The zone in which a time of such a task is shown."""
        if self.zone == "task":
            return show.known_zone(task_zone) or "UTC"
        return self.mine if self.zone == "mine" else "UTC"

    def when(self, instant: float, task_zone: str = "UTC") -> show.When:
        """A time as this visitor reads it."""
        return show.when(instant, zone=self.place(task_zone), now=self.now, language=self.language)

    def took(self, seconds: float | None) -> str:
        """A duration as this visitor reads it."""
        return show.duration(seconds, self.language)


Page = Callable[["Site", Request, Visit], Awaitable[Response]]


@dataclass(slots=True, kw_only=True)
class Site:
    """The dashboard's sources and its templates.

    Attributes:
        trace_url: where traces are looked at, with `{traceId}` in it; empty for nowhere.
        ticks: those of a day, found for the overview: from when on, by the minute at which that hour begins.
    """

    live: Live
    reader: Reader
    orders: Orders
    guard: Guard
    clock: Clock
    trace_url: str = ""
    cache: dict[Any, Any] = field(default_factory=dict)
    ticks: dict[int, tuple[int, catalog.Found]] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    seats: Seats = field(default_factory=Seats)
    _templates: jinja2.Environment = field(init=False)

    def __post_init__(self) -> None:
        self._templates = templates()

    async def visit(self, request: Request) -> Visit | None:
        """Who asks; None for somebody who has to log in first."""
        viewer = await self.guard.viewer(guard.token(request))
        if viewer is None:
            return None
        return self.visit_of(viewer, request, await viewer.namespaces())

    def visit_of(self, viewer: Viewer, request: Request, scope: tuple[str, ...] | None) -> Visit:
        """The visit of a known viewer, with the preferences that the browser keeps."""
        cookies = request.cookies
        code = cookies.get("wc_lang", "")
        zone = cookies.get("wc_zone", "")
        return Visit(
            viewer=viewer,
            scope=scope,
            language=language(code if code in NAMES else preferred(request.headers.get("accept-language", ""))),
            zone=zone if zone in ZONES else "task",
            mine=show.known_zone(cookies.get("wc_mine", "")) or "UTC",
            now=self.clock.now(),
            here=_here(request),
        )

    def view(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """A page behind the login."""

        async def answer(request: Request) -> Response:
            await compiled()
            visit = await self.visit(request)
            if visit is None:
                return _to_login(request)
            return await page(self, request, visit)

        return answer

    def render(self, name: str, request: Request, visit: Visit, *, status: int = 200, **values: Any) -> Response:
        """A page of that template."""
        note = unquote(request.cookies.get(NOTE_COOKIE, ""))[:NOTE_LIMIT]
        text = self.text(name, visit, note=note, open=self.guard.open, **values)
        response = HTMLResponse(text, status_code=status, headers={"vary": "cookie, accept-language, hx-request"})
        if request.headers.get("hx-target") == "main#main":
            response.headers["hx-replace-url"] = visit.here  # the address of a view, without what was left empty
        if note:
            response.delete_cookie(NOTE_COOKIE, httponly=True, samesite="strict")
        return response

    def text(self, name: str, visit: Visit, **values: Any) -> str:
        """The text of a template."""
        t = visit.language.text

        def in_words(row: Any) -> str:
            if row.plan is None:  # what is no schedule can only be quoted
                return ""
            return words(row.schedule, visit.language, hash_key=f"{row.namespace}/{row.name}")

        return self._templates.get_template(name).render(visit=visit, t=t, words=in_words, **values)

    def trace(self, trace_id: str) -> str:
        """Where that trace is looked at; empty for nowhere."""
        known = self.trace_url and TRACE_ID.fullmatch(trace_id)
        return self.trace_url.replace("{traceId}", trace_id) if known else ""

    def missing(self, request: Request, visit: Visit, what: str) -> Response:
        """The page for what is not there, or not theirs to see: the two look the same."""
        return self.render("missing.html", request, visit, status=HTTPStatus.NOT_FOUND, what=what, section="")


async def compiled() -> None:
    """Waits until every template is compiled, which is done in a thread, for the first page of all.

    It takes half a second, for which the event loop, which also sends runs to workers, would wait.
    """
    if not _compile.cache_info().currsize:
        await asyncio.to_thread(_compile)


@functools.cache
def _compile() -> None:
    found = templates()
    for name in found.list_templates():
        found.get_template(name)


def note(response: Response, text: str) -> Response:
    """Leaves a sentence for the next page to show."""
    response.set_cookie(NOTE_COOKIE, quote(text[:NOTE_LIMIT]), max_age=20, httponly=True, samesite="strict")
    return response


@functools.cache
def templates() -> jinja2.Environment:
    """The environment of all templates: everything is escaped, and what is undefined is an error.

    One for the process: to compile a page's templates takes two or three times as long as to fill them in.
    """
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("warmcron.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_cleaned,
    )
    found.globals.update(
        marks=marks,
        flags=Flag,
        foremost=catalog.foremost,
        orders=Order,
        grouped=grouped,
        pretty=show.pretty,
        standing=standing.said,
        languages=NAMES,
        version=warmcron.__version__,
        static=_static(),
        query=_query,
        segment=lambda text: quote(text, safe=""),
    )
    return found


def _cleaned(value: Any) -> Any:
    return show.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _query(**parts: Any) -> str:
    """A query string of what is given and not empty; a list gives its name several times."""
    return urlencode([(name, value) for name, value in parts.items() if value not in ("", None, [], ())], doseq=True)


def _here(request: Request) -> str:
    """The path and query of a page to come back to; the answer to an order is none."""
    if request.method not in ("GET", "HEAD"):
        return "/"
    # Not `request.url`: that is made with the host that the request names, and fails for a host that is none.
    query = urlencode([(name, value) for name, value in request.query_params.multi_items() if value])
    return quote(request.scope["path"]) + (f"?{query}" if query else "")


def _static() -> Callable[[str], str]:
    """Where a file of `static/` is: its digest is in the address, so that browsers may keep it for ever."""
    folder = resources.files("warmcron.web").joinpath("static")
    digests = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in folder.iterdir() if file.is_file()
    }
    return lambda name: f"/static/{name}?v={digests[name]}"


def _to_login(request: Request) -> Response:
    here = guard.local_path(_here(request))  # `//host` is a path to us and another site to a browser
    if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
        # A link on another site: the browser holds our cookie back until a page of ours asks.
        page = (
            f'<!doctype html><meta http-equiv="refresh" content="0;url={Markup.escape(here)}"><title>warmcron</title>'
        )
        return HTMLResponse(page)
    target = f"/login?{urlencode({'next': here})}"
    if request.headers.get("hx-request"):
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"hx-redirect": target})
    return RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)
