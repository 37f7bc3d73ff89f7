"""Takes what workers report about their runs, checks that they may, and hands it on. The standby passes it along."""

from collections.abc import Callable
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import web

from warmcron.core import runs
from warmcron.observe import Metrics
from warmcron.workers import protocol
from warmcron.workers.dispatcher import Inbox
from warmcron.workers.tokens import Tokens

log = structlog.get_logger("warmcron.callbacks")

MAX_REPORT: Final = 2 * 1024 * 1024
FORWARDED: Final = "x-warmcron-forwarded"
FORWARD_SECONDS: Final = 5.0
LINES: Final = 1000
LINE_LIMIT: Final = 16 * 1024


def log_lines(run_id: str, lines: object) -> None:
    """What a handler printed or logged, as log lines of ours with its run id. Bounded: it is hostile input."""
    for line in lines[:LINES] if isinstance(lines, list) else ():
        if isinstance(line, dict) and isinstance(line.get("text"), str):
            text = "".join(char if char.isprintable() else " " for char in line["text"][:LINE_LIMIT])
            log.info("task output", run_id=run_id, stream=str(line.get("stream", ""))[:16], text=text)


class Callbacks:
    """The HTTP side of port `callbacks`.

    Args:
        inbox: where events go.
        ready: whether we lead and know what runs; before that a report is asked for again, not lost.
        leader: address of the replica that leads, empty if it is unknown or this one.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        known: Callable[[str], bool],
        ready: Callable[[], bool],
        leader: Callable[[], str],
        tokens: Tokens,
        metrics: Metrics,
    ) -> None:
        self._inbox, self._known = inbox, known
        self._ready, self._leader = ready, leader
        self._tokens, self._metrics = tokens, metrics
        self._session: aiohttp.ClientSession | None = None

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=MAX_REPORT)
        app.router.add_post(protocol.RUNS + "/{run_id}/events", self._events)
        app.cleanup_ctx.append(self._sessions)
        return app

    async def _sessions(self, _app: web.Application) -> Any:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=FORWARD_SECONDS), trust_env=False, auto_decompress=False
        )
        yield
        await self._session.close()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        run_id = request.match_info["run_id"]
        body = await request.read()
        report = protocol.parse(body)
        if report is None or not isinstance(report.get("events"), list):
            return self._refuse(400, "malformed", "expected a JSON object with a list named events")
        attempt, pod_uid = report.get("attempt"), report.get("podUID")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not isinstance(attempt, int) or not isinstance(pod_uid, str):
            return self._refuse(400, "malformed", "expected attempt, a number, and podUID, a string")
        if not self._tokens.matches(token, run_id, attempt, pod_uid):
            return self._refuse(401, "unauthorized", "the token is not the one for this attempt of this run")
        if not self._ready():
            return await self._forward(request, body)
        if not self._known(run_id):
            # Ended, or repeated elsewhere: there is nobody to tell, and the worker may stop telling.
            return self._refuse(410, "unknown-run", "this run is over")
        return web.json_response({"lastSeq": self._take(run_id, attempt, report["events"])})

    def _take(self, run_id: str, attempt: int, events: list[Any]) -> int:
        last = 0
        for event in events:
            if not isinstance(event, dict):
                continue
            sequence = event.get("seq")
            last = max(last, sequence if isinstance(sequence, int) else 0)
            match event.get("type"):
                case "Started":
                    self._inbox.on_event(run_id, attempt, runs.Accepted())
                case "Log":
                    log_lines(run_id, event.get("lines"))
                case "Finished":
                    self._inbox.on_event(run_id, attempt, protocol.finished(str(event.get("outcome")), event))
        return last

    async def _forward(self, request: web.Request, body: bytes) -> web.StreamResponse:
        leader = self._leader()
        if not leader or FORWARDED in request.headers or self._session is None:
            return self._refuse(503, "no-leader", "no replica leads at the moment; repeat the report")
        headers = {
            "authorization": request.headers.get("authorization", ""),
            "content-type": "application/json",
            FORWARDED: "1",
        }
        try:
            async with self._session.post(
                leader + request.path, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return web.Response(
                    status=answer.status,
                    body=await answer.content.read(4096),
                    content_type="application/json",
                )
        except (aiohttp.ClientError, TimeoutError, OSError):
            return self._refuse(503, "no-leader", "the leader did not answer; repeat the report")

    def _refuse(self, status: int, kind: str, detail: str) -> web.Response:
        self._metrics.refused.labels(kind).inc()
        problem = {"type": f"urn:warmcron:problem:{kind}", "status": status, "detail": detail}
        headers = {"retry-after": "1"} if status == 503 else None  # noqa: PLR2004
        return web.json_response(problem, status=status, headers=headers, content_type="application/problem+json")
