"""Runs spread evenly over time: what they cost, and how many a second before they come late."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from benchmarks import ledger, tasks
from benchmarks.replica import Replica
from benchmarks.session import Session

Record = dict[str, Any]
LATE_MS: Final = 1000.0


async def spread(session: Session, replica: Replica, *, count: int, seconds: int) -> Record:
    """`count` tasks a minute, each once, evenly over its seconds."""
    namespace = f"spread-{count}"
    await session.api.namespace(namespace)
    await session.fleet.add(session.api, namespace, 10)
    names = [f"spread-{number}" for number in range(count)]
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
    arrivals = [found for found in ledger.read(session.fleet.ledgers) if found.task in set(names)]
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
    arrivals = [found for found in ledger.read(session.fleet.ledgers) if found.task in set(names)]
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
    """Steps of so many runs a second, from tasks that are due every second, until the p99 passes one second."""
    namespace = "sustained"
    await session.api.namespace(namespace)
    await session.fleet.add(session.api, namespace, 10)
    made = 0
    for rate in rates:
        names = [f"second-{number}" for number in range(rate)]
        await tasks.create(
            session.api, namespace, names[made:], schedule="* * * * * *", concurrencyPolicy="Allow", historyLimit=1
        )
        made = rate
        await replica.leading(rate)
        await asyncio.sleep(8)
        before = await session.used()
        first = int(time.time()) + 1
        await asyncio.sleep(first + seconds - time.time())
        used = await session.used() - before
        await asyncio.sleep(2)
        arrivals = [found for found in ledger.read(session.fleet.ledgers) if found.task.startswith("second-")]
        verdict = ledger.judge(arrivals, tasks=names, ticks=range(first, first + seconds - 2))
        p99 = ledger.percentile(verdict.delays, 0.99)
        yield {
            "runs_per_second": rate,
            "seconds": seconds,
            "lost": verdict.lost,
            "doubled": verdict.doubled,
            "early": verdict.early,
            "arrival_p50_ms": round(ledger.percentile(verdict.delays, 0.5), 1),
            "arrival_p99_ms": round(p99, 1),
            "status_writes_per_run": round(used.status_writes / (rate * used.at), 3),
            "operator_cpu_percent": round(used.operator / used.at * 100, 1),
            "cpu_operator_ms": round(used.operator * 1000 / (rate * used.at), 3),
        }
        if p99 > LATE_MS or verdict.lost:
            return
