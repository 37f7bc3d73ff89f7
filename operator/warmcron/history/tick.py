"""Which row says what became of a tick: its own, or that of the ticks that it was skipped with. It writes nothing."""

from warmcron.core.decide import COUNTED, latest_ticks
from warmcron.core.schedule import Schedule
from warmcron.core.tasks import tick_run_id
from warmcron.history.model import Reader, RunRow


async def row_of(reader: Reader, *, task_uid: str, plan: Schedule | None, tick: int) -> RunRow | None:
    """The row; None if there is none, and for what is no tick of the schedule as it is now.

    Ticks that nobody was there for are skipped together: one row at the last of them stands for all.
    """
    own = await reader.run(tick_run_id(task_uid, tick))
    if own is not None or plan is None or tick <= 0:
        return own
    later = await reader.first_from(task_uid, tick)
    return later if later is not None and _stands_for(later, plan, tick) else None


def _stands_for(row: RunRow, plan: Schedule, tick: int) -> bool:
    if row.state != "Skipped" or plan.next_after(tick - 1) != tick:
        return False
    _, ticks = latest_ticks(plan, after=tick - 1, until=int(row.scheduled), count=1)
    return ticks <= row.skipped_ticks or row.skipped_ticks >= COUNTED  # from there on a row counts "at least"
