"""The worker protocol over HTTP: turns requests into calls of the worker and answers into responses; never decides."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from warmworker import capture, protocol, records, registry, wire
from warmworker.errors import Malformed, NoHandlers, TooBig
from warmworker.output import EVENT_LINES
from warmworker.protocol import Problem
from warmworker.settings import Settings, read
from warmworker.signatures import Gate
from warmworker.tls import PEER
from warmworker.version import VERSION
from warmworker.worker import Accepted, Conflict, Done, Worker

logger = logging.getLogger(__name__)
JSON: Final = "application/json"
LONG_WAIT: Final = 0.2
# Who sends a quarter of a megabyte more slowly than this keeps a connection open, and no more.
BODY_SECONDS: Final = 10.0

_Answer = Callable[[Request, bytes], Awaitable[Response]]


class WorkerApp:
    """The ASGI application of a worker. Mounted in another application, open `lifespan()` in that one's lifespan."""

    def __init__(self, configured: Settings) -> None:
        self._settings = configured
        self._worker: Worker | None = None
        self._gate = Gate(configured.keyring, pod_uid=configured.pod.uid)
        self._starlette = Starlette(
            routes=[
                self._signed("execute", "POST", "/api/task/execute", self._execute),
                self._signed("runs", "GET", "/api/task/runs", self._runs),
                self._signed("run", "GET", "/api/task/runs/{run_id}", self._run),
                self._signed("fence", "PUT", "/api/task/runs/{run_id}/fence", self._fence),
                self._signed("cancel", "POST", "/api/task/runs/{run_id}/cancel", self._cancel),
                self._signed("handlers", "GET", "/api/task/handlers", self._handlers),
                Route("/readyz", self._readyz),
                Route("/livez", self._livez),
            ],
            exception_handlers={
                Malformed: _malformed,
                TooBig: _too_big,
                HTTPException: _other,
                Exception: _defect,
            },
            lifespan=lambda _: self.lifespan(),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._starlette(scope, receive, send)

    @property
    def worker(self) -> Worker:
        """The worker, while the lifespan is open."""
        if self._worker is None:
            msg = "The worker was not started. Open `async with worker.lifespan():` in your application's lifespan."
            raise RuntimeError(msg)
        return self._worker

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """The worker runs while this is open; on leaving it drains for what the settings grant."""
        worker = self._worker = Worker(registry.handlers(), self._settings)
        with capture.capturing():
            await worker.start()
            if self._settings.keyring is None:
                logger.warning("INSECURE: whoever reaches this port may start runs here; nothing is checked")
            try:
                yield
            finally:
                if not worker.draining:
                    await worker.drain(self._settings.grace_seconds)
                await worker.close()

    def _signed(self, operation: str, method: str, path: str, answer: _Answer) -> Route:
        """A route that only the operator gets through; its function is given the body that the signature covers."""

        async def guarded(request: Request) -> Response:
            if (needed := self._settings.tls_client_name) and needed not in _shown(request):
                return _problem(protocol.no_certificate(needed))  # before the body: nothing of it is wanted
            body = await _body(request)
            run_id = request.path_params.get("run_id")
            refused = self._gate.check(operation, run_id, headers=request.headers, body=body, now=time.time())
            return _problem(refused) if refused else await answer(request, body)

        return Route(path, guarded, methods=[method])

    async def _execute(self, request: Request, body: bytes) -> Response:
        asked = wire.read_execute(body, request.headers)
        answer = await self.worker.execute(asked)
        match answer:
            case Done(record):
                # Asking costs as much as a quick run does; who waited for no time is still there.
                if time.time() - record.start_time > LONG_WAIT and await request.is_disconnected():
                    self.worker.not_received(answer)
                response = _outcome(answer) if record.retry else _rejection(answer)
                long = len(response.body) > wire.ANSWER_LIMIT or len(answer.log) > EVENT_LINES
                if long and asked.callback is not None:
                    self.worker.not_received(answer)  # the operator reads no further: it is told by callback
                    return _json(records.document(record, self.worker.pod), 202, _location(asked.run_id))
                return response
            case Accepted(document):
                return _json(document, 202, _location(asked.run_id))
            case Conflict(document):
                return _json(document, 409)
            case Problem():
                return _problem(answer)

    async def _runs(self, _: Request, __: bytes) -> Response:
        pod = self.worker.pod
        return _json({"podUID": pod.uid, "podName": pod.name, "runs": self.worker.recent()})

    async def _run(self, request: Request, _: bytes) -> Response:
        return _document(self.worker.document(_run_id(request)))

    async def _fence(self, request: Request, body: bytes) -> Response:
        return _document(await self.worker.fence(_run_id(request), wire.read_term(body)))

    async def _cancel(self, request: Request, body: bytes) -> Response:
        answer = self.worker.cancel(_run_id(request), wire.read_term(body))
        return _problem(answer) if isinstance(answer, Problem) else _json(answer[1], answer[0])

    async def _handlers(self, _: Request, __: bytes) -> Response:
        worker = self.worker
        return _json({
            "handlers": sorted(worker.handlers),
            "concurrency": worker.settings.concurrency,
            "running": worker.busy,
            "version": VERSION,
            "podUID": worker.pod.uid,
            "podName": worker.pod.name,
        })  # fmt: skip

    async def _readyz(self, _: Request) -> Response:
        if self.worker.draining:
            return _problem(protocol.DRAINING)
        if not self.worker.writable:
            return _problem(protocol.NOT_WRITABLE)
        return _json({"status": "ready"})

    async def _livez(self, _: Request) -> Response:
        return _json({"status": "alive"})


def app(configured: Settings | None = None) -> WorkerApp:
    """The ASGI application that serves every handler registered so far; settings come from the environment."""
    if not registry.handlers():
        raise NoHandlers
    return WorkerApp(configured or read())


async def _body(request: Request) -> bytes:
    """The body, as long as it keeps to the limit: it is counted while it comes, whatever its header says."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > wire.BODY_LIMIT:
                    raise TooBig
                chunks.append(chunk)
    except TimeoutError:
        raise Malformed(f"body: did not come within {BODY_SECONDS:g} s.") from None
    return b"".join(chunks)


def _shown(request: Request) -> frozenset[str]:
    """The names in the client's certificate, as our own server notes them; none under another server."""
    state: dict[str, Any] = request.scope.get("state") or {}
    found: frozenset[str] = state.get(PEER, frozenset())
    return found


def _run_id(request: Request) -> str:
    return wire.read_run_id(request.path_params["run_id"], "run id in the path")


def _location(run_id: str) -> dict[str, str]:
    return {"location": f"/api/task/runs/{run_id}"}


def _outcome(done: Done) -> Response:
    found: dict[str, Any] = {"outcome": done.record.state.value}
    if done.record.result is not None:
        found["result"] = done.record.result
    if done.record.error is not None:
        found["error"] = dict(done.record.error)
    if done.log:
        found["log"] = done.log
    return _json(found)


def _rejection(done: Done) -> Response:
    error = done.record.error or {}
    return _problem(protocol.rejected(error.get("message", ""), error=dict(error), log=done.log))


def _document(answer: dict[str, Any] | Problem) -> Response:
    return _problem(answer) if isinstance(answer, Problem) else _json(answer)


def _json(
    content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None, media_type: str = JSON
) -> Response:
    return Response(json.dumps(content), status, headers, media_type)


def _problem(problem: Problem) -> Response:
    headers = {} if problem.retry_after is None else {"retry-after": str(problem.retry_after)}
    return _json(problem.document(), problem.status, headers, protocol.PROBLEM_TYPE)


async def _malformed(_: Request, error: Exception) -> Response:
    return _problem(protocol.bad_request(str(error)))


async def _too_big(_: Request, error: Exception) -> Response:
    return _problem(protocol.too_big(str(error)))


async def _other(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    name = {404: "unknown-path", 405: "wrong-method"}.get(status, "http-error")
    detail = f"{error}. The paths are those of the warmcron worker protocol, version 1."
    return _problem(Problem(status, name, name.replace("-", " ").capitalize(), detail))


async def _defect(_: Request, __: Exception) -> Response:
    # Starlette logs the exception after this; its text may hold what is in a payload, so it is not sent.
    return _problem(Problem(500, "internal-error", "Internal error", "A defect of the worker. See its log."))
