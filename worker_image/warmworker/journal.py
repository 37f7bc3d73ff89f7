"""The run table on disk: writes changes durably, many at a time, in one thread; never decides what changes.

Each batch of changes is one SQLite transaction (write-ahead log, synchronous=FULL). A crash leaves either all of a
batch or nothing of it: SQLite checks its log frame by frame, so a torn last write is dropped when it is opened again.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warmworker.errors import JournalBroken, StateDirInUse, UsageError
from warmworker.records import Fence, Record, RunState
from warmworker.runs import Change, Epoch, Forget
from warmworker.wire import Callback, Shard, TaskRef

logger = logging.getLogger(__name__)
LONGEST_BATCH: Final = 1000
RETRY_SECONDS: Final = 2.0
SHARD: Final = 17  # its place in a row
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS runs
        (run_id TEXT PRIMARY KEY, keep_until REAL NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS fences
        (run_id TEXT PRIMARY KEY, through INTEGER, keep_until REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS facts
        (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an earlier life of this worker left."""

    records: Sequence[Record]
    fences: Sequence[Fence]
    epoch: int


@dataclass(frozen=True, slots=True)
class _Write:
    changes: Sequence[Change]
    durable: "asyncio.Future[None] | None"


class Journal:
    """The one writer of the state directory."""

    def __init__(self, directory: Path, *, pod_uid: str) -> None:
        self.broken = False
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._unwritten: list[Change] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = _only_one(directory)
        self._database = sqlite3.connect(directory / "runs.sqlite3", isolation_level=None, check_same_thread=False)
        try:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
                self._database.execute(f"PRAGMA {pragma}").fetchall()
            self._database.executescript(_SCHEMA)
            self._start_over_for_another_pod(pod_uid)
        except sqlite3.Error as error:
            self._database.close()
            self._lock()
            # Not mended here: a table that forgot its runs would answer "never here" about runs that were.
            raise UsageError(f"The run table in {directory} cannot be opened ({error}). Delete the pod.") from None
        self._thread = threading.Thread(target=self._write_for_ever, name="warmworker-journal", daemon=True)

    def load(self) -> Snapshot:
        """Everything that was durable."""
        with contextlib.closing(self._database.cursor()) as cursor:
            records = [_decode(text) for (text,) in cursor.execute("SELECT record FROM runs")]
            fences = [Fence(*row) for row in cursor.execute("SELECT run_id, through, keep_until FROM fences")]
            epoch = cursor.execute("SELECT value FROM facts WHERE name = 'epoch'").fetchone()
        return Snapshot(records, fences, int(epoch[0]) if epoch else 0)

    def start(self) -> None:
        """Begin to write, for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def write(self, changes: Sequence[Change]) -> None:
        """Returns once the changes survive a crash; JournalBroken when they do not."""
        assert self._loop is not None, "the journal was not started"  # noqa: S101 - a defect, not an input
        durable: asyncio.Future[None] = self._loop.create_future()
        self._queue.put(_Write(changes, durable))
        await durable

    def post(self, changes: Sequence[Change]) -> None:
        """Write soon, after everything written before; a crash before that loses the changes."""
        if changes:
            self._queue.put(_Write(changes, None))

    def close(self) -> None:
        """Write what is left and let go of the directory."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._database.close()
        self._lock()

    def _write_for_ever(self) -> None:
        closing = False
        while not closing:
            batch: list[_Write | None] = []
            with contextlib.suppress(queue.Empty):
                # A broken disk is tried again also when nothing comes: nothing is let in before it works.
                batch.append(self._queue.get(timeout=RETRY_SECONDS if self.broken else None))
                while len(batch) < LONGEST_BATCH:
                    batch.append(self._queue.get_nowait())
            closing = None in batch
            self._write_batch([write for write in batch if write is not None])

    def _write_batch(self, batch: Sequence[_Write]) -> None:
        changes = [*self._unwritten, *(change for write in batch for change in write.changes)]
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for change in changes:
                _apply(self._database, change)
            if self.broken:
                self._database.execute("INSERT OR REPLACE INTO facts VALUES ('probe', ?)", (str(time.time()),))
            # A crash before COMMIT returns leaves nothing of the batch or all of it, and no handler of it was called,
            # no fence of it promised. One after it leaves runs that are Running on disk only: see Worker.start.
            self._database.execute("COMMIT")
            failure = None
            self._unwritten.clear()
        except sqlite3.Error as error:
            failure = JournalBroken(f"The run table cannot be written ({error}). Check the state directory's space.")
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            # Tried again with the next batch: what nobody waits for, and what is known here already and harmless when
            # it was refused (a fence and a term only forbid). A start that could not be written never happened.
            self._unwritten += [
                change
                for write in batch
                for change in write.changes
                if write.durable is None or isinstance(change, Fence | Epoch)
            ]
        if (failure is not None) != self.broken:
            self.broken = failure is not None
            logger.error("%s", failure) if failure else logger.info("the run table can be written again")
        waiting = [write.durable for write in batch if write.durable is not None]
        if waiting and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_tell, waiting, failure)

    def _start_over_for_another_pod(self, pod_uid: str) -> None:
        # A volume that outlives its pod brings the runs of a pod that is gone: they were never this pod's.
        row = self._database.execute("SELECT value FROM facts WHERE name = 'pod'").fetchone()
        if row is not None and row[0] != pod_uid:
            logger.warning("the state directory holds the runs of pod uid %r: starting with none", row[0])
            self._database.executescript("BEGIN; DELETE FROM runs; DELETE FROM fences; DELETE FROM facts; COMMIT;")
        self._database.execute("INSERT OR REPLACE INTO facts VALUES ('pod', ?)", (pod_uid,))


def _tell(waiting: Iterable["asyncio.Future[None]"], failure: JournalBroken | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(JournalBroken(str(failure)))


def _apply(database: sqlite3.Connection, change: Change) -> None:
    match change:
        case Record():
            row = (change.run_id, change.keep_until, _encode(change))
            database.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", row)
        case Fence():
            row_of_fence = (change.run_id, change.through, change.keep_until)
            database.execute("INSERT OR REPLACE INTO fences VALUES (?, ?, ?)", row_of_fence)
        case Epoch(number):
            database.execute("INSERT OR REPLACE INTO facts VALUES ('epoch', ?)", (str(number),))
        case Forget(run_ids):
            database.executemany("DELETE FROM runs WHERE run_id = ?", [(each,) for each in run_ids])
            database.executemany("DELETE FROM fences WHERE run_id = ?", [(each,) for each in run_ids])


def _encode(record: Record) -> str:
    task, callback = record.task, record.callback
    return json.dumps([
        record.run_id, record.attempt, record.epoch, record.state.value, record.trigger, record.scheduled_time,
        record.deadline, (task.namespace, task.name, task.uid), record.handler, record.start_time,
        (callback.url, callback.token) if callback else None, record.finish_time, record.result, record.error,
        record.retry, record.reported, record.weight,
        (record.shard.index, record.shard.total) if record.shard else None,
    ])  # fmt: skip


def _decode(text: str) -> Record:
    row = json.loads(text)
    row[3] = RunState(row[3])
    row[7] = TaskRef(*row[7])
    row[10] = Callback(*row[10]) if row[10] else None
    if len(row) > SHARD and row[SHARD]:  # rows of an earlier version end before it
        row[SHARD] = Shard(*row[SHARD])
    return Record(*row)


def _only_one(directory: Path) -> Callable[[], None]:
    """Hold the directory; the kernel lets go of it however this process ends."""
    file = (directory / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StateDirInUse(f"Another worker uses the state directory {directory}. Give each its own.") from None
    return file.close
