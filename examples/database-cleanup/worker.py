"""Deletes what is older than it should be, in small batches, so that the table stays usable meanwhile.

SQLite stands for your database here; with another one, change `connect` and nothing else.
"""

import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from warmworker import Reject, Run, task

DATABASE = os.environ.get("DATABASE") or str(Path(tempfile.gettempdir()) / "warmcron-example.db")
BATCH = 500


def connect() -> sqlite3.Connection:
    found = sqlite3.connect(DATABASE, timeout=30)
    found.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, created REAL NOT NULL, text TEXT)")
    return found


@task("cleanup")
def cleanup(payload: dict[str, Any], run: Run) -> dict[str, int]:
    """Counts from the tick and not from the clock: a retry deletes what the first attempt would have, and no more."""
    days = payload.get("keepDays")
    if not isinstance(days, int) or days < 1:
        raise Reject("payload.keepDays must be a whole number of days, at least 1")
    before = (run.scheduled_time - timedelta(days=days)).timestamp()
    deleted = 0
    with closing(connect()) as database:
        (total,) = database.execute("SELECT count(*) FROM events WHERE created < ?", (before,)).fetchone()
        while not run.cancelled:
            with database:  # one transaction a batch: nobody waits for long
                gone = database.execute(
                    "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE created < ? LIMIT ?)", (before, BATCH)
                ).rowcount
            if not gone:
                break
            deleted += gone
            run.progress(min(deleted / total, 1.0), f"{deleted} of {total} rows")
    print(f"deleted {deleted} rows older than {days} days")
    return {"deleted": deleted}


@task("record")
def record(payload: dict[str, Any], run: Run) -> None:
    """Stands for the application that fills the table. The run id as the key makes a retry harmless."""
    age = timedelta(days=payload.get("ageDays", 0))
    rows = [((run.scheduled_time - age).timestamp(), f"{run.run_id}/{number}") for number in range(100)]
    with closing(connect()) as database, database:
        if not database.execute("SELECT 1 FROM events WHERE text = ?", (rows[0][1],)).fetchone():
            database.executemany("INSERT INTO events (created, text) VALUES (?, ?)", rows)
