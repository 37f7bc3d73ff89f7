"""A run's log as it is written: server-sent events, each a few lines of escaped HTML, until the run is over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from warmcron.history.model import Place, place
from warmcron.history.tail import Over, Silence, tail
from warmcron.web.runs import is_run_id, number
from warmcron.web.seats import AGAIN, REFUSAL, Seated
from warmcron.web.site import Site, Visit

PAUSE: Final = 0.5
LINES: Final = 100


async def follow(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /runs/{run_id}/log?after=PLACE`: the lines behind a place, then each new one."""
    run_id = request.path_params["run_id"]
    run = await site.reader.run(run_id) if is_run_id(run_id) else None
    if run is None or not visit.sees(run.namespace):
        return site.missing(request, visit, run_id)
    last = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    zone = request.query_params.get("zone", "UTC")
    attempt = number(request.query_params.get("attempt", "0"))
    stream = _events(site, visit, run_id, place(last) or Place(), zone=zone, before=attempt)
    refusal = PlainTextResponse(f"{REFUSAL}\n", status_code=429, headers={"retry-after": str(AGAIN)})
    return Seated(stream, seats=site.seats, name=visit.viewer.name, refusal=refusal)


async def _events(site: Site, visit: Visit, run_id: str, start: Place, *, zone: str, before: int) -> AsyncIterator[str]:
    yield ": hello\n\n"
    async for news in tail(site.reader, run_id, place=start, pause=PAUSE):
        match news:
            case Silence():
                yield ": still here\n\n"
            case Over():
                yield "event: done\ndata: over\n\n"
            case lines:
                for first in range(0, len(lines), LINES):
                    part = lines[first : first + LINES]
                    said = [line for line, _ in part]
                    yield event(
                        site.text("lines.html", visit, lines=said, zone=zone, before=before), behind=part[-1][1]
                    )
                    before = said[-1].attempt
                    await asyncio.sleep(0)  # a thousand lines are not written in one go


def event(text: str, *, behind: Place) -> str:
    """One server-sent event. Every kind of line break in the text is a new data line: none can end the event."""
    data = "".join(f"data: {line}\n" for line in text.replace("\r", "").split("\n"))
    return f"id: {behind.text}\n{data}\n"
