"""The connection to the history's database: which one its URL names, how it is opened, and whose fault an error is.

SQLite has one writer connection, whatever its version: two connections that write or checkpoint at once can corrupt
a database of SQLite before 3.51.3 (the WAL-reset fault). Readers are opened read-only, so they never checkpoint.
"""

import asyncio
import fcntl
import io
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import alembic.command
import alembic.config
import alembic.util
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from warmcron.errors import HistoryError
from warmcron.history import address

log = structlog.get_logger("warmcron.history")

READERS: Final = 4
# PostgreSQL's: one writes while another purges.
WRITERS: Final = 2
# How long SQLite waits for somebody else who writes.
BUSY_MILLISECONDS: Final = 5000
PAGE_BYTES: Final = 4096  # SQLite's own default
READ_SECONDS: Final = 5.0
WRITE_SECONDS: Final = 15.0
# Somebody who holds a table is not waited for as long as that: what is to be written can wait better in memory.
LOCK_SECONDS: Final = 5
# A new index over a million rows takes its time.
MIGRATE_SECONDS: Final = 600.0
CONNECT_SECONDS: Final = 3.0
# Any number that nobody else uses in this database: replicas that start together migrate one after the other.
MIGRATION_LOCK: Final = 0x7761726D
# The lock that the triggers take which count runs (docs/adr/0035-runs-are-counted-as-they-are-written.md). Taken before
# any row is touched: else a purge and a leader's write could each wait for rows of the other.
ALONE: Final = sa.text("SELECT pg_advisory_xact_lock(to_regclass('runs')::oid::bigint)")
MIGRATIONS: Final = "warmcron.history:migrations"


class FullError(HistoryError):
    """A SQLite file has reached its size, or its disk has no room."""


class RowError(HistoryError):
    """The history's database is well, but takes one of the rows never."""


class Database:
    """One database. Everything that goes wrong with it is a HistoryError.

    Args:
        url: as `address.parse` returns it.
        megabytes: size at which a SQLite file grows no further; 0 for none.
    """

    def __init__(self, url: URL, *, megabytes: int = 0) -> None:
        self._url, self._pages = url, megabytes * 1024 * 1024 // PAGE_BYTES
        self.sqlite = url.get_backend_name() == "sqlite"
        self._writer: AsyncEngine | None = None
        self._reader: AsyncEngine | None = None
        self._lock: io.BufferedWriter | None = None
        # Never two connections that write to a SQLite file, not even while one of them is being replaced.
        self._writers = 1 if self.sqlite else WRITERS
        self._turn = asyncio.Semaphore(self._writers)

    @property
    def shared(self) -> bool:
        """Whether every replica sees the same rows."""
        return not self.sqlite

    @property
    def reading(self) -> AsyncEngine:
        """The engine that answers questions; raises HistoryError before `open`."""
        return _opened(self._reader)

    async def open(self) -> None:
        """Connects and brings the tables up to date. May be tried again after a HistoryError."""
        async with self._turn, _blamed(MIGRATE_SECONDS):
            if self._writer is None:
                self._connect()
            assert self._writer is not None  # noqa: S101 - set by _connect
            patient = self._writer if self.sqlite else self._postgres(MIGRATE_SECONDS, 1)
            try:
                async with patient.connect() as connection:
                    await connection.run_sync(_migrate)
                    await connection.commit()
            finally:
                if patient is not self._writer:
                    await patient.dispose()

    async def reopen(self) -> None:
        """Opens anew after an error: what writes may be bound to a server, a file or rights that are no more."""
        for _ in range(self._writers):  # nobody is left to give a connection back to what is put away
            await self._turn.acquire()
        try:
            if self._writer is not None:
                await self._writer.dispose()
        finally:
            self._writer = None
            for _ in range(self._writers):
                self._turn.release()
        await self.open()

    async def close(self) -> None:
        """Ends all connections."""
        for engine in (self._reader, self._writer):
            if engine is not None:
                await engine.dispose()
        self._reader = self._writer = None
        if self._lock:
            self._lock.close()
            self._lock = None

    async def filled(self) -> float:
        """How full a SQLite file is of what it may hold, from 0 to 1; 0 where there is no limit."""
        if not self._pages:
            return 0.0
        async with self.read() as connection:
            pages, free = [
                int((await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() or 0)
                for name in ("page_count", "freelist_count")
            ]
        return (pages - free) / self._pages

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, undone by an error. One at a time, of all processes too."""
        async with self._turn, _blamed(WRITE_SECONDS), _opened(self._writer).begin() as connection:
            if not self.sqlite:
                await connection.execute(ALONE)
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from."""
        async with _blamed(READ_SECONDS), self.reading.connect() as connection:
            yield connection

    def _connect(self) -> None:
        if self.sqlite:
            self._connect_sqlite(Path(str(self._url.database)).absolute())
            return
        # Readers have connections of their own: a page that many look at does not keep the writer waiting.
        self._writer = self._postgres(WRITE_SECONDS, WRITERS, lock_timeout=f"{LOCK_SECONDS}s")
        # A plan for any value would take every time range for a narrow one, and read a million lines for a rare word.
        self._reader = self._reader or self._postgres(
            READ_SECONDS, READERS, default_transaction_read_only="on", plan_cache_mode="force_custom_plan"
        )

    def _postgres(self, seconds: float, connections: int, **settings: str) -> AsyncEngine:
        query = dict(self._url.query)
        arguments: dict[str, Any] = {
            "timeout": CONNECT_SECONDS,
            "command_timeout": seconds,
            "server_settings": {"application_name": "warmcron", "jit": "off", **settings},
        }
        if tls := address.tls(str(query.pop("sslmode", "")), str(query.pop("sslrootcert", ""))):
            arguments["ssl"] = tls
        return create_async_engine(
            self._url.set(query=query),
            connect_args=arguments,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=READ_SECONDS,
            pool_pre_ping=True,
        )

    def _connect_sqlite(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._lock is None:
            lock = path.with_name(path.name + ".lock").open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                raise HistoryError(f"{path} is written by another process; give each its own file") from None
            self._lock = lock
        self._writer = create_async_engine(
            self._url.set(database=str(path)), poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0
        )
        # WAL with NORMAL: a killed process loses nothing that was committed, a power cut at most the last moments.
        settings = [
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={BUSY_MILLISECONDS}",
            "journal_size_limit=67108864",
        ]
        if self._pages:
            settings.append(f"max_page_count={self._pages}")
        _on_connect(self._writer, *(f"PRAGMA {setting}" for setting in settings))
        if self._reader is not None:
            return
        self._reader = create_async_engine(
            f"sqlite+aiosqlite:///file:{quote(str(path))}?mode=ro&uri=true",
            poolclass=AsyncAdaptedQueuePool,
            pool_size=READERS,
            max_overflow=0,
            pool_timeout=READ_SECONDS,
        )
        _on_connect(
            self._reader, f"PRAGMA busy_timeout={BUSY_MILLISECONDS}", "PRAGMA query_only=ON", "PRAGMA cache_size=-32768"
        )


def _opened(engine: AsyncEngine | None) -> AsyncEngine:
    if engine is None:
        raise HistoryError("the history's database has not been opened yet; its log lines say why")
    return engine


def _on_connect(engine: AsyncEngine, *statements: str) -> None:
    @sa.event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()


@asynccontextmanager
async def _blamed(seconds: float) -> AsyncIterator[None]:
    """Whatever the database does wrong, and that it does nothing for so long, is a HistoryError."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise HistoryError(f"the history's database did not answer within {seconds:g} s") from None
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, OverflowError) as error:
        # The first line: what follows repeats the statement and its values, which are the users'.
        message = str(getattr(error, "orig", None) or error).splitlines()[0][:300]
        message = f"the history's database refused: {message or type(error).__name__}"
        raise _kind(error)(message) from error


def _kind(error: Exception) -> type[HistoryError]:
    if getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return FullError
    return RowError if _of_a_row(error) else HistoryError


def _of_a_row(error: Exception) -> bool:
    """Whether the values are at fault: the driver cannot bind them, or the database says so."""
    if isinstance(error, DataError | IntegrityError | ValueError | OverflowError):
        return True
    orig = getattr(error, "orig", None)
    # Classes 22 and 23 of SQL: data exception, integrity constraint violation.
    code = str(getattr(orig, "sqlstate", None) or "")
    return code[:2] in ("22", "23") or isinstance(getattr(orig, "__cause__", None), ValueError | OverflowError)


def _migrate(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    else:
        # Python's driver begins no transaction for what makes tables: killed on the way, half of a revision would stay.
        connection.exec_driver_sql("BEGIN")
    config = alembic.config.Config(stdout=io.StringIO(), output_buffer=io.StringIO())
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    try:
        alembic.command.upgrade(config, "head")
    except alembic.util.CommandError as error:
        # A newer version has been here: revisions only add, so what we know of is still there.
        if "Can't locate revision" not in str(error):
            raise HistoryError(f"the history's tables cannot be brought up to date: {error}") from error
        log.warning("history was made by a newer version", error=str(error))
