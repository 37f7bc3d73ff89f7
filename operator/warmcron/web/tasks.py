"""The list of tasks and the page of one task."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from warmcron.history.model import Page, RunFilter, RunRow
from warmcron.web import catalog, charts, manifest, search, strips, ticks, why
from warmcron.web.site import Site, Visit
from warmcron.web.sources import Order, OrderError, TaskDetail

STRIP: Final = 20
RECENT: Final = 60
LISTED: Final = 12


async def listed(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /tasks`: the list."""
    asked = request.query_params
    wanted = search.wanted(asked)
    answer = await catalog.look(await site.live.tasks(visit.scope), wanted)
    runs, fault = await site.patience.told(site.reader.recent(tuple(row.uid for row in answer.rows), limit=STRIP), {})
    namespaces = {row.namespace for row in answer.rows}
    return site.render(
        "tasks.html",
        request,
        visit,
        section="tasks",
        fault=fault,
        wanted=wanted,
        labels=asked.get("labels", "").strip(),
        mistaken=search.fault(asked),
        answer=answer,
        strips={
            row.uid: strips.strip(
                runs.get(row.uid, ()), slots=STRIP, zone=visit.place(row.zone), language=visit.language
            )
            for row in answer.rows
        },
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
    runs, fault = await site.patience.told(site.reader.runs(wanted, limit=RECENT), Page(()))
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
        why=why.answers(found, await site.live.workers((namespace,)), visit),
        may={order: await visit.viewer.may(order, namespace) for order in (Order.TRIGGER, Order.SUSPEND)},
    )


async def written(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /tasks/{namespace}/{name}/manifest`: the object as YAML."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    found = await site.live.task(namespace, name) if visit.sees(namespace) else None
    if found is None:
        return site.missing(request, visit, f"{namespace}/{name}")
    text = fault = ""
    try:
        text = manifest.applicable(await site.orders.manifest(visit.viewer, namespace, name))
    except OrderError as error:
        fault = str(error)
    return site.render("manifest.html", request, visit, section="tasks", row=found.row, text=text, fault=fault)


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
