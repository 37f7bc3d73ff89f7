"""N tasks due in the same second: when do they reach a worker, when is it written, and what did it cost."""

import asyncio
import json
import time
from datetime import datetime
from typing import Any

from benchmarks import ledger, tasks
from benchmarks.api import TASKS, Stamps
from benchmarks.replica import Replica
from benchmarks.session import Session, Used

Record = dict[str, Any]


async def herd(  # noqa: PLR0913 - the parameters of the measurement, each by name
    session: Session,
    replica: Replica,
    *,
    count: int,
    rounds: int,
    period: int,
    pods: int,
    namespace: str = "",
    **spec: Any,
) -> Record:
    """Measures one size."""
    namespace = namespace or f"herd-{count}"
    names = [f"task-{number}" for number in range(count)]
    await session.api.namespace(namespace)
    await session.fleet.add(session.api, namespace, pods)
    first = tasks.soon(12 + count / 40, period=period, count=rounds)
    schedule, ticks = tasks.fixed(first, period=period, count=rounds)
    await tasks.create(session.api, namespace, names, schedule=schedule, **spec)
    await replica.leading(count)
    await session.settled(replica)
    if time.time() > first - 3:
        raise TimeoutError(f"{count} tasks were not settled in time; the machine is too busy")
    idle_from = await session.used()
    stamps = Stamps()
    await stamps.follow(session.api, f"{TASKS}/namespaces/{namespace}/scheduledtasks")
    await asyncio.sleep(first - 0.7 - time.time())
    before = await session.used()
    await asyncio.sleep(ticks[-1] + 2 - time.time())
    await _written(stamps, ticks[-1], count, patience=max(60, count / 50))
    used = await session.used() - before
    await asyncio.sleep(1.0)
    stamps.stop()
    arrivals = ledger.read(session.fleet.ledgers)
    verdict = ledger.judge(arrivals, tasks=names, ticks=ticks)
    return {
        "count": count,
        "rounds": rounds,
        "ticks": ticks,
        "pods": pods,
        "workers": session.fleet.kind,
        "delivery": spec.get("deliveryPolicy", "AtLeastOnce"),
        **summary(verdict, arrivals, ticks),
        **_status(stamps, ticks, count),
        **costs(used, before - idle_from, count * rounds),
        "operator_rss_mib": round(replica.child.rss(), 1),
    }


def summary(verdict: ledger.Verdict, arrivals: list[ledger.Arrival], ticks: list[int]) -> Record:
    """How ticks were served."""
    last = [max((a.at - tick) * 1000 for a in arrivals if a.tick == tick) for tick in ticks if verdict.delays]
    return {
        "expected": verdict.expected,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "early": verdict.early,
        "foreign": verdict.foreign,
        "arrival_p50_ms": _round(ledger.percentile(verdict.delays, 0.5)),
        "arrival_p99_ms": _round(ledger.percentile(verdict.delays, 0.99)),
        "arrival_last_ms": [_round(value) for value in last],
        "round_p99_ms": [
            _round(ledger.percentile(sorted((a.at - tick) * 1000 for a in arrivals if a.tick == tick), 0.99))
            for tick in ticks
        ],
    }


def costs(used: Used, idle: Used, runs: int) -> Record:
    """CPU milliseconds and writes for each run, without what the processes use when nothing is due."""
    idle_share = {name: getattr(idle, name) / idle.at for name in ("operator", "apiserver", "etcd", "workers")}
    net = {
        f"cpu_{name}_ms": round((getattr(used, name) - share * used.at) * 1000 / runs, 3)
        for name, share in idle_share.items()
    }
    return {
        **net,
        "cpu_operator_gross_ms": round(used.operator * 1000 / runs, 3),
        "status_writes_per_run": round(used.status_writes / runs, 3),
        "api_writes_per_run": round(used.api_writes / runs, 3),
        "etcd_puts_per_run": round(used.puts / runs, 3),
        "window_s": round(used.at, 1),
        "others_cpu_share": round(
            (used.machine - used.operator - used.apiserver - used.etcd - used.workers) / used.at, 2
        ),
    }


async def _written(stamps: Stamps, tick: int, count: int, *, patience: float) -> None:
    """Waits until the last round's statuses have been seen."""
    end = time.time() + patience
    while time.time() < end:
        before = len(stamps.lines)
        await asyncio.sleep(2.0)
        if len(stamps.lines) == before and len(_lags(stamps, [tick])) >= count:
            return


def _lags(stamps: Stamps, ticks: list[int]) -> list[float]:
    """Milliseconds from each tick to the moment the watch showed that its run had succeeded, sorted."""
    found: dict[tuple[str, int], float] = {}
    for at, line in stamps.lines:
        seen = json.loads(line)["object"]
        for run in seen.get("status", {}).get("recentRuns", ()):
            tick = int(datetime.fromisoformat(run["scheduledTime"]).timestamp())
            if run["outcome"] == "Succeeded":
                found.setdefault((seen["metadata"]["name"], tick), at)
    return sorted((at - tick) * 1000 for (_, tick), at in found.items() if tick in ticks)


def _status(stamps: Stamps, ticks: list[int], count: int) -> Record:
    lags = _lags(stamps, ticks)
    return {
        "status_p50_ms": _round(ledger.percentile(lags, 0.5)),
        "status_last_ms": _round(lags[-1]) if lags else None,
        "status_missing": count * len(ticks) - len(lags),
    }


def _round(value: float) -> float:
    return round(value, 1)
