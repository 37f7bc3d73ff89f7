"""`python -m benchmarks SCENARIO`: runs it in a network of its own; writes one JSON record and one page of tables."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks import commands, isolation, machine, report
from benchmarks.notebook import Notebook
from benchmarks.quick import faults
from benchmarks.tasks import MINUTE, PAYLOAD

DATABASES: Final = ("sqlite", "postgresql")


def _number(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return int(text)

    return read


def _numbers(text: str) -> list[int]:
    return [_number(1)(part) for part in text.split(",")]


def _period(text: str) -> int:
    found = _number(0)(text)
    if found and MINUTE % found and found % MINUTE:
        raise argparse.ArgumentTypeError(f"{text!r} neither divides a minute nor is whole minutes")
    return found


def _limits(text: str) -> list[str]:
    found = text.split(",")
    if not set(found) <= {"tuned", "default"}:
        raise argparse.ArgumentTypeError(f"{text!r} is neither tuned nor default, nor both with a comma between them")
    return found


def _payload(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object")
    return found


def _databases(text: str) -> list[str]:
    found = text.split(",")
    if not set(found) <= set(DATABASES):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither sqlite nor postgresql, nor both with a comma between them"
        )
    return found


def parser() -> argparse.ArgumentParser:
    """The command line: a scenario, and the options that it has."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures warmcron and what is beside it, on a control plane of its own.",
        epilog="`python -m benchmarks SCENARIO --help` shows a scenario's options. Exit code: 0 measured, 1 something "
        "was lost, doubled, early or written too often, 2 something could not be measured.",
    )
    found.set_defaults(keep=None)
    scenarios = found.add_subparsers(dest="scenario", required=True, metavar="SCENARIO")

    def scenario(name: str, text: str) -> argparse.ArgumentParser:
        added = scenarios.add_parser(
            name, help=text, description=f"{text}.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        out = Path(".cache/bench") / f"{name}.json"
        added.add_argument("--out", type=Path, default=out, help="where the record goes, a row at a time")
        added.add_argument("--keep", type=Path, help="folder in which data and logs stay (they are removed else)")
        return added

    added = scenario("herd", "N tasks due in the same second: when each is at a worker, when it is written, its cost")
    added.add_argument("--sizes", type=_numbers, default=[100, 1000], help="numbers of tasks, with commas")
    added.add_argument(
        "--rounds", type=_number(1), default=3, help="herds of each size; beyond a minute as many as fill it"
    )
    added.add_argument("--period", type=_period, default=0, help="seconds between herds; 0: enough for the size")
    added.add_argument("--pods", type=_number(1), default=10, help="workers")
    added.add_argument("--workers", choices=["sink", "sdk"], default="sink", help="a bare server, or warmworker")
    added.add_argument("--delivery", choices=["AtLeastOnce", "AtMostOnce"], default="AtLeastOnce", help="of the tasks")
    added.add_argument("--payload", type=_payload, default=PAYLOAD, help="of the tasks, a JSON object")
    added.add_argument("--history", choices=["off", "sqlite"], default="off", help="what the operator remembers in")

    added = scenario(
        "side", "the same herd by warmcron and by APScheduler, in shuffled blocks with a floor between them"
    )
    added.add_argument("--sizes", type=_numbers, default=[1000], help="numbers of tasks, with commas")
    added.add_argument("--blocks", type=_number(1), default=3, help="blocks of three herds each")
    added.add_argument("--seed", type=_number(0), default=8, help="of the order of blocks")

    added = scenario("cronjob", "N CronJobs every minute up to their Pods, then N tasks on the same control plane")
    added.add_argument("--sizes", type=_numbers, default=[100, 1000], help="numbers of CronJobs, with commas")
    added.add_argument("--minutes", type=_number(1), default=2, help="ticks of each")
    added.add_argument("--payload", type=_payload, default=PAYLOAD, help="of both, a JSON object")
    added.add_argument(
        "--limits", type=_limits, default=["tuned", "default"], help="CronJob's: default, or tuned (QPS 2000, 50 syncs)"
    )

    added = scenario("steady", "tasks spread over a minute, tasks due every second, and more and more runs a second")
    added.add_argument("--tasks", type=_number(60), default=1000, help="tasks a minute, evenly spread")
    added.add_argument("--frequent", type=_number(1), default=50, help="tasks with @every 1s")
    added.add_argument("--rates", type=_numbers, default=[400, 800, 1600, 2400, 3200], help="runs a second")
    added.add_argument("--seconds", type=_number(5), default=60, help="length of each step")
    added.add_argument("--history", choices=["off", "sqlite"], default="sqlite", help="what the operator remembers in")

    added = scenario("resident", "N tasks that are not due: memory, idle CPU, restart, the longest stall")
    added.add_argument("--sizes", type=_numbers, default=[10_000], help="numbers of tasks, with commas")

    added = scenario("takeover", "the leader stops or is killed under load: the next tick, and what is lost or doubled")
    added.add_argument("--sizes", type=_numbers, default=[50], help="tasks due every second, with commas")
    added.add_argument("--workers", choices=["sink", "sdk"], default="sink", help="a bare server, or warmworker")

    added = scenario(
        "kind", "on the kind cluster: N tasks on warm pods, then N CronJobs up to their running containers"
    )
    added.add_argument("--size", type=_number(1), default=50, help="tasks; a node has room for 110 pods")
    added.add_argument("--rounds", type=_number(1), default=1, help="ticks of each")

    _of_history(
        scenario("history", "a history of many runs: what a second takes in, and the time of each kind of question")
    )

    scenario("arithmetic", "microseconds for a next time, and for the choice of a worker")
    scenario("quick", "only whether anything is lost, doubled or early, in under five minutes")
    scenario("all", "everything but kind, in an hour and a quarter")
    return found


def _of_history(added: argparse.ArgumentParser) -> None:
    added.add_argument("--runs", type=_number(1000), default=1_000_000, help="runs in it")
    added.add_argument("--tasks", type=_number(100), default=10_000, help="tasks that they are of")
    added.add_argument("--days", type=_number(1), default=30, help="over which they are spread")
    added.add_argument("--intake", type=_number(1000), default=20_000, help="runs that it takes in then")
    added.add_argument("--repeats", type=_number(1), default=40, help="how often each question is asked")
    added.add_argument("--databases", type=_databases, default=list(DATABASES), help="sqlite, postgresql or both")


def _options(name: str, **changed: object) -> argparse.Namespace:
    """A scenario's options, as they are unless told otherwise."""
    given = parser().parse_args([name])
    vars(given).update(changed)
    return given


async def _measure(parts: list[tuple[str, argparse.Namespace]], notebook: Notebook) -> None:
    """One part after the other. One that cannot be measured takes nothing from the others."""
    for number, (name, given) in enumerate(parts, 1):
        print(f"benchmarks: {name} ({number} of {len(parts)})", file=sys.stderr, flush=True)
        try:
            await commands.COMMANDS[name](given, notebook)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are still to be measured
            notebook.fail(name, error)


def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0 measured, 1 something was lost, doubled or early, 2 not all could be measured, 130 Ctrl-C."""
    given = parser().parse_args(arguments)
    try:
        if given.scenario not in {"kind", "history"}:  # whose cluster is outside; whose server refuses to be root's
            isolation.enter()
    except isolation.CannotIsolateError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    notebook = Notebook(given.out, machine.describe())
    parts = commands.everything(_options) if given.scenario == "all" else [(given.scenario, given)]
    for _, part in parts:
        part.keep = given.keep
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_measure(parts, notebook))
    except KeyboardInterrupt:
        print(f"benchmarks: stopped; what had been measured is in {given.out}", file=sys.stderr)
        return 130
    wrong = faults(notebook.record)
    notebook.conclude(wrong)
    print(report.tables(notebook.record))
    for failure in notebook.record.get("failures", ()):
        print(f"benchmarks: {failure['scenario']} could not be measured: {failure['error']}", file=sys.stderr)
    for fault in wrong:
        print(f"benchmarks: {fault}", file=sys.stderr)
    return 1 if wrong else 2 if notebook.record.get("failures") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
