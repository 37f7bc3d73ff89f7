"""Microseconds for a next time, by kind of schedule, beside croniter and cronsim. No server, one process."""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

from warmcron.core import schedule
from warmcron.spec.task import DaylightSavingPolicy

Record = dict[str, Any]
STEPS: Final = 2000
REPEATS: Final = 7
START: Final = datetime(2026, 11, 24, tzinfo=UTC)
KINDS: Final = {
    "every minute": ("* * * * *", "UTC"),
    "every five minutes": ("*/5 * * * *", "UTC"),
    "daily": ("30 2 * * *", "UTC"),
    "daily in Berlin": ("30 2 * * *", "Europe/Berlin"),
    "weekdays in New York": ("0 9-17 * * 1-5", "America/New_York"),
    "29 February": ("0 0 29 2 *", "UTC"),
}


def arithmetic() -> list[Record]:
    """One row for each kind; every figure is the median of seven series."""
    return [_row(name, text, zone) for name, (text, zone) in KINDS.items()]


def _row(name: str, text: str, zone: str) -> Record:
    parsed = schedule.parse(text, zone=zone, policy=DaylightSavingPolicy.RUN_ONCE, anchor=0, hash_key="a/b")
    local = START.astimezone(ZoneInfo(zone))

    def ours() -> Iterator[object]:
        instant = int(START.timestamp())
        while True:
            instant = parsed.next_after(instant)
            yield instant

    def croniters() -> Iterator[object]:
        found = croniter(text, local)
        while True:
            yield found.get_next(float)

    steps = STEPS if name != "29 February" else 40
    return {
        "schedule": name,
        "text": f"{text} {zone}",
        "warmcron_us": _time(ours, steps),
        "cronsim_us": _time(lambda: CronSim(text, local), steps if name != "29 February" else 8),
        "croniter_us": _time(croniters, steps if name != "29 February" else 8),
    }


def _time(start: Callable[[], Iterator[object]], steps: int) -> float:
    series = []
    for _ in range(REPEATS):
        found = start()
        next(found)
        began = time.process_time()
        for _ in range(steps):
            next(found)
        series.append((time.process_time() - began) * 1e6 / steps)
    return round(statistics.median(series), 1)
