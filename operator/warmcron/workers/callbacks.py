"""Takes what workers report about their runs, checks that they may, and hands it on. The standby passes it along."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp
from aiohttp import web

from warmcron.core import runs
from warmcron.engine.ports import Inbox
from warmcron.observe import Metrics
from warmcron.workers import protocol
from warmcron.workers.limits import Rates, Room
from warmcron.workers.reports import Reports
from warmcron.workers.tls import Tls
from warmcron.workers.tokens import Tokens

MAX_REPORT: Final = 2 * 1024 * 1024
BODY_SECONDS: Final = 10.0
# The SDK sends one event of each kind, and what it has to repeat. A thousand lines in each of a million events would
# hold up everything else; what is cut off is not acknowledged, so it comes again.
MAX_EVENTS: Final = 8
# So many lines keep the loop for a tenth of a second where each is logged as well: of a report with more, events
# are left for the next time, but never the first.
MAX_LINES: Final = 1000
FORWARDED: Final = "x-warmcron-forwarded"
FORWARD_SECONDS: Final = 5.0
# Runs of which the last number is remembered, before those that have ended are forgotten.
MOST_SEEN: Final = 20_000


class Callbacks:
    """The HTTP side of port `callbacks`.

    Args:
        inbox: where events go.
        reports: where log lines, progress and results go.
        ready: whether we lead and know what runs; before that a report is asked for again, not lost.
        leader: address of the replica that leads, empty if it is unknown or this one.
        now: a clock that never goes back, for the limits of each run.
        tls: what the other replica has to show; None for plain HTTP.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        inbox: Inbox,
        reports: Reports,
        known: Callable[[str], bool],
        ready: Callable[[], bool],
        leader: Callable[[], str],
        now: Callable[[], float] = time.monotonic,
        tls: Tls | None = None,
        tokens: Tokens,
        metrics: Metrics,
    ) -> None:
        self._inbox, self._reports, self._known = inbox, reports, known
        self._ready, self._leader, self._tls = ready, leader, tls
        self._tokens, self._metrics, self._now = tokens, metrics, now
        self._rates, self._room = Rates(), Room()
        self._session: aiohttp.ClientSession | None = None
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}  # attempt and last number kept, by run

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
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        # Before the body: who has no token makes us read a head, and no more.
        who = self._tokens.read(token, run_id)
        if who is None:
            return self._refuse(401, "unauthorized", "the token is not one for this run")
        about = runs.Attempt(run_id, *who)
        if pause := self._rates.wait((run_id, about.pod_uid), self._now()):
            return self._refuse(429, "too-fast", "this run reports faster than is taken in; repeat it", pause=pause)
        body = bytearray()
        try:
            refused = await self._read(request, about.pod_uid, body)
            return refused or await self._taken(request, about, bytes(body))
        finally:
            self._room.give_back(about.pod_uid, len(body))

    async def _read(self, request: web.Request, pod_uid: str, body: bytearray) -> web.Response | None:
        """Reads into `body` as it comes, as far as there is room for it; an answer if that is not to its end."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.content.iter_any():
                    if len(body) + len(part) > MAX_REPORT:
                        return self._refuse(413, "oversized", f"a report has at most {MAX_REPORT} bytes")
                    if not self._room.take(pod_uid, len(part)):
                        return self._refuse(503, "no-room", "too many reports at once; repeat it", pause=1)
                    body += part
        except TimeoutError:
            return self._refuse(408, "slow", f"the report did not come within {BODY_SECONDS:g} s")
        return None

    async def _taken(self, request: web.Request, about: runs.Attempt, body: bytes) -> web.StreamResponse:
        report = protocol.parse(body)
        if report is None or not isinstance(report.get("events"), list):
            return self._refuse(400, "malformed", "expected a JSON object with a list named events")
        attempt, pod_uid = report.get("attempt"), report.get("podUID")
        if not isinstance(attempt, int) or not isinstance(pod_uid, str):
            return self._refuse(400, "malformed", "expected attempt, a number, and podUID, a string")
        if (attempt, pod_uid) != (about.number, about.pod_uid):
            return self._refuse(401, "unauthorized", "the token is not the one for this attempt of this run")
        if not self._ready():
            return await self._forward(request, body)
        if not self._known(about.run_id):
            # Ended, or repeated elsewhere: there is nobody to tell, and the worker may stop telling.
            return self._refuse(410, "unknown-run", "this run is over")
        events, lines = _portion(report["events"])
        self._rates.used((about.run_id, about.pod_uid), self._now(), size=len(body), lines=lines)
        return web.json_response({"lastSeq": self._take(about, events)})

    def _take(self, about: runs.Attempt, events: list[Any]) -> int:
        """Hands each event on once: a worker repeats what it saw no answer to."""
        seen, kept = self._seen.get((about.run_id, about.pod_uid), (about.number, 0))
        last = kept if seen == about.number else 0
        for event in events:
            if not isinstance(event, dict):
                continue
            sequence = event.get("seq")
            number = sequence if isinstance(sequence, int) and sequence > 0 else 0
            if 0 < number <= last:
                self._metrics.late.inc()
                continue
            last = max(last, number)
            self._hand_on(about, number, event)
        if about.number >= seen:
            self._remember(about, last)
        return last

    def _hand_on(self, about: runs.Attempt, number: int, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "Started":
                self._inbox.on_event(about, runs.Accepted())
            case "Log":
                self._reports.lines(about, number, event.get("lines"))
            case "Progress":
                self._reports.progress(about, event)
            case "Finished":
                self._reports.finished(about, event)
                self._inbox.on_event(about, protocol.finished(str(event.get("outcome")), event))

    def _remember(self, about: runs.Attempt, last: int) -> None:
        # Forgotten over a change of leader: what is repeated then is kept once by its number in the history.
        key = (about.run_id, about.pod_uid)
        if len(self._seen) >= MOST_SEEN:
            self._seen = {key: value for key, value in self._seen.items() if self._known(key[0])}
        if self._known(about.run_id):
            self._seen[key] = (about.number, last)
        else:
            self._seen.pop(key, None)

    async def _forward(self, request: web.Request, body: bytes) -> web.StreamResponse:
        leader = self._leader()
        if not leader or FORWARDED in request.headers or self._session is None:
            return self._refuse(503, "no-leader", "no replica leads at the moment; repeat the report", pause=1)
        headers = {
            "authorization": request.headers.get("authorization", ""),
            "content-type": "application/json",
            FORWARDED: "1",
        }
        try:
            async with self._session.post(
                leader + request.path,
                data=body,
                headers=headers,
                allow_redirects=False,
                ssl=self._tls.client() if self._tls else True,
                server_hostname=self._tls.own_name if self._tls else None,
            ) as answer:
                self._metrics.forwarded.inc()
                return web.Response(
                    status=answer.status,
                    body=await answer.content.read(4096),
                    content_type="application/json",
                )
        except (aiohttp.ClientError, TimeoutError, OSError):
            return self._refuse(503, "no-leader", "the leader did not answer; repeat the report", pause=1)

    def _refuse(self, status: int, kind: str, detail: str, *, pause: float = 0) -> web.Response:
        """An answer that takes nothing; `pause` is for how many seconds there is no use in repeating."""
        self._metrics.refused.labels(kind).inc()
        problem = {"type": f"urn:warmcron:problem:{kind}", "status": status, "detail": detail}
        headers = {"retry-after": str(math.ceil(pause))} if pause else None
        return web.json_response(problem, status=status, headers=headers, content_type="application/problem+json")


def _portion(events: list[Any]) -> tuple[list[Any], int]:
    """As many events of a report as are taken in at once, and how many lines are in them."""
    taken, lines = list[Any](), 0
    for event in events[:MAX_EVENTS]:
        found = event.get("lines") if isinstance(event, dict) else None
        more = len(found) if isinstance(found, list) else 0
        if lines and more and lines + more > MAX_LINES:
            break
        taken.append(event)
        lines += more
    return taken, min(lines, MAX_LINES)
