"""Errors as RFC 9457 problem documents. No traceback and no statement of a database ever leaves."""

from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from warmcron.errors import HistoryError, KubeError
from warmcron.web.sources import OrderError

log = structlog.get_logger("warmcron.api")

MEDIA: Final = "application/problem+json"


class Problem(Exception):  # noqa: N818 - it is what the answer is called
    """An answer that is an error.

    Attributes:
        name: the last part of its `type`, listed in docs/api.md.
        again: after how many seconds it is worth asking once more; 0 where that is not known.
    """

    def __init__(self, status: int, name: str, detail: str, *, again: int = 0) -> None:
        super().__init__(detail)
        self.status, self.name, self.detail, self.again = status, name, detail, again

    def response(self) -> JSONResponse:
        """The answer itself."""
        return answer(self.status, self.name, self.detail, again=self.again)


def unauthorized() -> Problem:
    """401."""
    return Problem(401, "unauthorized", "send a bearer token that the cluster accepts: Authorization: Bearer …")


def missing(what: str) -> Problem:
    """404; the same for what is not there and for what the caller may not see."""
    return Problem(404, "not-found", f"{what} is not there, or you may not see it")


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem document."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(OrderError)
    async def _refused(_: Request, error: OrderError) -> JSONResponse:
        status = error.status
        return answer(status, "not-found" if status == HTTPStatus.NOT_FOUND else "refused", str(error))

    @app.exception_handler(HistoryError)
    async def _history(_: Request, error: HistoryError) -> JSONResponse:
        return answer(503, "history-unavailable", str(error))

    @app.exception_handler(KubeError)
    async def _cluster(_: Request, error: KubeError) -> JSONResponse:
        return answer(503, "cluster-unavailable", str(error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        return answer(422, "invalid", "; ".join(faults)[:2000])

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        name = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        return answer(error.status_code, name, str(error.detail))

    @app.exception_handler(Exception)
    async def _fault(request: Request, error: Exception) -> JSONResponse:
        log.error("request failed", path=request.url.path, exc_info=error)
        return answer(500, "internal", "warmcron failed to answer; its log says more")


def answer(status: int, name: str, detail: str, *, again: int = 0) -> JSONResponse:
    """A problem as an answer; `again` as in `Problem`."""
    body: dict[str, Any] = {
        "type": f"urn:warmcron:problem:{name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    headers = {"www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if again:
        headers["retry-after"] = str(again)
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA)
