"""Writes batches into the history's database. Every row may be written again: the same batch twice changes nothing."""

import json
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from warmcron.history.database import Database
from warmcron.history.journal import Batch
from warmcron.history.model import FINAL, AttemptRow, LogRow, RunRow
from warmcron.history.schema import ATTEMPTS, LINES, NAMES, RUNS

Json = dict[str, Any]

OUTCOME: Final = "outcome"  # the stream of line 0, which says in words how the run ended
TOLD: Final = ("Failed", "Cancelled", "Unknown")
MICRO: Final = 1_000_000


class Store:
    """The one writer of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sqlite = database.sqlite
        self._insert = sqlite.insert if database.sqlite else postgresql.insert
        self._last_id: int | None = None
        self._names: set[tuple[str, str]] = set()
        self._run_upsert = self._make_run_upsert()
        self._attempt_upsert = self._make_attempt_upsert()

    async def write(self, batch: Batch) -> None:
        """One transaction. After a HistoryError nothing of the batch is there, or all of it: write it again."""
        names = {(run.namespace, run.task) for run in batch.runs.values()} - self._names
        try:
            async with self._database.write() as connection:
                await self._write(connection, batch, names)
        except BaseException:
            self._last_id = None  # another leader may have numbered lines since
            raise
        self._names |= names

    async def _write(self, connection: AsyncConnection, batch: Batch, names: Iterable[tuple[str, str]]) -> None:
        if batch.runs:
            # In one order whoever writes: two writers wait for each other, and neither for ever.
            rows = [run_values(batch.runs[run_id]) for run_id in sorted(batch.runs)]
            await connection.execute(self._run_upsert, rows if self._sqlite else as_columns(rows))
        if batch.attempts:
            await connection.execute(self._attempt_upsert, [attempt_values(row) for row in batch.attempts.values()])
        told = [outcome(run) for run in batch.runs.values()]
        lines = batch.lines + [(line.time, line) for line in told if line is not None]
        if lines:
            numbered = [line_values(await self._next_id(connection, arrived), line) for arrived, line in lines]
            kept = self._insert(LINES).on_conflict_do_nothing(index_elements=["run_id", "seq"])
            await connection.execute(kept, numbered)
        if names:
            known = self._insert(NAMES).on_conflict_do_nothing()
            await connection.execute(known, [{"namespace": namespace, "task": task} for namespace, task in names])

    async def _next_id(self, connection: AsyncConnection, arrived: float) -> int:
        """When the line arrived, in microseconds, and never the number of another line."""
        if self._last_id is None:
            self._last_id = (await connection.execute(sa.select(sa.func.max(LINES.c.id)))).scalar() or 0
        self._last_id = max(self._last_id + 1, int(arrived * MICRO))
        return self._last_id

    def _make_run_upsert(self) -> Any:
        """A final state is never left again: what an old leader still writes comes too late."""
        insert = self._insert(RUNS)
        if not self._sqlite:
            # One statement for all rows, because the triggers that count runs go off once a statement.
            columns = [
                sa.func.unnest(sa.bindparam(f"all_{each.name}", type_=ARRAY(each.type))) for each in RUNS.columns
            ]
            insert = insert.from_select(RUNS.columns.keys(), sa.select(*columns))
        changes: Json = {
            column.name: insert.excluded[column.name] for column in RUNS.columns if column.name != "run_id"
        }
        # A new leader knows nothing of what was said to the one before, or of when that began.
        for name in ("started", "progress", "result", "error"):
            changes[name] = sa.func.coalesce(insert.excluded[name], RUNS.c[name])
        going_on = sa.and_(*(RUNS.c.state != sa.literal_column(f"'{state}'") for state in FINAL))
        return insert.on_conflict_do_update(index_elements=["run_id"], set_=changes, where=going_on)

    def _make_attempt_upsert(self) -> Any:
        insert = self._insert(ATTEMPTS)
        new = insert.excluded
        changes: Json = {name: new[name] for name in ("epoch", "ended", "answer", "reason")}
        changes["error"] = sa.func.coalesce(new.error, ATTEMPTS.c.error)
        changes["sent"] = sa.case((new.chosen_by != "", new.sent), else_=ATTEMPTS.c.sent)
        changes["filtered"] = sa.case((new.chosen_by != "", new.filtered), else_=ATTEMPTS.c.filtered)
        changes["chosen_by"] = sa.case((new.chosen_by != "", new.chosen_by), else_=ATTEMPTS.c.chosen_by)
        return insert.on_conflict_do_update(index_elements=["run_id", "attempt", "pod_uid"], set_=changes)


def run_values(run: RunRow) -> Json:
    """A run as its table has it."""
    found = {name: getattr(run, name) for name in RUNS.columns.keys()}  # noqa: SIM118 - a collection of columns
    found["result"], found["error"] = _json(run.result), _json(run.error)
    return found


def as_columns(rows: list[Json]) -> dict[str, list[Any]]:
    """The same rows as PostgreSQL takes them in one statement: a list of values for each column."""
    return {f"all_{name}": [row[name] for row in rows] for name in rows[0]}


def attempt_values(row: AttemptRow) -> Json:
    """An attempt as its table has it."""
    found = {name: getattr(row, name) for name in ATTEMPTS.columns.keys()}  # noqa: SIM118 - as above
    found["filtered"], found["error"] = json.dumps(row.filtered), _json(row.error)
    return found


def line_values(number: int, line: LogRow) -> Json:
    """A line as its table has it, under its number."""
    return {
        "id": number,
        "run_id": line.run_id,
        "seq": line.seq,
        "attempt": line.attempt,
        "time": line.time,
        "stream": line.stream,
        "level": line.level,
        "text": line.text,
        "pod_uid": line.pod_uid,
    }


def outcome(run: RunRow) -> LogRow | None:
    """Line 0, which says how a run has ended; None where there is nothing to say."""
    if run.state not in TOLD or not (run.reason or run.error):
        return None
    error = run.error or {}
    parts = (run.state, run.reason, str(error.get("type", "")), str(error.get("message", "")))
    return LogRow(
        run_id=run.run_id,
        attempt=run.attempts,
        seq=0,
        time=run.finished or run.scheduled,
        stream=OUTCOME,
        text=" ".join(part for part in parts if part),
    )


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
