"""The short run of `make test`: herds on both kinds of worker, both kinds of takeover. Counts gate, time does not."""

import signal
from pathlib import Path
from typing import Any

from benchmarks.scenarios.herd import herd
from benchmarks.scenarios.takeover import takeover
from benchmarks.session import session

Record = dict[str, Any]
WRITES_PER_RUN = 1.05


async def quick(keep: Path | None) -> Record:
    """Two herds on each kind of worker, then the leader killed and stopped."""
    found: Record = {"herd": [], "takeover": []}
    for kind in ("sink", "sdk"):
        async with session(kind, keep and keep / kind) as opened:
            replica = opened.start_operator()
            found["herd"].append(await herd(opened, replica, count=100, rounds=2, period=15, pods=3))
            await replica.child.stop()
            if kind == "sink":
                for number in (signal.SIGTERM, signal.SIGKILL):
                    found["takeover"].append(await takeover(opened, count=20, kill=number))
    found["faults"] = faults(found)
    return found


def faults(record: Record) -> list[str]:
    """What must not be, whatever the machine."""
    found = []
    for row in [*record.get("herd", ()), *record.get("takeover", ())]:
        name = f"herd of {row['count']}" if "workers" in row else f"takeover by {row['signal']}"
        found += [f"{name}: {row[key]} {key}" for key in ("lost", "doubled", "early") if row[key]]
        if row.get("status_missing"):
            found.append(f"{name}: {row['status_missing']} runs are not in a status")
        limit = WRITES_PER_RUN * (2 if row.get("delivery") == "AtMostOnce" else 1)  # which writes its intent first
        if row.get("status_writes_per_run", 0) > limit:
            found.append(f"{name}: {row['status_writes_per_run']} status writes a run, more than {limit}")
    return found
