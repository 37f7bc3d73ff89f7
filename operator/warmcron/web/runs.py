"""The search over all runs, and how runs and times are written in an address."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from warmcron.core import times
from warmcron.history.model import STATES, LogRow, Page, RunFilter, RunRow
from warmcron.web import show
from warmcron.web.site import Site, Visit

PAGE: Final = 50
# Characters of log on one page: a thousand long lines would be 16 MiB.
LOG_LIMIT: Final = 512 * 1024
# A search may take longer than what a page could do without; the reader itself gives up then.
SEARCH_SECONDS: Final = 6.0
SEQ_DIGITS: Final = 18
TEXT_LIMIT: Final = 200
SPANS: Final = {"1h": 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
NO_TIME: Final = 253_402_300_800.0  # the year 10,000, which no date can be of
TRIGGERS: Final = ("Schedule", "Manual")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the form asks, as it stands in the address. `since` is a span such as `24h`, or a UTC time as `start` is."""

    q: str = ""
    ns: str = ""
    task: str = ""
    state: str = ""
    trigger: str = ""
    pod: str = ""
    since: str = ""
    start: str = ""
    until: str = ""


async def listed(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /runs`: the search."""
    query = request.query_params
    search = Search(**{name: query.get(name, "").strip()[:TEXT_LIMIT] for name in Search.__dataclass_fields__})
    search = replace(
        search,
        state=search.state if search.state in STATES else "",
        trigger=search.trigger if search.trigger in TRIGGERS else "",
        start=_written(search.start, visit.now),
        until=_written(search.until, visit.now),
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
        zones=await _zones(site, page.rows) if visit.zone == "task" else {},
        cursor=cursor,
        states=STATES,
        spans=SPANS,
        triggers=TRIGGERS,
    )


async def _zones(site: Site, runs: Sequence[RunRow]) -> dict[tuple[str, str], str]:
    """The zone of each task that these runs are of."""
    named = {(run.namespace, run.task) for run in runs}
    tasks = [await site.live.task(namespace, name) for namespace, name in named]
    return {(task.row.namespace, task.row.name): task.row.zone for task in tasks if task}


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
        since=instant(search.start or search.since, visit.now),
        until=instant(search.until, visit.now),
        text=search.q,
    )


def instant(text: str, now: float) -> float | None:
    """A UTC time, or a span such as `24h` before now; None for what is neither."""
    if text in SPANS:
        return now - SPANS[text]
    try:
        at = times.epoch(text if text.endswith("Z") or "+" in text else f"{text}+00:00") if text else -1.0
    except (ValueError, OverflowError):
        return None
    return at if 0 <= at < NO_TIME else None


def _written(text: str, now: float) -> str:
    """A bound as it is written everywhere: a browser's field sends it without a zone; what is none is left out."""
    at = instant(text, now)
    return "" if at is None else text if text in SPANS else times.text(at)


def number(text: str) -> int:
    """The number of a log line; 0, which is before the first, for what is none."""
    return int(text) if text.isdecimal() and len(text) <= SEQ_DIGITS else 0
