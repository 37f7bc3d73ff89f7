"""The routes for runs: lists, one run with its attempts, what became of one tick, logs, cancel and retry."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime

from warmcron.api import documents, problems, queries
from warmcron.api.admission import Asking, Caller
from warmcron.api.follow import follow
from warmcron.api.selecting import chosen
from warmcron.api.sources import Sources
from warmcron.api.tasks import asked, task_of
from warmcron.core import times
from warmcron.errors import HistoryError
from warmcron.history import tick as ticks
from warmcron.history.model import Place, RunFilter, RunRow, place
from warmcron.web.seats import Seats
from warmcron.web.sources import TaskRow

# Runs are sought by the uids of tasks; a selector that chooses more tasks says little.
MOST_TASKS: Final = 1000
# A tick lies at most 292 years away, and Python's calendar ends with the year 9999.
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
# A history that keeps up has a run this long after its end, one of a herd too; and how often it is looked for.
KEPT_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.1


def routes(sources: Sources) -> APIRouter:
    """All of them."""
    router = APIRouter(tags=["runs"])
    seats = Seats()

    @router.get("/runs")
    async def list_runs(who: Asking, wanted: Annotated[queries.RunQuery, Query()]) -> documents.Runs:
        """Runs, newest first."""
        uids = await _uids(sources, who, wanted)
        found = await sources.reader.runs(_filter(who, wanted, uids), limit=wanted.limit, cursor=wanted.cursor)
        items = [documents.Run.of(row) for row in found.rows]
        return documents.Runs(items=items, cursor=found.cursor, searched=found.searched)

    @router.get("/runs/{run_id}")
    async def get_run(who: Asking, run_id: str) -> documents.RunInFull:
        """One run with its attempts: which pod each was sent to, why that one, and what came back.

        What goes on, and the last runs of each task, are told from memory while the history has not got them or does
        not answer; `source` says so. Memory has no results: a run that has just ended is told when the history has it.
        """
        return await _known(sources, who, run_id)

    @router.get("/tasks/{namespace}/{name}/ticks/{tick}")
    async def get_tick(
        who: Asking,
        namespace: str,
        name: str,
        tick: AwareDatetime,
        lines: Annotated[int, Query(ge=0, le=documents.MOST_LINES, description="At most so many lines.")] = 1000,
    ) -> documents.Tick:
        """What became of a tick: its run, the attempts on their pods, the log lines of each.

        A tick that was skipped together with others has one row with them: that of the last, with `skippedTicks`.
        """
        task = (await task_of(sources, who, namespace, name)).row
        row = await ticks.row_of(sources.reader, task_uid=task.uid, plan=task.plan, tick=int(tick.timestamp()))
        if row is None:
            raise problems.Problem(404, "not-found", f"no run of {namespace}/{name}: {_why_none(task, tick)}")
        said = await sources.reader.logs(row.run_id, limit=lines) if lines else ()
        full = await _in_full(sources, row)
        return documents.Tick(run=full.run, attempts=full.attempts, lines=[documents.Line.of(line) for line in said])

    @router.post("/runs/{run_id}/cancel", status_code=202, tags=["orders"])
    async def cancel(who: Asking, run_id: str) -> documents.Ordered:
        """Tells the run to stop, whether it goes on or waits for its turn."""
        holder = await sources.live.holder(run_id)
        if holder is None or not who.sees(holder[0]):
            await run_of(sources, who, run_id)
        await sources.orders.cancel(who.viewer, run_id)
        return documents.Ordered(run_id=run_id)

    @router.post("/runs/{run_id}/retry", status_code=202, tags=["orders"])
    async def retry(who: Asking, response: Response, run_id: str) -> documents.Ordered:
        """Runs the run's task once more, as a manual run."""
        await run_of(sources, who, run_id)
        return asked(response, await sources.orders.retry(who.viewer, run_id))

    @router.get(
        "/runs/{run_id}/logs",
        response_model=documents.Lines,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Lines, or a stream of them."}},
    )
    async def get_logs(who: Asking, request: Request, run_id: str, wanted: Annotated[queries.LogQuery, Query()]) -> Any:
        """Log lines of a run after a `seq`, or the last of them.

        With `follow`, an event for each line until the run is over; a client that lost the connection goes on with the
        header `Last-Event-ID`.
        """
        await run_of(sources, who, run_id)
        tail = wanted.tail
        if wanted.follow:
            start = place(request.headers.get("last-event-id", ""))
            start = start or (Place(wanted.after) if tail is None else await _last(sources, run_id, tail))
            return follow(sources.reader, run_id, start=start, seats=seats, name=who.viewer.name)
        count = wanted.limit if tail is None else tail
        rows = await sources.reader.logs(run_id, after=wanted.after, limit=count, last=tail is not None)
        return documents.Lines(items=[documents.Line.of(row) for row in rows])

    return router


async def run_of(sources: Sources, who: Caller, run_id: str) -> RunRow:
    """A run of the history that the caller may see; 404 for any other."""
    return _seen(who, await sources.reader.run(run_id), run_id)


def _seen(who: Caller, found: RunRow | None, run_id: str) -> RunRow:
    """The same, if the caller may see it."""
    if found is None or not who.sees(found.namespace):
        raise problems.missing(f"run {run_id}")
    return found


async def _known(sources: Sources, who: Caller, run_id: str) -> documents.RunInFull:
    """What the history has of a run; else what memory has, as the run's page shows it. 404, or 503 for neither.

    A run that has just ended is waited for: whoever asks until it has ended wants its result, which memory has not.
    """
    known = None
    while True:
        fault = None
        try:
            if row := await sources.reader.run(run_id):
                return await _in_full(sources, _seen(who, row, run_id))
        except HistoryError as error:
            fault = error
        known = known or await sources.live.run(run_id)  # which looks at every task: once is enough
        if known is None and fault:
            raise fault
        known = _seen(who, known, run_id)
        if fault or abs(time.time() - (known.finished or 0)) >= KEPT_SECONDS:
            run = documents.Run.of(known)
            return documents.RunInFull(run=run, attempts=[], source="Memory", fault=str(fault or ""))
        await asyncio.sleep(LOOK_SECONDS)


async def _last(sources: Sources, run_id: str, count: int) -> Place:
    """The place before the last lines of a log; with none of them, behind all that is there."""
    rows = await sources.reader.logs(run_id, limit=count, last=True) if count else ()
    return Place(rows[0].seq - 1) if rows else Place(None)


async def _in_full(sources: Sources, row: RunRow) -> documents.RunInFull:
    attempts = await sources.reader.attempts(row.run_id)
    return documents.RunInFull(
        run=documents.Run.of(row), attempts=[documents.Attempt.of(attempt) for attempt in attempts]
    )


async def _uids(sources: Sources, who: Caller, wanted: queries.RunQuery) -> tuple[str, ...] | None:
    """The tasks that the selector chooses; None where there is no selector."""
    if not wanted.selector:
        return None
    found = await chosen(sources, who, wanted.selector, wanted.namespace)
    if len(found) > MOST_TASKS:
        raise problems.Problem(422, "invalid", f"selector: it chooses {len(found)} tasks, at most {MOST_TASKS}")
    return tuple(sorted(found))


def _filter(who: Caller, wanted: queries.RunQuery, uids: tuple[str, ...] | None) -> RunFilter:
    return RunFilter(
        namespaces=who.within(wanted.namespace),
        task=wanted.task,
        uids=uids,
        states=tuple(wanted.state),
        trigger=wanted.trigger,
        pod=wanted.pod,
        since=wanted.since.timestamp() if wanted.since else None,
        until=wanted.until.timestamp() if wanted.until else None,
        text=wanted.q,
    )


def _why_none(task: TaskRow, tick: datetime) -> str:
    """Why nothing is known of a tick, as far as the task as it is now tells."""
    at = int(tick.timestamp())
    if task.plan is None or not 0 <= at < LATEST:
        return "it has no tick then"
    if (following := task.plan.next_after(at - 1)) != at:
        return f"its schedule has no tick at {times.text(at)}; the one after that is {times.text(following)}"
    if task.next is not None and at >= task.next:
        return f"{times.text(at)} is still to come"
    return f"the tick at {times.text(at)} is older than what is kept, or than the schedule as it is now"
