"""Side by side: warmcron, APScheduler and the floor in shuffled blocks of one run, on one control plane."""

import asyncio
import statistics
import sys
import time
from random import Random
from typing import Any, Final

from benchmarks import ledger, processes, tasks
from benchmarks.fleet import Pod
from benchmarks.scenarios.herd import herd
from benchmarks.session import Session

Record = dict[str, Any]
ROUNDS: Final = 3
PERIOD: Final = 20
# A block whose neighbouring floors differ by more than this says more of the machine than of what it measured.
NOISE: Final = 2.0


async def side(session: Session, *, count: int, blocks: int, seed: int) -> Record:
    """Blocks of three herds each, with a floor block between any two; figures are medians of the blocks."""
    replica = session.start_operator()
    await replica.leading(0)
    await session.api.namespace("peers")
    pods = await session.fleet.add(session.api, "peers", 10)
    order = ["warmcron", "APScheduler 3.11"] * blocks
    Random(seed).shuffle(order)  # noqa: S311 - an order that can be repeated, not a secret
    floors = [await _external(session, "floor", pods, count=count, rounds=2)]
    found: dict[str, list[Record]] = {name: [] for name in order}
    for number, name in enumerate(order):
        if name == "warmcron":
            record = await herd(
                session, replica, count=count, rounds=ROUNDS, period=PERIOD, pods=10, namespace=f"side-{number}"
            )
        else:
            record = await _external(session, "apscheduler_peer", pods, count=count, rounds=ROUNDS)
        floors.append(await _external(session, "floor", pods, count=count, rounds=2))
        around = [floor["arrival_p99_ms"] for floor in floors[-2:]]
        record["floor_ratio"] = round(record["arrival_p99_ms"] / statistics.mean(around), 2)
        record["noisy"] = max(around) > NOISE * min(around)
        found[name].append(record)
    await replica.child.stop()
    rows = [_row(name, records) for name, records in found.items()]
    rows.append(_row("floor: bare client, nothing stored", floors))
    return {
        "count": count,
        "blocks": blocks,
        "order": order,
        "seed": seed,
        "rows": rows,
        "raw": found,
        "floors": floors,
    }


async def _external(session: Session, module: str, pods: list[Pod], *, count: int, rounds: int) -> Record:
    period = PERIOD if module != "floor" else 5
    first = tasks.soon(6 + count / 500, period=period, count=rounds)
    _, ticks = tasks.fixed(first, period=period, count=rounds)
    ips = ",".join(pod.ip for pod in pods)
    command = [sys.executable, "-m", f"benchmarks.peers.{module}", "--ips", ips, "--count", str(count)]
    child = processes.start(module, [*command, "--ticks", ",".join(map(str, ticks))], logs=session.plane.logs)
    await asyncio.sleep(max(first - 0.7 - time.time(), 0))
    began = child.cpu()
    spent = began
    while child.alive():
        await asyncio.sleep(0.2)
        if child.alive():
            spent = child.cpu()
    await asyncio.sleep(0.8)
    names = [f"task-{number}" for number in range(count)]
    arrivals = [found for found in ledger.read([session.fleet.folder / "ledger-peers.jsonl"]) if found.tick in ticks]
    verdict = ledger.judge(arrivals, tasks=names, ticks=ticks)
    return {
        "count": count,
        "ticks": ticks,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "early": verdict.early,
        "arrival_p50_ms": round(ledger.percentile(verdict.delays, 0.5), 1),
        "arrival_p99_ms": round(ledger.percentile(verdict.delays, 0.99), 1),
        "arrival_last_ms": [round(max((a.at - t) * 1000 for a in arrivals if a.tick == t), 1) for t in ticks],
        "cpu_operator_ms": round((spent - began) * 1000 / (count * rounds), 3),
    }


def _row(name: str, records: list[Record]) -> Record:
    quiet = [record for record in records if not record.get("noisy")]
    used = quiet or records
    return {
        "peer": name,
        "blocks": len(records),
        "noisy": len(records) - len(quiet),
        "inconclusive": not quiet,
        **{key: sum(record[key] for record in records) for key in ("lost", "doubled", "early")},
        **{
            key: round(statistics.median(record[key] for record in used), 3)
            for key in ("arrival_p50_ms", "arrival_p99_ms", "cpu_operator_ms", "floor_ratio")
            if all(key in record for record in used)
        },
    }
