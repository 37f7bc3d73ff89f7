"""A history of a million runs: what a second takes in, how long each question takes, in SQLite and in PostgreSQL."""

import asyncio
import contextlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import sqlalchemy as sa

from benchmarks import ledger, machine, past
from benchmarks.past import DAYS, Past
from benchmarks.postgres import Postgres, started
from benchmarks.processes import StartError, cpu_of
from benchmarks.questions import QUESTIONS
from warmcron.history.address import parse
from warmcron.history.database import Database
from warmcron.history.history import ROWS
from warmcron.history.reader import StoreReader
from warmcron.history.store import Store

Record = dict[str, Any]
KINDS: Final = ("sqlite", "postgresql")
# Questions are asked with values drawn anew, the same for both databases.
SEED: Final = 3


async def history(
    *, runs: int, tasks: int, intake: int, repeats: int, kinds: Sequence[str] = KINDS, days: float = DAYS
) -> AsyncIterator[tuple[str, Record]]:
    """Fills each database, adds `intake` runs as the service does, and asks every question `repeats` times.

    A server that cannot be started takes nothing from what the databases before it have shown: it raises at the end.
    """
    told, asked = Past(runs=runs, tasks=tasks, days=days), {}
    missing: StartError | None = None
    for kind in kinds:
        try:
            async with _filled(kind, told) as (database, size, server):
                taken = await _take_in(database, told, intake, size, server)
                yield "history_intake", {"database": kind, "count": runs, **taken}
                asked[kind] = await _ask_all(database, told, repeats)
                yield "history_plans", {"database": kind, "plans": await _plans(database, told)}
        except StartError as error:
            missing = error
    for name in QUESTIONS if asked else ():
        answers = {f"{kind}_{key}": value for kind, found in asked.items() for key, value in found[name].items()}
        yield "history", {"question": name, **answers}
    if missing:
        raise missing


@asynccontextmanager
async def _filled(kind: str, told: Past) -> AsyncIterator[tuple[Database, Callable[[], int], Postgres | None]]:
    """A database with the past in it, how many bytes it has, and its server if it has one."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="warmcron-bench-")))
        file = folder / "history.db"
        server = stack.enter_context(started(shared_buffers="512MB")) if kind == "postgresql" else None
        url = server.url if server else f"sqlite:///{file}"
        await _make_tables(url)
        began = time.monotonic()
        if server:
            await past.load_postgres(server.url, told)
        else:
            await asyncio.to_thread(past.load_sqlite, file, told)
        print(f"benchmarks: {kind} filled in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

        def size() -> int:
            return int(server.sql("SELECT pg_database_size('postgres')")) if server else file.stat().st_size

        database = Database(parse(url))
        await database.open()
        try:
            yield database, size, server
        finally:
            await database.close()


async def _make_tables(url: str) -> None:
    database = Database(parse(url))
    await database.open()
    await database.close()


async def _take_in(
    database: Database, told: Past, count: int, size: Callable[[], int], server: Postgres | None
) -> Record:
    """Batches as the service writes them, one after the other; rows are made before the clock starts."""
    store = Store(database)
    batches = list(past.batches(told.stories(told.runs, count), ROWS))
    bytes_a_run = round(size() / told.runs)
    await store.write(batches.pop(0))  # which prepares its statements and knows the names from then on
    records, runs = sum(map(len, batches)), sum(len(batch.runs) for batch in batches)
    own, theirs, began = _own_cpu(), _cpu(server), time.monotonic()
    slowest = 0.0
    for batch in batches:
        before = time.monotonic()
        await store.write(batch)
        slowest = max(slowest, time.monotonic() - before)
    took = time.monotonic() - began
    return {
        "records_per_second": round(records / took),
        "runs_per_second": round(runs / took),
        "cpu_operator_ms": round((_own_cpu() - own) * 1000 / runs, 3),
        "cpu_database_ms": round((_cpu(server) - theirs) * 1000 / runs, 3),
        "slowest_transaction_ms": round(slowest * 1000, 1),
        "bytes_per_run": bytes_a_run,
        "load_average": machine.load(),
    }


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _cpu(server: Postgres | None) -> float:
    return sum(map(cpu_of, server.pids())) if server else 0.0


async def _ask_all(database: Database, told: Past, repeats: int) -> dict[str, Record]:
    reader, found = StoreReader(database), {}
    for name, ask in QUESTIONS.items():
        random, taken, rows = _random(), [], []
        await ask(reader, told, _random())  # what the first asker of all pays is not what is measured
        for _ in range(repeats):
            began = time.monotonic()
            rows.append(await ask(reader, told, random))
            taken.append((time.monotonic() - began) * 1000)
        taken.sort()
        found[name] = {
            "p50_ms": round(ledger.percentile(taken, 0.5), 1),
            "p95_ms": round(ledger.percentile(taken, 0.95), 1),
            "max_ms": round(taken[-1], 1),
            "rows": max(rows),
        }
        print(json.dumps({"question": name, **found[name]}), file=sys.stderr, flush=True)
    return found


def _random() -> Random:
    return Random(SEED)  # noqa: S311 - no secret


async def _plans(database: Database, told: Past) -> dict[str, list[str]]:
    """How the database goes about each question: its own explanation of every statement."""
    found = {}
    for name, ask in QUESTIONS.items():
        with _listening(database) as statements:
            await ask(StoreReader(database), told, _random())
        found[name] = [await _explained(database, text, values) for text, values in statements]
    return found


@contextlib.contextmanager
def _listening(database: Database) -> Iterator[list[tuple[str, Any]]]:
    heard: list[tuple[str, Any]] = []
    engine = database.reading.sync_engine

    def hear(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        heard.append((statement, values))

    sa.event.listen(engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        sa.event.remove(engine, "before_cursor_execute", hear)


async def _explained(database: Database, text: str, values: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if database.sqlite else "EXPLAIN"
    async with database.read() as connection:
        rows = (await connection.exec_driver_sql(f"{explain} {text}", values)).all()
    return "\n".join(str(row[-1]) for row in rows)
