"""A database that is dead, slow, full or read-only delays no dispatch, and nothing is lost that fits."""

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from benchmarks.postgres import NOBODY, Postgres
from benchmarks.processes import StartError
from unit.history.builders import batch, line, run, run_id
from unit.history.service import LIMITS, Busy, dropped, running, until, up, url_of
from warmcron.errors import HistoryError
from warmcron.history import database, journal
from warmcron.history.address import parse
from warmcron.history.database import Database
from warmcron.history.history import History
from warmcron.history.store import Store

Fault = Callable[[History, pytest.FixtureRequest], AbstractAsyncContextManager[None]]
MEBI = 1024 * 1024


@asynccontextmanager
async def sqlite_locked(history: History, _: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Somebody else writes to the file and does not come to an end."""
    path = history._database._url.database
    with contextlib.closing(sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)) as other:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")  # the history needs the loop to end its own
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def sqlite_full(history: History, _: pytest.FixtureRequest) -> AsyncIterator[None]:
    """The file may not grow, and has no room left; what is written next says so."""
    found = history._database
    async with found.write() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar()
        await connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    found._pages = int(pages or 0)
    yield
    found._pages = 0


@asynccontextmanager
async def postgres_dead(_: History, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """The server is gone at once, as in a power cut."""
    server: Postgres = request.getfixturevalue("server")
    server.stop("immediate")
    try:
        yield
    finally:
        server.start()


@asynccontextmanager
async def postgres_frozen(_: History, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """The server answers nobody any more, and no connection ends: as behind a network that lets nothing through."""
    server: Postgres = request.getfixturevalue("server")
    server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.signal(signal.SIGCONT)
        await _cancelled()


async def _cancelled() -> None:
    """The driver asks the server to give up what it was doing, by connections that must end before the test does."""
    others = {task for task in asyncio.all_tasks() if "Connection._cancel" in repr(task.get_coro())}
    if others:
        await asyncio.wait(others, timeout=60)


@asynccontextmanager
async def postgres_locked(_: History, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Somebody else holds a table."""
    server: Postgres = request.getfixturevalue("server")
    other = await asyncpg.connect(server.url)
    await other.execute("BEGIN; LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
    yield
    await other.close()


@asynccontextmanager
async def postgres_slow(_: History, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Every row takes so long that a full batch is given up."""
    server: Postgres = request.getfixturevalue("server")
    server.sql(
        "CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$; "
        "CREATE TRIGGER slow AFTER INSERT ON runs FOR EACH ROW EXECUTE FUNCTION sleep()"
    )
    yield


@asynccontextmanager
async def postgres_full(_: History, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """No file of the server may grow beyond what the table over lines has: a disk without room, as it sees it."""
    server: Postgres = request.getfixturevalue("server")
    server.sql("ALTER TABLE lines SET (autovacuum_enabled = off)")
    server.limit_files(str(2 * MEBI))
    with pytest.raises(StartError, match="could not extend file"):
        server.sql(
            "INSERT INTO lines (id, run_id, seq, attempt, time, stream, level, text) "
            "SELECT n, n::text, 0, 0, 0, '', '', md5(n::text) FROM generate_series(1, 100000) AS n"
        )
    try:
        yield
    finally:
        server.limit_files("unlimited")


@asynccontextmanager
async def postgres_read_only(_: History, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """The server has become one that only reads, as after a failover."""
    server: Postgres = request.getfixturevalue("server")
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    server.reload()
    try:
        yield
    finally:
        server.sql("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only")
        server.reload()


FAULTS: list[tuple[str, Fault]] = [
    ("sqlite", sqlite_locked),
    ("sqlite", sqlite_full),
    ("postgresql", postgres_dead),
    ("postgresql", postgres_frozen),
    ("postgresql", postgres_locked),
    ("postgresql", postgres_slow),
    ("postgresql", postgres_full),
    ("postgresql", postgres_read_only),
]
each_fault = pytest.mark.parametrize(("kind", "fault"), FAULTS, ids=[fault.__name__ for _, fault in FAULTS])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WRITE_SECONDS", 2.0)
    monkeypatch.setattr(database, "LOCK_SECONDS", 1)
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 200)


@each_fault
async def test_no_dispatch_waits_and_nothing_is_lost_that_fits(
    kind: str, fault: Fault, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with running(url_of(kind, tmp_path, request)) as history:
        busy = Busy(history)
        await busy.work(2)
        await until(lambda: up(history))
        await busy.told()
        async with fault(history, request):
            await busy.work(40)
            await until(lambda: not up(history))
            await busy.work(40)
            assert len(history.journal) > 0
            if fault is postgres_slow:  # which comes to an end by itself
                await until(lambda: not len(history.journal))
        await until(lambda: up(history) and not len(history.journal))

        assert await busy.whole() == busy.sent
        assert [dropped(history, of) for of in ("run", "attempt", "line", "result")] == [0, 0, 0, 0]


@each_fault
async def test_what_does_not_fit_is_counted_to_the_run_and_the_memory_is_bounded(
    kind: str, fault: Fault, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_RUNS", 100)
    monkeypatch.setattr(journal, "MOST_ATTEMPTS", 150)
    async with running(url_of(kind, tmp_path, request)) as history:
        busy = Busy(history)
        await busy.work(2)
        await until(lambda: up(history))
        await busy.told()
        async with fault(history, request):
            await busy.work(80)
            assert len(history.journal._runs) <= 100
            assert len(history.journal._attempts) <= 150
            if fault is postgres_slow:
                await until(lambda: not len(history.journal))
        await until(lambda: up(history) and not len(history.journal))

        lost = len(busy.sent) - len(await busy.told())
        assert dropped(history, "run") == lost > 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose rights bind the tests as well: root gives up its own meanwhile."""
    found = Path(tempfile.mkdtemp(prefix="warmcron-history-"))
    with _nobody(found):
        yield found
    shutil.rmtree(found)


@contextmanager
def _nobody(folder: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.chown(folder, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("mode", ["file", "folder"])
async def test_a_file_that_may_only_be_read_is_read_and_written_to_when_it_may_be(mode: str, folder: Path) -> None:
    path = folder / "h.db"
    first = Database(parse(f"sqlite:///{path}"))
    await first.open()
    await Store(first).write(batch(run(1)))
    await first.close()
    _forbid(folder, path if mode == "file" else None)
    try:
        async with running(f"sqlite:///{path}") as history:
            busy = Busy(history)
            await busy.work(20)
            await until(lambda: dropped(history, "run") == 0 and not up(history) and len(history.journal) > 0)
            if mode == "file":
                assert await history.reader.run(run_id(1)) is not None
            await busy.work(20)
            _allow(folder)
            await until(lambda: up(history) and not len(history.journal))

            assert await busy.whole() == busy.sent
    finally:
        _allow(folder)


def _forbid(folder: Path, file: Path | None) -> None:
    for each in [file] if file else folder.iterdir():
        each.chmod(0o444)
    if not file:
        folder.chmod(0o555)


def _allow(folder: Path) -> None:
    folder.chmod(0o755)
    for each in folder.iterdir():
        each.chmod(0o644)


async def test_tables_that_somebody_has_dropped_are_made_again(server: Postgres) -> None:
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    async with running(server.url) as history:
        busy = Busy(history)
        await until(lambda: up(history))
        server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await busy.work(10)
        await until(lambda: not len(history.journal))

        assert await busy.whole() == busy.sent


async def test_a_full_file_gives_up_its_oldest_and_goes_on(tmp_path: Path) -> None:
    limits = replace(LIMITS, megabytes=1)
    async with running(f"sqlite:///{tmp_path}/h.db", limits=limits) as history:
        busy = Busy(history)
        await busy.work(5)
        await until(lambda: up(history) and not len(history.journal))
        history.journal.lines([line("x " * 5000, 1, index=index) for index in range(120)])  # more than fits
        await until(lambda: not up(history))
        await busy.work(5)
        await until(lambda: up(history) and not len(history.journal))

        last = await history.reader.run(busy.sent[-1])
        assert last
        assert last.state == "Succeeded"
        assert (tmp_path / "h.db").stat().st_size <= MEBI


async def test_a_question_to_a_server_that_does_not_answer_ends(server: Postgres) -> None:
    server.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    async with running(server.url) as history:
        await until(lambda: up(history))
        server.signal(signal.SIGSTOP)
        try:
            async with asyncio.timeout(60):
                with pytest.raises(HistoryError):
                    await history.reader.run(run_id(1))
        finally:
            server.signal(signal.SIGCONT)
            await _cancelled()
