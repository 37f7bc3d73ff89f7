"""The short run of `make test`: herds on both kinds of worker, both kinds of takeover. Counts gate, time does not."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from benchmarks.scenarios.herd import herd
from benchmarks.scenarios.takeover import takeover
from benchmarks.session import session

Record = dict[str, Any]
WRITES_PER_RUN = 1.05
# Of tasks that are due every second, whose changes of five seconds are written together.
WRITES_PER_FREQUENT_RUN = 0.25


async def rows(keep: Path | None) -> AsyncIterator[tuple[str, Record]]:
    """Two herds on each kind of worker, then the leader stopped and killed."""
    for kind in ("sink", "sdk"):
        async with session(kind, keep) as opened:
            replica = opened.start_operator()
            yield "herd", await herd(opened, replica, count=100, rounds=2, period=15, pods=3)
            await replica.child.stop()
            if kind == "sink":
                for number in (signal.SIGTERM, signal.SIGKILL):
                    yield "takeover", await takeover(opened, count=20, kill=number)


def faults(record: Record) -> list[str]:
    """What must not be, whatever the machine."""
    found = []
    for kind in ("herd", "takeover", "spread", "frequent", "kind"):
        for row in record.get(kind, ()):
            if row.get("peer", "").startswith("CronJob"):
                continue
            name = f"{kind} of {row['count']}" + (f", {row['signal']}" if "signal" in row else "")
            found += [f"{name}: {row[key]} {key}" for key in ("lost", "doubled", "early") if row[key]]
            if row.get("status_missing"):
                found.append(f"{name}: {row['status_missing']} runs are not in a status")
            limit = WRITES_PER_FREQUENT_RUN if kind == "frequent" else WRITES_PER_RUN
            if row.get("delivery") == "AtMostOnce":  # which writes its intent first
                limit *= 2
            if row.get("status_writes_per_run", 0) > limit:
                found.append(f"{name}: {row['status_writes_per_run']} status writes a run, more than {limit}")
    for row in record.get("sustained", ()):  # whose last step is beyond what the machine can do
        name = f"{row['runs_per_second']} runs a second"
        found += [f"{name}: {row[key]} {key}" for key in ("doubled", "early") if row[key]]
    return found
