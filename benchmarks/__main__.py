"""`python -m benchmarks SCENARIO`: runs it in a network of its own; writes one JSON record and one page of tables."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks import isolation, machine, report
from benchmarks.peers.cronjob import cronjobs
from benchmarks.processes import StartError
from benchmarks.quick import faults, quick
from benchmarks.scenarios.arithmetic import arithmetic
from benchmarks.scenarios.herd import herd
from benchmarks.scenarios.resident import resident
from benchmarks.scenarios.side import side
from benchmarks.scenarios.steady import spread, sustained
from benchmarks.scenarios.takeover import takeover
from benchmarks.session import session

Record = dict[str, Any]
# Status writes need this long after a herd before the next one can be measured on two cores.
PERIODS: Final = ((1000, 20), (3000, 30), (10_000, 120))
RATES: Final = [100, 200, 400, 800, 1200, 1600]


def period_for(count: int) -> int:
    """Seconds between the herds of one size."""
    return next((period for size, period in PERIODS if count <= size), 600)


async def _herd(given: argparse.Namespace) -> Record:
    rows = []
    async with session(given.workers, given.keep) as opened:
        replica = opened.start_operator()
        for count in given.sizes:
            period = given.period or period_for(count)
            row = await herd(
                opened,
                replica,
                count=count,
                rounds=given.rounds,
                period=period,
                pods=given.pods,
                deliveryPolicy=given.delivery,
            )
            print(json.dumps(row), flush=True)
            rows.append(row)
    return {"herd": rows}


async def _side(given: argparse.Namespace) -> Record:
    found: Record = {"side": [], "side_raw": []}
    for count in given.sizes:
        async with session("sink", given.keep) as opened:
            measured = await side(opened, count=count, blocks=given.blocks, seed=given.seed)
            found["side_raw"].append(measured)
            found["side"] += [{**row, "count": count} for row in measured["rows"]]
            print(report.tables({"side": found["side"]}), flush=True)
    return found


async def _cronjob(given: argparse.Namespace) -> Record:
    rows = []
    for count in given.sizes:
        for tuned in (True, False):  # a control plane each: the second would inherit the first one's Jobs
            async with session("sink", given.keep) as opened:
                rows.append(await cronjobs(opened, count=count, tuned=tuned, minutes=given.minutes))
                print(json.dumps(rows[-1]), flush=True)
    return {"cronjob": rows}


async def _resident(given: argparse.Namespace) -> Record:
    rows = []
    for count in given.sizes:
        async with session("sink", given.keep) as opened:
            rows.append(await resident(opened, count=count))
            print(json.dumps(rows[-1]), flush=True)
    return {"resident": rows}


async def _steady(given: argparse.Namespace) -> Record:
    async with session("sink", given.keep) as opened:
        replica = opened.start_operator()
        spread_row = await spread(opened, replica, count=1000, seconds=60)
        print(json.dumps(spread_row), flush=True)
        return {
            "spread": [spread_row],
            "sustained": await sustained(opened, replica, rates=RATES, seconds=given.seconds),
        }


async def _takeover(given: argparse.Namespace) -> Record:
    rows = []
    async with session(given.workers, given.keep) as opened:
        for number in (signal.SIGTERM, signal.SIGKILL):
            rows.append(await takeover(opened, count=given.sizes[0], kill=number))
            print(json.dumps(rows[-1]), flush=True)
    return {"takeover": rows}


async def _arithmetic(_: argparse.Namespace) -> Record:
    return {"arithmetic": arithmetic()}


async def _quick(given: argparse.Namespace) -> Record:
    return await quick(given.keep)


SCENARIOS: Final = {
    "herd": _herd,
    "side": _side,
    "cronjob": _cronjob,
    "steady": _steady,
    "resident": _resident,
    "takeover": _takeover,
    "arithmetic": _arithmetic,
    "quick": _quick,
}
SIZES: Final = {
    "herd": [10, 100, 1000, 3000, 10_000],
    "side": [100, 1000],
    "cronjob": [100, 1000],
    "resident": [10_000],
    "takeover": [50],
}


async def _everything(given: argparse.Namespace) -> Record:
    found: Record = {}
    for name in ("arithmetic", "herd", "side", "cronjob", "steady", "resident", "takeover"):
        print(f"benchmarks: {name}", file=sys.stderr, flush=True)
        given.sizes = SIZES.get(name, [])
        found |= await SCENARIOS[name](given)
    given.sizes, given.workers = [100, 1000], "sdk"
    found["herd"] += (await _herd(given))["herd"]
    given.workers, given.delivery = "sink", "AtMostOnce"
    found["herd"] += (await _herd(given))["herd"]
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measures warmcron and what is beside it."
    )
    parser.add_argument("scenario", choices=[*SCENARIOS, "all"])
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")], help="numbers of tasks")
    parser.add_argument("--rounds", type=int, default=3, help="herds of each size")
    parser.add_argument("--period", type=int, default=0, help="seconds between them")
    parser.add_argument("--pods", type=int, default=10, help="workers")
    parser.add_argument("--workers", choices=["sink", "sdk"], default="sink", help="bare, or warmworker")
    parser.add_argument("--delivery", choices=["AtLeastOnce", "AtMostOnce"], default="AtLeastOnce")
    parser.add_argument("--blocks", type=int, default=3, help="blocks of each peer, side by side")
    parser.add_argument("--seed", type=int, default=8, help="order of the blocks")
    parser.add_argument("--minutes", type=int, default=2, help="ticks of CronJob")
    parser.add_argument("--seconds", type=int, default=20, help="length of a step of steady")
    parser.add_argument("--keep", type=Path, help="folder in which data and logs stay")
    parser.add_argument("--out", type=Path, default=Path(".cache/bench/latest.json"), help="where the record goes")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 measured, 1 something was lost, doubled or early, 2 it could not be measured."""
    given = _parser().parse_args(arguments)
    given.sizes = given.sizes or SIZES.get(given.scenario, [])
    work = SCENARIOS.get(given.scenario, _everything)
    try:
        isolation.enter()
        record: Record = {"machine": machine.describe()}
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            record |= runner.run(work(given))
    except (isolation.CannotIsolateError, StartError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    record["machine"]["load_average_after"] = machine.load()
    report.write(record, given.out)
    print(report.tables(record))
    wrong = faults(record)
    for fault in wrong:
        print(f"benchmarks: {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
