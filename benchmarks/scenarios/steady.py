"""Runs spread evenly over time: what they cost, and how many a second before they come late."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from benchmarks import ledger, tasks
from benchmarks.api import total
from benchmarks.replica import Replica
from benchmarks.session import Session

Record = dict[str, Any]
LATE_MS: Final = 1000.0
# A run that no worker has so long after the end of its step is lost.
PATIENCE_SECONDS: Final = 15


async def spread(session: Session, replica: Replica, *, count: int, seconds: int) -> Record:
    """`count` tasks a minute, each once, evenly over its seconds."""
    namespace = f"spread-{count}"
    await session.api.namespace(namespace)
    await session.fleet.add(session.api, namespace, 10)
    names = [f"spread-{number}" for number in range(count)]
    known = set(names)
    for second in range(60):
        part = names[second::60]
        if part:
            await tasks.create(session.api, namespace, part, schedule=f"{second} * * * * *")
    await replica.leading(count)
    await asyncio.sleep(12)
    first = int(time.time()) + 2
    await asyncio.sleep(first - 0.5 - time.time())
    before = await session.used()
    await asyncio.sleep(seconds)
    used = await session.used() - before
    await asyncio.sleep(1.5)
    arrivals = [found for found in ledger.read(session.fleet.ledgers) if found.task in known]
    wanted = [(name, tick) for tick in range(first, first + seconds - 1) for name in names[tick % 60 :: 60]]
    seen = {(found.task, found.tick): found.at for found in arrivals}
    delays = sorted((seen[key] - key[1]) * 1000 for key in wanted if key in seen)
    runs = count * seconds / 60
    await tasks.remove(session.api, namespace)  # or their writes would be counted with those of what follows
    return {
        "count": count,
        "tasks_per_minute": count,
        "seconds": seconds,
        "expected": len(wanted),
        "lost": len(wanted) - len(delays),
        "doubled": len(arrivals) - len({(found.task, found.tick) for found in arrivals}),
        "early": sum(delay < 0 for delay in delays),
        "arrival_p50_ms": round(ledger.percentile(delays, 0.5), 1),
        "arrival_p99_ms": round(ledger.percentile(delays, 0.99), 1),
        "operator_cpu_percent": round(used.operator / used.at * 100, 2),
        "cpu_operator_ms": round(used.operator * 1000 / runs, 3),
        "status_writes_per_run": round(used.status_writes / runs, 3),
    }


async def frequent(session: Session, replica: Replica, *, count: int, seconds: int) -> Record:
    """Tasks with `@every 1s`: what changes within the interval of status writes goes into one."""
    namespace = "frequent"
    await session.api.namespace(namespace)
    await session.fleet.add(session.api, namespace, 2)
    names = [f"frequent-{number}" for number in range(count)]
    await tasks.create(session.api, namespace, names, schedule="@every 1s")
    await replica.leading(count)
    await asyncio.sleep(12)
    before = await session.used()
    first = int(time.time()) + 1
    await asyncio.sleep(first + seconds - time.time())
    used = await session.used() - before
    await asyncio.sleep(1)
    arrivals = [found for found in ledger.read(session.fleet.ledgers) if found.task.startswith("frequent-")]
    verdict = ledger.judge(arrivals, tasks=names, ticks=range(first, first + seconds - 1))
    await tasks.remove(session.api, namespace)
    return {
        "count": count,
        "seconds": seconds,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "early": verdict.early,
        "arrival_p50_ms": round(ledger.percentile(verdict.delays, 0.5), 1),
        "arrival_p99_ms": round(ledger.percentile(verdict.delays, 0.99), 1),
        "operator_cpu_percent": round(used.operator / used.at * 100, 2),
        "status_writes_per_run": round(used.status_writes / (count * used.at), 3),
    }


async def sustained(session: Session, replica: Replica, *, rates: list[int], seconds: int) -> AsyncIterator[Record]:
    """Steps of so many runs a second, from tasks that are due every second, until the p99 passes one second.

    Under Allow, for a tick that finds the run before it still going on must come late in these figures, not be skipped.
    """
    namespace = "sustained"
    await session.api.namespace(namespace)
    await session.fleet.add(session.api, namespace, 10)
    made: list[str] = []
    for rate in rates:
        new = [f"second-{number}" for number in range(len(made), rate)]
        await tasks.create(
            session.api, namespace, new, schedule="* * * * * *", concurrencyPolicy="Allow", historyLimit=1
        )
        made += new
        await replica.leading(rate)
        await asyncio.sleep(6)
        row = await _step(session, replica, made, seconds=seconds)
        yield row
        if row["arrival_p99_ms"] > LATE_MS or row["lost"]:
            return


async def _step(session: Session, replica: Replica, names: list[str], *, seconds: int) -> Record:
    """One rate, held for so many seconds; it goes on while its last runs are waited for."""
    tail = ledger.Tail(session.fleet.ledgers)
    counted, before = await _counted(replica), await session.used()
    first = int(time.time()) + 1
    await asyncio.sleep(first + seconds - time.time())
    used, counts = await session.used() - before, await _counted(replica)
    verdict = await _all_arrived(tail, names, range(first, first + seconds))
    runs = len(names) * used.at
    written, dropped, skipped = (counts[name] - counted[name] for name in ("written", "dropped", "skipped"))
    return {
        "runs_per_second": len(names),
        "seconds": seconds,
        "expected": verdict.expected,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "early": verdict.early,
        "skipped": skipped,
        "arrival_p50_ms": round(ledger.percentile(verdict.delays, 0.5), 1),
        "arrival_p99_ms": round(ledger.percentile(verdict.delays, 0.99), 1),
        "status_writes_per_run": round(used.status_writes / runs, 3),
        "operator_cpu_percent": round(used.operator / used.at * 100, 1),
        "cpu_operator_ms": round(used.operator * 1000 / runs, 3),
        "history_written": written,
        "history_dropped": dropped,
        "history_waiting": counts["waiting"],
        "others_cpu_share": round(
            (used.machine - used.operator - used.apiserver - used.etcd - used.workers) / used.at, 2
        ),
    }


async def _all_arrived(tail: ledger.Tail, names: list[str], ticks: range) -> ledger.Verdict:
    """The verdict, once every run of these ticks has arrived or has had its time to."""
    arrivals: list[ledger.Arrival] = []
    while True:
        await asyncio.sleep(2)
        waited = time.time() - ticks.stop
        arrivals += [found for found in tail.read() if found.tick in ticks]
        verdict = ledger.judge(arrivals, tasks=names, ticks=ticks)
        if not verdict.lost or waited > PATIENCE_SECONDS:
            return verdict


async def _counted(replica: Replica) -> dict[str, int]:
    """What the operator says of itself: rows of the history, and ticks that it did not start."""
    text = await replica.metrics()
    names = {
        "written": "warmcron_history_records_total",
        "dropped": "warmcron_history_dropped_total",
        "waiting": "warmcron_history_outbox_depth",
        "skipped": "warmcron_skipped_ticks_total",
    }
    return {name: round(total(text, series)) for name, series in names.items()}
