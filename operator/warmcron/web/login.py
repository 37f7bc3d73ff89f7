"""Logging in with a bearer token, and the preferences that the browser keeps."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from warmcron.web import guard, show
from warmcron.web.language import NAMES
from warmcron.web.site import ZONES, Site, compiled
from warmcron.web.sources import Order

YEAR: Final = 365 * 86_400


class Nobody:
    """Who looks at the login page."""

    name = ""

    async def namespaces(self) -> tuple[str, ...] | None:
        """None of them."""
        return ()

    async def may(self, order: Order, namespace: str) -> bool:  # noqa: ARG002 - the answer is the same for all
        """Nothing."""
        return False


def routes(site: Site) -> tuple[object, object, object, object]:
    """The handlers of GET /login, POST /login, POST /logout and POST /settings."""

    def ask(request: Request, *, fault: str = "", back: str) -> Response:
        visit = site.visit_of(Nobody(), request, ())
        status = HTTPStatus.FORBIDDEN if fault else HTTPStatus.OK
        return site.render(
            "login.html",
            request,
            visit,
            status=status,
            section=None,
            fault=fault,
            back=back,
        )

    async def page(request: Request) -> Response:
        await compiled()
        back = guard.local_path(request.query_params.get("next", "/"))
        return _go(back) if site.guard.open else ask(request, back=back)

    async def enter(request: Request) -> Response:
        form = await guard.form(request)
        back = guard.local_path(form.one("next"))
        token = form.one("token").strip().removeprefix("Bearer ")
        t = site.visit_of(Nobody(), request, ()).language.text
        if not token.isascii() or not token.isprintable() or len(token) > guard.TOKEN_LIMIT:
            return ask(request, fault=t("This is not a bearer token."), back=back)
        if not token or await site.guard.viewer(token) is None:
            return ask(request, fault=t("The cluster does not accept this token."), back=back)
        response = _go(back)
        guard.keep(response, token, secure=_secure(request))
        return response

    async def leave(_: Request) -> Response:
        response = _go("/login")
        guard.drop(response)
        return response

    async def prefer(request: Request) -> Response:
        form = await guard.form(request)
        response = _go(guard.local_path(form.one("back")))
        for name, value, known in (
            ("wc_lang", form.one("lang"), lambda value: value in NAMES),
            ("wc_zone", form.one("zone"), lambda value: value in ZONES),
            ("wc_mine", form.one("mine"), show.known_zone),
        ):
            if known(value):
                response.set_cookie(name, value, max_age=YEAR, samesite="strict", path="/")
        return response

    return page, enter, leave, prefer


def _secure(request: Request) -> bool:
    """Whether the browser came by HTTPS, to us or to what ends TLS for us; a lie harms only the liar's cookie."""
    return "https" in (request.scope["scheme"], request.headers.get("x-forwarded-proto", ""))


def _go(path: str) -> Response:
    return RedirectResponse(path, status_code=HTTPStatus.SEE_OTHER)
