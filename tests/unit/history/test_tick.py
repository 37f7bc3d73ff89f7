"""The row that says what became of a tick: its own, or the one of the ticks that were skipped together."""

from dataclasses import replace

import pytest

from fakes.web import NOW, FakeHistory, plan, run_row, task_row
from warmcron.core.decide import COUNTED
from warmcron.history import tick as ticks

MINUTE = 60
LAST = int(NOW) // MINUTE * MINUTE  # a tick of every minute
TASK = task_row("shop", "stock-sync", plan=plan("* * * * *", "UTC", "shop/stock-sync"))


def history(*, skipped: int, reason: str = "Missed", state: str = "Skipped") -> FakeHistory:
    """One row for so many ticks up to LAST, after a manual run, and a run of a minute later."""
    found = FakeHistory()
    row = run_row(TASK, LAST, state=state, reason=reason, attempts=0, started=None, finished=NOW)
    found.add(replace(row, skipped_ticks=skipped))
    found.add(run_row(TASK, LAST + MINUTE))
    found.add(run_row(TASK, LAST - 90, run_id="00000000-0000-4000-8000-000000000001", trigger="Manual"))
    return found


@pytest.mark.parametrize(
    ("tick", "skipped", "state", "expected"),
    [
        (LAST, 5, "Skipped", LAST),  # the row's own tick
        (LAST - MINUTE, 5, "Skipped", LAST),  # one of the others
        (LAST - 4 * MINUTE, 5, "Skipped", LAST),  # the first of them
        (LAST - 5 * MINUTE, 5, "Skipped", None),  # before all of them
        (LAST - 4 * MINUTE + 1, 5, "Skipped", None),  # no tick at all
        (LAST - MINUTE, 1, "Skipped", None),  # a row for one tick says nothing of another
        (LAST - MINUTE, 5, "Succeeded", None),  # only what was skipped stands for several
        (LAST + MINUTE, 5, "Skipped", LAST + MINUTE),  # a run of its own
        (LAST + 2 * MINUTE, 5, "Skipped", None),  # not yet
        # a row that says "at least so many" stands for what came before as well
        (LAST - 3 * COUNTED * MINUTE, COUNTED, "Skipped", LAST),
        (-62_135_596_800, 5, "Skipped", None),  # the first second of the first year
        (253_402_300_799, 5, "Skipped", None),  # the last second of 9999
    ],
)
async def test_a_tick_is_told_by_the_row_that_stands_for_it(
    tick: int, skipped: int, state: str, expected: int | None
) -> None:
    reader = history(skipped=skipped, state=state)
    found = await ticks.row_of(reader, task_uid=TASK.uid, plan=TASK.plan, tick=tick)
    assert (found.scheduled if found else None) == expected


async def test_a_task_without_a_schedule_still_has_the_runs_that_it_had() -> None:
    reader = history(skipped=5)
    found = await ticks.row_of(reader, task_uid=TASK.uid, plan=None, tick=LAST)
    assert found
    assert found.scheduled == LAST
    assert await ticks.row_of(reader, task_uid=TASK.uid, plan=None, tick=LAST - MINUTE) is None
