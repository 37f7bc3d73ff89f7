"""The page of one run: from the history, or while that is away from what the task itself remembers."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from warmcron.errors import HistoryError
from warmcron.history import tick as ticks
from warmcron.history.model import FINAL, AttemptRow, Place, Reader, RunRow, Told, seq_attempt
from warmcron.web.runs import SEARCH_SECONDS, fitting, instant, is_run_id, number
from warmcron.web.site import Site, Visit
from warmcron.web.sources import Order
from warmcron.web.speakers import names

LINES: Final = 1000
NOTHING: Final = Told((), Place())


@dataclass(frozen=True, slots=True)
class Kept:
    """What the history has of a run."""

    run: RunRow | None = None
    attempts: tuple[AttemptRow, ...] = ()
    told: Told = NOTHING


async def one(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /runs/{run_id}`: one run."""
    run_id = request.path_params["run_id"]
    if not is_run_id(run_id):
        return site.missing(request, visit, run_id)
    after = number(request.query_params.get("after", "0"))
    kept, fault = await site.patience.told(_kept(site.reader, run_id, after), Kept(), seconds=SEARCH_SECONDS)
    # What goes on, and the last that ended, the tasks themselves remember: there is something to show without history.
    run = kept.run or await site.live.run(run_id)
    if run is None and fault:
        raise HistoryError(fault)
    if run is None:
        # Just asked for, and not begun: the engine sees the order a moment after the API server took it.
        return site.render("run_awaited.html", request, visit, status=404, section="runs", run_id=run_id)
    if not visit.sees(run.namespace):
        return site.missing(request, visit, run_id)
    return await _shown(site, request, visit, run, kept, after=after, fault=fault)


async def of_tick(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /tasks/{namespace}/{name}/ticks/{tick}`: to the tick's run, or to the row of those it was skipped with."""
    namespace, name, text = (request.path_params[key] for key in ("namespace", "name", "tick"))
    task = await site.live.task(namespace, name) if visit.sees(namespace) else None
    at = instant(text, visit.now)
    row = None
    if task is not None and at is not None:
        row = await ticks.row_of(site.reader, task_uid=task.row.uid, plan=task.row.plan, tick=int(at))
    if row is None:
        return site.missing(request, visit, f"{namespace}/{name} · {text}")
    return RedirectResponse(f"/runs/{row.run_id}", status_code=HTTPStatus.SEE_OTHER)


async def _shown(  # noqa: PLR0913 - what the page says, each by name
    site: Site, request: Request, visit: Visit, run: RunRow, kept: Kept, *, after: int, fault: str
) -> Response:
    task = await site.live.task(run.namespace, run.task)
    told = kept.told
    lines = fitting([line for line, _ in told.lines])
    return site.render(
        "run.html",
        request,
        visit,
        section="runs",
        fault=fault,
        kept=kept.run is not None,
        run=run,
        zone=task.row.zone if task else "UTC",
        ended=run.state in FINAL,
        attempts=kept.attempts,
        lines=lines,
        pods=names(kept.attempts),
        after=after,
        before=seq_attempt(after),
        behind=told.lines[len(lines) - 1][1].text if lines else told.place.text,
        more=len(told.lines) == LINES or len(lines) < len(told.lines),
        trace=site.trace(run.trace_id),
        may={order: await visit.viewer.may(order, run.namespace) for order in (Order.CANCEL, Order.RETRY)},
    )


async def _kept(reader: Reader, run_id: str, after: int) -> Kept:
    run = await reader.run(run_id)
    if run is None:
        return Kept()
    return Kept(run, await reader.attempts(run_id), await reader.onward(run_id, Place(after), limit=LINES))
