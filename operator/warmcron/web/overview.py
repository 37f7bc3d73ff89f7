"""The first page: what needs somebody, what runs, what comes. Every number on it leads to the rows that it counts."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from heapq import nsmallest
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from warmcron.core import zones
from warmcron.history.model import Page, RunFilter
from warmcron.web import catalog, charts
from warmcron.web.site import Site, Visit
from warmcron.web.sources import Flag, TaskRow, WorkerRow

DAY: Final = 86_400
LISTED: Final = 8
# Tasks counted before the event loop, which also sends runs to workers, gets its turn.
SLICE: Final = 50
CACHED: Final = 64
CHART: Final = 64


async def page(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /`: where to look first."""
    tasks = await site.live.tasks(visit.scope)
    workers = await site.live.workers(visit.scope)
    since = visit.now - DAY
    go_on = RunFilter(namespaces=visit.scope, states=("Running",))
    (counts, fault), (running, unknown) = await asyncio.gather(
        site.patience.told(site.reader.counts(visit.scope, since=since), {}),
        site.patience.told(site.reader.runs(go_on, limit=LISTED), Page(())),
    )
    # 100,000 tasks take half a second to count: in a thread, for which the event loop waits 5 ms at a time.
    sums = await asyncio.to_thread(_sums, tasks, workers) if len(tasks) > catalog.FEW else _sums(tasks, workers)
    return site.render(
        "overview.html",
        request,
        visit,
        section="overview",
        fault=fault or unknown,
        total=len(tasks),
        run_counts=counts,
        running=running.rows,
        **sums,
        # Without the history nobody knows how far they are, but that they run is known.
        active=[row for row in tasks if row.active][:LISTED] if unknown else [],
        chart=await _chart(site, visit, tasks),
    )


def _sums(tasks: Sequence[TaskRow], workers: Sequence[WorkerRow]) -> dict[str, Any]:
    return {
        "flags_count": catalog.count(tasks),
        "workers": Counter(worker.state for worker in workers),
        **_failing(tasks),
        **_without_workers(tasks, workers),
        "coming": catalog.coming(tasks),
    }


def _failing(tasks: Sequence[TaskRow]) -> dict[str, Any]:
    """The first tasks that need somebody, and how many more do."""
    found = [row for row in tasks if row.flags & {Flag.FAILING, Flag.HELD, Flag.INVALID}]
    first = nsmallest(LISTED, found, key=lambda row: (-row.failures, row.namespace, row.name))
    return {"failing": first, "failing_more": len(found) - len(first)}


def _without_workers(tasks: Sequence[TaskRow], workers: Sequence[WorkerRow]) -> dict[str, Any]:
    """Pools that tasks wait for: namespace, pool, tasks, pods that are there but not ready; and how many more."""
    waiting = Counter((row.namespace, row.pool) for row in tasks if Flag.NO_WORKER in row.flags)
    pods = Counter((worker.namespace, worker.pool) for worker in workers)
    first = [(*pool, count, pods[pool]) for pool, count in waiting.most_common(LISTED)]
    return {"lonely": first, "lonely_more": len(waiting) - len(first)}


async def _chart(site: Site, visit: Visit, tasks: Sequence[TaskRow]) -> dict[str, Any]:
    zone = "UTC" if visit.zone == "task" else visit.place()
    offset = zones.zone(zone).offset(int(visit.now))
    start = (int(visit.now) + offset) // catalog.HOUR * catalog.HOUR - offset
    hours = await _hours(site, visit, tasks, start)
    most = max(hours.hours)
    return {
        "zone": zone,
        "bars": [
            {
                "at": start + hour * catalog.HOUR,
                "label": datetime.fromtimestamp(start + hour * catalog.HOUR + offset, UTC).strftime("%H:%M"),
                "count": count,
                "height": height,
            }
            for hour, (count, height) in enumerate(
                zip(hours.hours, charts.heights(hours.hours, most=CHART), strict=True)
            )
        ],
        "most": most,
        "total": sum(hours.hours),
        "frequent": hours.frequent,
    }


async def _hours(site: Site, visit: Visit, tasks: Sequence[TaskRow], start: int) -> catalog.Hours:
    """Counted anew once a minute, from ticks that are sought once an hour (docs/adr/0040-dashboard.md)."""
    key = ("hours", visit.scope, start, int(visit.now) // 60)
    if key not in site.cache:
        hours = catalog.Hours(start=start, now=visit.now, found=_ticks(site, start))
        for number, row in enumerate(tasks, 1):
            hours.add(row)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        while len(site.cache) >= CACHED:
            site.cache.pop(next(iter(site.cache)))
        site.cache[key] = hours
    found: catalog.Hours = site.cache[key]
    return found


def _ticks(site: Site, start: int) -> catalog.Found:
    """What was found from that hour on, for whoever looks; zones' hours begin at four different minutes at most."""
    if site.ticks.get(start % catalog.HOUR, (0, {}))[0] != start:
        site.ticks[start % catalog.HOUR] = start, {}
    return site.ticks[start % catalog.HOUR][1]
