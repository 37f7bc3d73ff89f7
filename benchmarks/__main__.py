"""`python -m benchmarks SCENARIO`: runs it in a network of its own and writes one JSON record and one table."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import isolation
from benchmarks.processes import StartError
from benchmarks.scenarios.herd import herd
from benchmarks.session import session


async def _herd(given: argparse.Namespace) -> list[dict[str, Any]]:
    async with session(given.workers, given.keep) as opened:
        replica = opened.start_operator()
        found = []
        for count in given.sizes:
            period = given.period or (20 if count <= 1000 else 120)  # noqa: PLR2004 - what its status writes need
            record = await herd(opened, replica, count=count, rounds=given.rounds, period=period, pods=given.pods)
            print(json.dumps(record))
            found.append(record)
        return found


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 measured, 1 something is wrong with what was measured, 2 it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("scenario", choices=["herd"])
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")], default=[10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--period", type=int, default=0)
    parser.add_argument("--pods", type=int, default=10)
    parser.add_argument("--workers", choices=["sink", "sdk"], default="sink")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args(arguments)
    try:
        isolation.enter()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_herd(given))
    except (isolation.CannotIsolateError, StartError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
