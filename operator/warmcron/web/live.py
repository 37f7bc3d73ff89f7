"""A run's log as it is written: server-sent events, each a few lines of escaped HTML, until the run is over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from warmcron.errors import HistoryError
from warmcron.history.model import Place, place
from warmcron.history.tail import Over, Silence, tail
from warmcron.web.runs import is_run_id, number
from warmcron.web.seats import AGAIN, REFUSAL, Seated
from warmcron.web.site import Site, Visit
from warmcron.web.speakers import Speakers

PAUSE: Final = 0.5
LINES: Final = 100
# Between a place and the attempt that its line is of, in the id of an event.
MARK: Final = "/"


async def follow(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /runs/{run_id}/log?after=PLACE`: the lines behind a place, then each new one."""
    run_id = request.path_params["run_id"]
    run = await site.reader.run(run_id) if is_run_id(run_id) else None
    if run is None or not visit.sees(run.namespace):
        return site.missing(request, visit, run_id)
    last = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    zone = request.query_params.get("zone", "UTC")
    # Who comes back has the address of the first time: the attempt in it may have been over long before the last line.
    at, _, attempt = last.partition(MARK)
    before = number(attempt or request.query_params.get("attempt", "0"))
    stream = _events(site, visit, run_id, place(at) or Place(), zone=zone, before=before)
    refusal = PlainTextResponse(f"{REFUSAL}\n", status_code=429, headers={"retry-after": str(AGAIN)})
    return Seated(stream, seats=site.seats, name=visit.viewer.name, refusal=refusal)


async def _events(site: Site, visit: Visit, run_id: str, start: Place, *, zone: str, before: int) -> AsyncIterator[str]:
    yield ": hello\n\n"
    speakers = Speakers(site.reader, run_id)
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
                    try:
                        pods = await speakers.of(said)
                    except HistoryError:
                        return  # as in `tail`: who follows comes back by itself, to these lines
                    shown = site.text("lines.html", visit, lines=said, zone=zone, before=before, pods=pods)
                    before = said[-1].attempt
                    yield event(shown, behind=part[-1][1], attempt=before)
                    await asyncio.sleep(0)  # a thousand lines are not written in one go


def event(text: str, *, behind: Place, attempt: int) -> str:
    """One server-sent event. Every kind of line break in the text is a new data line: none can end the event."""
    data = "".join(f"data: {line}\n" for line in text.replace("\r", "").split("\n"))
    return f"id: {behind.text}{MARK}{attempt}\n{data}\n"
