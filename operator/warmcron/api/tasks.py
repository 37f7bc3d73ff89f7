"""The routes for tasks: what is known of them, and what can be ordered, with the caller's own rights."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from warmcron.api import documents, problems, queries
from warmcron.api.admission import PREFIX, Asking, Caller
from warmcron.api.selecting import Selector, chosen
from warmcron.api.sources import Sources
from warmcron.web import catalog
from warmcron.web.sources import Flag, TaskDetail

NAME: Final = 253


def routes(sources: Sources) -> APIRouter:
    """Reading."""
    router = APIRouter(tags=["tasks"])

    @router.get("/tasks")
    async def list_tasks(  # noqa: PLR0913, PLR0917 - one for each filter
        who: Asking,
        namespace: Annotated[str, Query(max_length=NAME)] = "",
        pool: Annotated[str, Query(max_length=NAME)] = "",
        flag: Flag | None = None,
        q: Annotated[str, Query(max_length=200, description="Part of name, pool, handler or schedule.")] = "",
        selector: Selector = "",
        sort: Annotated[str, Query(pattern="^(name|next|last|failures)$")] = "name",
        page: Annotated[int, Query(ge=1)] = 1,
    ) -> documents.Tasks:
        """Tasks, 50 to a page."""
        rows = await sources.live.tasks(who.scope)
        if selector:
            uids = await chosen(sources, who, selector, [namespace] if namespace else [])
            rows = [row for row in rows if row.uid in uids]
        wanted = catalog.Wanted(text=q, namespace=namespace, pool=pool, flag=flag, sort=sort, page=page)
        found = await catalog.look(rows, wanted)
        return documents.Tasks(
            items=[documents.Task.of(row) for row in found.rows],
            total=found.total,
            page=found.page,
            pages=found.pages,
            counts={flag.value: count for flag, count in found.counts.items()},
        )

    @router.get("/tasks/{namespace}/{name}")
    async def get_task(who: Asking, namespace: str, name: str) -> documents.TaskInFull:
        """One task."""
        return documents.TaskInFull.of(await task_of(sources, who, namespace, name))

    return router


def orders(sources: Sources) -> APIRouter:
    """Ordering."""
    router = APIRouter(tags=["orders"])

    @router.post("/tasks/{namespace}/{name}/trigger", status_code=202)
    async def trigger(
        who: Asking,
        response: Response,
        namespace: str,
        name: str,
        order: queries.TriggerOrder | None = None,
    ) -> documents.Ordered:
        """Runs the task now. Patches the object with the caller's own token."""
        await task_of(sources, who, namespace, name)
        payload = order.payload if order else None
        run_id = await sources.orders.trigger(who.viewer, namespace, name, payload=payload)
        return asked(response, run_id)

    @router.post("/tasks/{namespace}/{name}/suspend", status_code=204)
    async def suspend(who: Asking, namespace: str, name: str) -> None:
        """Stops the task's schedule."""
        await task_of(sources, who, namespace, name)
        await sources.orders.suspend(who.viewer, namespace, name, suspend=True)

    @router.post("/tasks/{namespace}/{name}/resume", status_code=204)
    async def resume(who: Asking, namespace: str, name: str) -> None:
        """Lets the task's schedule go on."""
        await task_of(sources, who, namespace, name)
        await sources.orders.suspend(who.viewer, namespace, name, suspend=False)

    return router


async def task_of(sources: Sources, who: Caller, namespace: str, name: str) -> TaskDetail:
    """A task that the caller may see; 404 for any other."""
    found = await sources.live.task(namespace, name) if who.sees(namespace) else None
    if found is None:
        raise problems.missing(f"task {namespace}/{name}")
    return found


def asked(response: Response, run_id: str) -> documents.Ordered:
    """The answer to an order that makes a run."""
    response.headers["location"] = f"{PREFIX}/runs/{run_id}"
    return documents.Ordered(run_id=run_id)
