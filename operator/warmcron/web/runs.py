"""The search over all runs and the page of one run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from warmcron.core import times
from warmcron.history.model import FINAL, STATES, LogRow, Page, Place, RunFilter, RunRow, Told
from warmcron.web import show
from warmcron.web.site import Site, Visit
from warmcron.web.sources import Order

PAGE: Final = 50
LINES: Final = 1000
# Characters of log on one page: a thousand long lines would be 16 MiB.
LOG_LIMIT: Final = 512 * 1024
# A search may take longer than what a page could do without; the reader itself gives up then.
SEARCH_SECONDS: Final = 6.0
SEQ_DIGITS: Final = 18
TEXT_LIMIT: Final = 200
SPANS: Final = {"1h": 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
TRIGGERS: Final = ("Schedule", "Manual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the form asks, as it stands in the address. `since` is a span such as `24h`, or a UTC time."""

    q: str = ""
    ns: str = ""
    task: str = ""
    state: str = ""
    trigger: str = ""
    pod: str = ""
    since: str = ""
    until: str = ""


async def listed(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /runs`: the search."""
    query = request.query_params
    search = Search(**{name: query.get(name, "").strip()[:TEXT_LIMIT] for name in Search.__dataclass_fields__})
    search = replace(
        search,
        state=search.state if search.state in STATES else "",
        trigger=search.trigger if search.trigger in TRIGGERS else "",
    )
    cursor = query.get("cursor", "")[:TEXT_LIMIT]
    wanted = _filter(search, visit)
    page: Page[RunRow] = Page(())
    fault = ""
    if wanted is not None:
        question = site.reader.runs(wanted, limit=PAGE, cursor=cursor)
        page, fault = await site.patience.told(question, Page(()), seconds=SEARCH_SECONDS)
    return site.render(
        "runs.html",
        request,
        visit,
        section="runs",
        fault=fault,
        search=search,
        page=page,
        cursor=cursor,
        states=STATES,
        spans=SPANS,
        triggers=TRIGGERS,
    )


async def one(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /runs/{run_id}`: one run."""
    run_id = request.path_params["run_id"]
    if not is_run_id(run_id):
        return site.missing(request, visit, run_id)
    after = number(request.query_params.get("after", "0"))
    run = await site.reader.run(run_id)
    attempts = await site.reader.attempts(run_id) if run else ()
    told = await site.reader.onward(run_id, Place(after), limit=LINES) if run else Told((), Place())
    if run is None:
        # Just asked for, and not begun: the engine sees the order a moment after the API server took it.
        return site.render("run_awaited.html", request, visit, status=404, section="runs", run_id=run_id)
    if not visit.sees(run.namespace):
        return site.missing(request, visit, run_id)
    task = await site.live.task(run.namespace, run.task)
    shown = fitting([line for line, _ in told.lines])
    return site.render(
        "run.html",
        request,
        visit,
        section="runs",
        run=run,
        zone=task.row.zone if task else "UTC",
        ended=run.state in FINAL,
        attempts=attempts,
        lines=shown,
        after=after,
        behind=told.lines[len(shown) - 1][1].text if shown else told.place.text,
        more=len(told.lines) == LINES or len(shown) < len(told.lines),
        trace=site.trace(run.trace_id),
        may={order: await visit.viewer.may(order, run.namespace) for order in (Order.CANCEL, Order.RETRY)},
    )


def is_run_id(text: str) -> bool:
    """Whether this can be the id of a run."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def fitting(lines: Sequence[LogRow]) -> tuple[LogRow, ...]:
    """The first lines, as many as one page or one event should hold; at least one."""
    found: list[LogRow] = []
    size = 0
    for line in lines:
        size += min(len(line.text), show.LONGEST)
        if found and size > LOG_LIMIT:
            break
        found.append(line)
    return tuple(found)


def _filter(search: Search, visit: Visit) -> RunFilter | None:
    """The history's question; None when nothing that may be seen can match."""
    scope = visit.scope
    if search.ns:
        if not visit.sees(search.ns):
            return None
        scope = (search.ns,)
    return RunFilter(
        namespaces=scope,
        task=search.task,
        states=(search.state,) if search.state else (),
        trigger=search.trigger,
        pod=search.pod,
        since=_instant(search.since, visit.now),
        until=_instant(search.until, visit.now),
        text=search.q,
    )


def _instant(text: str, now: float) -> float | None:
    if text in SPANS:
        return now - SPANS[text]
    try:
        return times.epoch(text if text.endswith("Z") or "+" in text else f"{text}+00:00") if text else None
    except ValueError:
        return None


def number(text: str) -> int:
    """The number of a log line; 0, which is before the first, for what is none."""
    return int(text) if text.isdecimal() and len(text) <= SEQ_DIGITS else 0
