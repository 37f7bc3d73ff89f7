"""A report that takes a while: it tells how far it is, stops when it is told to, and crashes alone if it crashes."""

import time
from typing import Any

from warmworker import Run, task

REGIONS = ["north", "east", "south", "west"]


@task("report")
def report(payload: dict[str, Any], run: Run) -> dict[str, Any]:
    """Longer than the operator waits for an answer: the worker says 202 at once and reports the end later."""
    regions = payload.get("regions", REGIONS)
    sums = {}
    for number, region in enumerate(regions, start=1):
        if run.cancelled:  # its deadline, a newer run that replaces it, or somebody who stopped it
            break
        sums[region] = count(region, payload.get("seconds", 1))
        print(f"{region}: {sums[region]} orders")
        run.progress(number / len(regions), region)
    return {"orders": sums, "day": f"{run.scheduled_time:%Y-%m-%d}"}


def count(region: str, seconds: float) -> int:
    """Stands for a slow query."""
    time.sleep(seconds)
    return sum(region.encode())


@task("render", isolation="process")
def render(payload: dict[str, Any]) -> str:
    """Heavy work gets a process of its own: it takes no time from the other runs, and can be killed."""
    lines = int(payload.get("lines", 1000))
    return f"{sum(len(str(number)) for number in range(lines))} characters"
