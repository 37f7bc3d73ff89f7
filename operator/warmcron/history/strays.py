"""Finds runs that the history still shows as going on and nobody follows any more, and says how they ended.

That is what a leader leaves behind that was killed between the end of a run and writing it down.
"""

from collections.abc import Callable
from typing import Final, Protocol

import sqlalchemy as sa

from warmcron.core.tasks import RunRecord
from warmcron.history.database import Database
from warmcron.history.model import RunRow
from warmcron.history.reader import run_row
from warmcron.history.schema import RUNS

# A run that is younger than this may only not have been written yet.
AGE_SECONDS: Final = 120.0
BATCH: Final = 500
LOST: Final = "EndNotRecorded"


class Follower(Protocol):
    """What the engine knows."""

    def follows(self, run_id: str) -> bool | None:
        """Whether that run goes on; None while that is not known."""

    def record(self, task_uid: str, run_id: str) -> RunRecord | None:
        """How the run ended, if its task's status remembers it."""


class Strays:
    """Looks through one database, as often as it is asked to."""

    def __init__(self, database: Database, *, follower: Follower, put: Callable[[RunRow], None]) -> None:
        self._database, self._follower, self._put = database, follower, put

    async def look(self, now: float) -> int:
        """Ends what is not followed; returns how many there were."""
        open_runs = (
            sa.select(RUNS)
            .where(RUNS.c.state.in_(("Pending", "Running")), RUNS.c.scheduled < now - AGE_SECONDS)
            .order_by(RUNS.c.scheduled)
            .limit(BATCH)
        )
        async with self._database.read() as connection:
            rows = [run_row(row) for row in (await connection.execute(open_runs)).mappings()]
        # From here on nothing is waited for: what is not followed now was over when it was read, or is put after us.
        strays = [row for row in rows if self._follower.follows(row.run_id) is False]
        for row in strays:
            self._put(_ended(row, self._follower.record(row.task_uid, row.run_id), now))
        return len(strays)


def _ended(row: RunRow, record: RunRecord | None, now: float) -> RunRow:
    known = {name: getattr(row, name) for name in RunRow.__dataclass_fields__}
    if record is None:
        return RunRow(**known | {"state": "Unknown", "reason": LOST, "finished": now})
    ended = (record.started or float(record.scheduled)) + record.duration
    told = {"state": record.outcome, "reason": record.reason, "attempts": record.attempts, "finished": ended}
    return RunRow(**known | told | {"pod_name": record.pod_name or row.pod_name, "started": record.started})
