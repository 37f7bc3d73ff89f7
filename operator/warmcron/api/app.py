"""The API as an ASGI application: which path is which question. Every route but the description asks who is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from starlette.types import ASGIApp

import warmcron
from warmcron.api import documents, problems
from warmcron.api.bounds import Bounded
from warmcron.api.follow import follow
from warmcron.history.model import Reader, RunFilter, RunRow
from warmcron.web import catalog
from warmcron.web.guard import LOCAL
from warmcron.web.sources import Flag, Guard, Live, Orders, TaskDetail, Viewer

PREFIX: Final = "/api/v1"
BEARER: Final = "bearer "
MOST_LINES: Final = 5000
NAME: Final = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the answers come from: the same ports as the dashboard's."""

    live: Live
    reader: Reader
    orders: Orders
    guard: Guard


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and the namespaces they may see; None for all."""

    viewer: Viewer
    scope: tuple[str, ...] | None

    def sees(self, namespace: str) -> bool:
        """Whether what is in the namespace may be told."""
        return self.scope is None or namespace in self.scope

    def within(self, namespaces: list[str]) -> tuple[str, ...] | None:
        """Of the namespaces that are asked for (none: all), those that may be seen."""
        if not namespaces:
            return self.scope
        return tuple(name for name in namespaces if self.sees(name))


def create(sources: Sources, *, pages: ASGIApp | None = None) -> ASGIApp:
    """The application; `pages` is the dashboard, served beside the API."""
    app = FastAPI(
        title="warmcron",
        version=warmcron.__version__,
        description="Tasks, runs, logs and workers. Who asks is checked with Kubernetes RBAC.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # both pages would load scripts from another host
        redoc_url=None,
    )
    problems.install(app)
    caller = _caller(sources)
    app.include_router(_tasks(sources, caller), prefix=PREFIX)
    app.include_router(_orders(sources, caller), prefix=PREFIX)
    app.include_router(_runs(sources, caller), prefix=PREFIX)
    if pages is not None:
        app.mount("/", pages)
    return Bounded(app, hosts=LOCAL if sources.guard.open else None)


def _caller(sources: Sources) -> Callable[[Request], Any]:
    async def find(request: Request) -> Caller:
        header = request.headers.get("authorization", "")
        token = header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else ""
        viewer = await sources.guard.viewer(token) if token or sources.guard.open else None
        if viewer is None:
            raise problems.unauthorized()
        return Caller(viewer, await viewer.namespaces())

    return find


def _tasks(sources: Sources, caller: Callable[[Request], Any]) -> APIRouter:
    router = APIRouter(tags=["tasks"])
    asking = Annotated[Caller, Depends(caller)]

    @router.get("/tasks")
    async def list_tasks(  # noqa: PLR0913, PLR0917 - one for each filter
        who: asking,
        namespace: Annotated[str, Query(max_length=NAME)] = "",
        pool: Annotated[str, Query(max_length=NAME)] = "",
        flag: Flag | None = None,
        q: Annotated[str, Query(max_length=200, description="Part of name, pool, handler or schedule.")] = "",
        sort: Annotated[str, Query(pattern="^(name|next|last|failures)$")] = "name",
        page: Annotated[int, Query(ge=1)] = 1,
    ) -> documents.Tasks:
        """Tasks, 50 to a page."""
        rows = await sources.live.tasks(who.scope)
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
    async def get_task(who: asking, namespace: str, name: str) -> documents.TaskInFull:
        """One task."""
        return documents.TaskInFull.of(await _task(sources, who, namespace, name))

    @router.get("/workers")
    async def list_workers(
        who: asking,
        namespace: Annotated[list[str] | None, Query()] = None,
    ) -> documents.Workers:
        """All workers."""
        rows = await sources.live.workers(who.within(namespace or []))
        rows = sorted(rows, key=lambda row: (row.namespace, row.pool, row.name))
        return documents.Workers(items=[documents.Worker.of(row) for row in rows])

    return router


def _orders(sources: Sources, caller: Callable[[Request], Any]) -> APIRouter:
    router = APIRouter(tags=["orders"])
    asking = Annotated[Caller, Depends(caller)]

    @router.post("/tasks/{namespace}/{name}/trigger", status_code=202)
    async def trigger(
        who: asking,
        response: Response,
        namespace: str,
        name: str,
        order: documents.TriggerOrder | None = None,
    ) -> documents.Ordered:
        """Runs the task now. Patches the object with the caller's own token."""
        await _task(sources, who, namespace, name)
        payload = order.payload if order else None
        run_id = await sources.orders.trigger(who.viewer, namespace, name, payload=payload)
        return _asked(response, run_id)

    @router.post("/tasks/{namespace}/{name}/suspend", status_code=204)
    async def suspend(who: asking, namespace: str, name: str) -> None:
        """Stops the task's schedule."""
        await _task(sources, who, namespace, name)
        await sources.orders.suspend(who.viewer, namespace, name, suspend=True)

    @router.post("/tasks/{namespace}/{name}/resume", status_code=204)
    async def resume(who: asking, namespace: str, name: str) -> None:
        """Lets the task's schedule go on."""
        await _task(sources, who, namespace, name)
        await sources.orders.suspend(who.viewer, namespace, name, suspend=False)

    @router.post("/runs/{run_id}/cancel", status_code=202)
    async def cancel(who: asking, run_id: str) -> documents.Ordered:
        """Tells the run to stop, whether it goes on or waits for its turn."""
        holder = await sources.live.holder(run_id)
        if holder is None or not who.sees(holder[0]):
            await _run(sources, who, run_id)
        await sources.orders.cancel(who.viewer, run_id)
        return documents.Ordered(run_id=run_id)

    @router.post("/runs/{run_id}/retry", status_code=202)
    async def retry(who: asking, response: Response, run_id: str) -> documents.Ordered:
        """Runs the run's task once more, as a manual run."""
        await _run(sources, who, run_id)
        return _asked(response, await sources.orders.retry(who.viewer, run_id))

    return router


def _runs(sources: Sources, caller: Callable[[Request], Any]) -> APIRouter:
    router = APIRouter(tags=["runs"])
    asking = Annotated[Caller, Depends(caller)]

    @router.get("/runs")
    async def list_runs(
        who: asking,
        wanted: Annotated[documents.RunQuery, Query()],
    ) -> documents.Runs:
        """Runs, newest first."""
        found = await sources.reader.runs(_filter(who, wanted), limit=wanted.limit, cursor=wanted.cursor)
        return documents.Runs(items=[documents.Run.of(row) for row in found.rows], cursor=found.cursor)

    @router.get("/runs/{run_id}")
    async def get_run(who: asking, run_id: str) -> documents.RunInFull:
        """One run with its attempts: which pod each was sent to, why that one, and what came back."""
        row = await _run(sources, who, run_id)
        attempts = await sources.reader.attempts(run_id)
        return documents.RunInFull(
            run=documents.Run.of(row), attempts=[documents.Attempt.of(attempt) for attempt in attempts]
        )

    @router.get(
        "/runs/{run_id}/logs",
        response_model=documents.Lines,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Lines, or a stream of them."}},
    )
    async def get_logs(
        who: asking,
        request: Request,
        run_id: str,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 1000,
        stay: Annotated[bool, Query(alias="follow", description="Stay for new lines: server-sent events.")] = False,
    ) -> Any:
        """Log lines of a run after a `seq`.

        With `follow`, an event for each line until the run is over; a client that lost the connection goes on with the
        header `Last-Event-ID`.
        """
        await _run(sources, who, run_id)
        if stay:
            last = request.headers.get("last-event-id", "")
            return follow(sources.reader, run_id, after=int(last) if last.isdecimal() else after)
        rows = await sources.reader.logs(run_id, after=after, limit=limit)
        return documents.Lines(items=[documents.Line.of(row) for row in rows])

    return router


def _filter(who: Caller, wanted: documents.RunQuery) -> RunFilter:
    return RunFilter(
        namespaces=who.within(wanted.namespace),
        task=wanted.task,
        states=tuple(wanted.state),
        trigger=wanted.trigger,
        pod=wanted.pod,
        since=wanted.since.timestamp() if wanted.since else None,
        until=wanted.until.timestamp() if wanted.until else None,
        text=wanted.q,
    )


async def _task(sources: Sources, who: Caller, namespace: str, name: str) -> TaskDetail:
    found = await sources.live.task(namespace, name) if who.sees(namespace) else None
    if found is None:
        raise problems.missing(f"task {namespace}/{name}")
    return found


async def _run(sources: Sources, who: Caller, run_id: str) -> RunRow:
    found = await sources.reader.run(run_id)
    if found is None or not who.sees(found.namespace):
        raise problems.missing(f"run {run_id}")
    return found


def _asked(response: Response, run_id: str) -> documents.Ordered:
    response.headers["location"] = f"{PREFIX}/runs/{run_id}"
    return documents.Ordered(run_id=run_id)
