"""The list of tasks and the page of one task."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from warmcron.history.model import Page, RunFilter, RunRow
from warmcron.web import catalog, charts, ticks
from warmcron.web.site import Site, Visit, told
from warmcron.web.sources import Flag, Order, TaskDetail

STRIP: Final = 20
RECENT: Final = 60
LISTED: Final = 12
TEXT_LIMIT: Final = 200


async def listed(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /tasks`: the list."""
    wanted = _wanted(request)
    answer = await catalog.look(await site.live.tasks(visit.scope), wanted)
    strips, fault = await told(site.reader.recent(tuple(row.uid for row in answer.rows), limit=STRIP), {})
    namespaces = {row.namespace for row in answer.rows}
    return site.render(
        "tasks.html",
        request,
        visit,
        section="tasks",
        fault=fault,
        wanted=wanted,
        answer=answer,
        strips=strips,
        slots=STRIP,
        may={
            namespace: {order: await visit.viewer.may(order, namespace) for order in (Order.TRIGGER, Order.SUSPEND)}
            for namespace in namespaces
        },
    )


async def one(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /tasks/{namespace}/{name}`: one task."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    found = await site.live.task(namespace, name) if visit.sees(namespace) else None
    if found is None:
        return site.missing(request, visit, f"{namespace}/{name}")
    row = found.row
    wanted = RunFilter(namespaces=(namespace,), task=name)
    runs, fault = await told(site.reader.runs(wanted, limit=RECENT), Page(()))
    rows = tuple(run for run in runs.rows if run.task_uid == row.uid) or _remembered(found)
    following = ticks.following(row.plan, zone=row.zone, now=visit.now, language=visit.language) if row.plan else ()
    return site.render(
        "task.html",
        request,
        visit,
        section="tasks",
        fault=fault,
        task=found,
        row=row,
        runs=rows[:LISTED],
        following=following,
        chart=charts.durations(rows, slots=RECENT // 3),
        may={order: await visit.viewer.may(order, namespace) for order in (Order.TRIGGER, Order.SUSPEND)},
    )


def _wanted(request: Request) -> catalog.Wanted:
    query = request.query_params
    flag = query.get("is", "")
    sort = query.get("sort", "name")
    page = query.get("page", "1")
    return catalog.Wanted(
        text=query.get("q", "").strip()[:TEXT_LIMIT],
        namespace=query.get("ns", "")[:TEXT_LIMIT],
        pool=query.get("pool", "")[:TEXT_LIMIT],
        flag=Flag(flag) if flag in tuple(Flag) else None,
        sort=sort if sort in catalog.SORTS else "name",
        page=int(page) if page.isdecimal() and len(page) < 7 else 1,  # noqa: PLR2004 - digits of a page number
    )


def _remembered(task: TaskDetail) -> tuple[RunRow, ...]:
    """The runs that the task's own status remembers: what there is when the history has none."""
    return tuple(
        RunRow(
            run_id=record.run_id,
            task_uid=task.row.uid,
            namespace=task.row.namespace,
            task=task.row.name,
            pool=task.row.pool,
            handler=task.row.handler,
            trigger=record.trigger,
            scheduled=record.scheduled,
            state=record.outcome,
            reason=record.reason,
            attempts=record.attempts,
            pod_name=record.pod_name,
            started=record.started,
            finished=record.started + record.duration if record.started is not None else None,
        )
        for record in task.recent
    )
