"""The history as a service: opens its database, writes what the journal has, purges, and starts over after a fault.

Nothing in here is waited for by what schedules: while the database is away, the journal holds what fits.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from warmcron.errors import HistoryError
from warmcron.history.address import parse
from warmcron.history.database import Database, FullError, RowError
from warmcron.history.journal import Batch, Journal
from warmcron.history.model import Reader
from warmcron.history.reader import StoreReader
from warmcron.history.retention import Limits, Retention
from warmcron.history.store import Store
from warmcron.history.strays import Follower, Strays

log = structlog.get_logger("warmcron.history")

# What arrives within this time is written in one transaction.
GROUP_SECONDS: Final = 0.1
# A herd is sent before it is written down, but somebody may be looking.
HERD_SECONDS: Final = 2.0
# Rows of each kind in one transaction: making them keeps the loop for about 5 ms.
ROWS: Final = 500
# A database that is too slow for so many in this time is given fewer.
ROWS_LEAST: Final = 20
ROWS_SECONDS: Final = 1.0
PAUSE_MAX: Final = 5.0
PURGE_SECONDS: Final = 60.0
PURGE_PAUSE: Final = 0.1
# PostgreSQL and SQLite look after their figures by themselves; this is for those who forbid it.
OPTIMIZE_SECONDS: Final = 3600.0


class Figures:
    """What is counted of the history."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.dropped = Counter(
            "warmcron_history_dropped",
            "Records that did not fit while the database was away",
            ["kind"],
            registry=registry,
        )
        for kind in ("run", "attempt", "line", "result"):
            self.dropped.labels(kind)
        self.waiting = Gauge("warmcron_history_outbox_depth", "Records that wait to be written", registry=registry)
        self.up = Gauge("warmcron_history_up", "1 while the history's database takes writes", registry=registry)
        self.written = Counter("warmcron_history_records", "Records written", registry=registry)
        self.seconds = Histogram(
            "warmcron_history_write_seconds",
            "One transaction of the history",
            buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
            registry=registry,
        )


class History:
    """One replica's history.

    Args:
        url: as the setting has it.
        epoch: the number of our term.
        leading: whether we lead: only then we purge.
        follower: says of runs that the history has open whether they go on; None where nobody can.
        herd: whether so many requests are still to be sent that writing is better put off.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        url: str,
        limits: Limits,
        epoch: Callable[[], int],
        leading: Callable[[], bool],
        herd: Callable[[], bool],
        registry: CollectorRegistry,
        follower: Follower | None = None,
    ) -> None:
        self._database = Database(parse(url), megabytes=limits.megabytes)
        self._leading, self._herd = leading, herd
        self._some, self._refusing = asyncio.Event(), asyncio.Event()
        self._rows, self._down, self._full = ROWS, False, False
        self._one_by_one = 0  # how many writes more take a single row of each kind
        self._figures = Figures(registry)
        self._store = Store(self._database)
        self._retention = Retention(self._database, limits)
        self.reader: Reader = StoreReader(self._database)
        self.journal = Journal(epoch=epoch, now=time.time, dropped=self._figures.dropped, wake=self._some.set)
        self._strays = Strays(self._database, follower=follower, put=self.journal.put) if follower else None
        self._figures.waiting.set_function(lambda: len(self.journal))

    @property
    def shared(self) -> bool:
        """Whether every replica reads the same rows."""
        return self._database.shared

    async def run(self) -> None:
        """Writes and purges until cancelled. A fault of ours in here must not end the operator: it starts over."""
        while True:
            try:
                await self._until_open()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._write())
                    group.create_task(self._purge())
            except Exception:
                self._figures.up.set(0)
                log.exception("history starts over")
            await asyncio.sleep(PAUSE_MAX)

    async def close(self, seconds: float) -> None:
        """Writes what is left, as far as that is done in so many seconds, and disconnects."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.journal):
                    await self._write_some()
        except (TimeoutError, HistoryError) as error:
            log.warning("history not written to its end", records=len(self.journal), error=str(error))
        await self._database.close()

    async def _until_open(self) -> None:
        pause = 0.2
        while True:
            try:
                await self._database.open()
            except HistoryError as error:
                self._figures.up.set(0)
                log.warning("history not open", error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, PAUSE_MAX)
                continue
            self._figures.up.set(1)
            return

    async def _write(self) -> None:
        pause = 0.0
        while True:
            await self._some.wait()
            self._some.clear()
            await asyncio.sleep(max(pause, GROUP_SECONDS))
            await self._herd_passed()
            try:
                if pause:
                    await self._database.reopen()
                while len(self.journal):
                    await self._write_some()
            except HistoryError as error:
                self._failed(error)
                pause = min(max(pause * 2, 0.2), PAUSE_MAX)
                continue
            if pause:
                log.info("history is written again")
            pause, self._down, self._full = 0.0, False, False
            self._figures.up.set(1)

    def _failed(self, error: HistoryError) -> None:
        self._figures.up.set(0)
        if not self._down:
            log.warning("history not written, it is kept for later", error=str(error), records=len(self.journal))
        self._down, self._full = True, isinstance(error, FullError)
        self._rows = max(self._rows // 4, ROWS_LEAST)
        self._refusing.set()  # it may be full, and purging what there is to do
        self._some.set()

    async def _write_some(self) -> None:
        batch = self.journal.take(1 if self._one_by_one else self._rows)
        began = time.monotonic()
        try:
            await self._store.write(batch)
        except RowError as error:
            self._refused(batch, error)
            return
        except BaseException:
            self.journal.give_back(batch)
            raise
        self._one_by_one = max(self._one_by_one - 1, 0)
        took = time.monotonic() - began
        fitting = self._rows * min(2.0, ROWS_SECONDS / max(took, 0.001))
        self._rows = min(max(int(fitting), ROWS_LEAST), ROWS)
        self._figures.seconds.observe(took)
        self._figures.written.inc(len(batch))

    def _refused(self, batch: Batch, error: RowError) -> None:
        """One of the rows will never be taken: it is found by writing one by one, and must not stop the rest."""
        if not self._one_by_one:
            self._one_by_one = ROWS
            self.journal.give_back(batch)
            return
        log.error("record refused", error=str(error), runs=list(batch.runs))
        for kind, rows in (("run", batch.runs), ("attempt", batch.attempts), ("line", batch.lines)):
            self._figures.dropped.labels(kind).inc(len(rows))

    async def _herd_passed(self) -> None:
        until = time.monotonic() + HERD_SECONDS
        while self._herd() and time.monotonic() < until:  # noqa: ASYNC110 - the dispatcher has no time for us
            await asyncio.sleep(GROUP_SECONDS)

    async def _purge(self) -> None:
        optimized = time.monotonic()
        while True:
            await self._purge_due()
            if not self._leading():
                continue
            try:
                if self._strays and (found := await self._strays.look(time.time())):
                    log.warning("runs had ended unwritten", count=found)
                bounds = await self._retention.bounds(time.time(), full=self._full)
                while await self._retention.step(bounds):  # noqa: ASYNC110 - others get their turn
                    await asyncio.sleep(PURGE_PAUSE)
                if time.monotonic() - optimized > OPTIMIZE_SECONDS:
                    optimized = time.monotonic()
                    await self._retention.optimize()
            except HistoryError as error:
                if not self._down:  # else it has been said
                    log.warning("history not purged", error=str(error))

    async def _purge_due(self) -> None:
        """A minute passes, or less where the database refuses rows: it may be full."""
        await asyncio.sleep(PAUSE_MAX)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._refusing.wait(), PURGE_SECONDS - PAUSE_MAX)
        self._refusing.clear()
