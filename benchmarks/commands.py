"""What each scenario does with the options it was given: sessions are opened here, rows go into the notebook."""

import argparse
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final

from benchmarks import quick as short
from benchmarks import tasks
from benchmarks.notebook import Notebook
from benchmarks.peers import cronjob as kubernetes
from benchmarks.replica import Replica
from benchmarks.scenarios import arithmetic as sums
from benchmarks.scenarios import herd as herds
from benchmarks.scenarios import picking
from benchmarks.scenarios import steady as even
from benchmarks.scenarios.resident import resident as at_rest
from benchmarks.scenarios.side import side as side_by_side
from benchmarks.scenarios.takeover import takeover as take_over
from benchmarks.session import Session, session

Given = argparse.Namespace
Command = Callable[[Given, Notebook], Awaitable[None]]
# Status writes need so many seconds after a herd before the next one can be measured on two cores.
PERIODS: Final = ((1000, 20), (3000, 30), (10_000, 120))


def period_for(count: int) -> int:
    """Seconds between the herds of one size."""
    return next((period for size, period in PERIODS if count <= size), 600)


def _operator(opened: Session, history: str) -> Replica:
    """An operator that remembers runs in a file of this session, or nowhere."""
    return opened.start_operator(history_url=f"sqlite:///{opened.folder}/history.db" if history == "sqlite" else "")


async def herd(given: Given, notebook: Notebook) -> None:
    """Herds of each size, one after the other, on one control plane."""
    async with session(given.workers, given.keep) as opened:
        replica = _operator(opened, given.history)
        for count in given.sizes:
            period = given.period or period_for(count)
            row = await herds.herd(
                opened,
                replica,
                count=count,
                rounds=tasks.whole(given.rounds, period),
                period=period,
                pods=given.pods,
                deliveryPolicy=given.delivery,
                payload=given.payload,
            )
            notebook.add("herd", {**row, "history": given.history})


async def side(given: Given, notebook: Notebook) -> None:
    """Warmcron and APScheduler in shuffled blocks."""
    for count in given.sizes:
        async with session("sink", given.keep) as opened:
            measured = await side_by_side(opened, count=count, blocks=given.blocks, seed=given.seed)
            for row in measured.pop("rows"):
                notebook.add("side", {**row, "count": count})
            notebook.add("side_raw", measured)


async def cronjob(given: Given, notebook: Notebook) -> None:
    """CronJob, and warmcron after it on the same control plane."""
    for count in given.sizes:
        for limits in given.limits:  # a control plane each: the second would inherit the first one's Jobs
            async with session("sink", given.keep) as opened:
                theirs = await kubernetes.cronjobs(
                    opened, count=count, tuned=limits == "tuned", minutes=given.minutes, payload=given.payload
                )
                notebook.add("cronjob", theirs)
                period = period_for(count)
                ours = await kubernetes.ours(
                    opened,
                    count=count,
                    rounds=tasks.whole(given.minutes, period),
                    period=period,
                    payload=given.payload,
                )
                notebook.add("cronjob", {**ours, "times_ours": round(theirs["pod_p99_ms"] / ours["pod_p99_ms"], 1)})


async def steady(given: Given, notebook: Notebook) -> None:
    """Tasks spread over a minute, tasks that are due every second, then more and more runs a second."""
    async with session("sink", given.keep) as opened:
        replica = _operator(opened, given.history)

        def add(name: str, row: dict[str, Any]) -> None:
            notebook.add(name, {**row, "history": given.history})

        add("spread", await even.spread(opened, replica, count=given.tasks, seconds=60))
        add("frequent", await even.frequent(opened, replica, count=given.frequent, seconds=20))
        async for row in even.sustained(opened, replica, rates=sorted(given.rates), seconds=given.seconds):
            add("sustained", row)


async def resident(given: Given, notebook: Notebook) -> None:
    """Tasks that are not due."""
    for count in given.sizes:
        async with session("sink", given.keep) as opened:
            notebook.add("resident", await at_rest(opened, count=count))


async def takeover(given: Given, notebook: Notebook) -> None:
    """The leader is told to stop, then another one is killed."""
    async with session(given.workers, given.keep) as opened:
        for count in given.sizes:
            for number in (signal.SIGTERM, signal.SIGKILL):
                notebook.add("takeover", await take_over(opened, count=count, kill=number))


async def arithmetic(_: Given, notebook: Notebook) -> None:
    """Next times, and choices of a worker."""
    for name, measure in (("arithmetic", sums.arithmetic), ("picking", picking.picking)):
        for row in measure():
            notebook.add(name, row)


async def history(given: Given, notebook: Notebook) -> None:
    """Databases with many runs in them: what they take in, and how long each question takes."""
    # SQLAlchemy and what comes with it are 40 MiB, which the other scenarios need not have.
    from benchmarks.scenarios.history import history as pasts  # noqa: PLC0415

    measured = pasts(
        runs=given.runs,
        tasks=given.tasks,
        intake=given.intake,
        repeats=given.repeats,
        kinds=given.databases,
        days=given.days,
    )
    async for name, row in measured:
        notebook.add(name, row)


async def kind(given: Given, notebook: Notebook) -> None:
    """CronJob up to the running container, on the kind cluster."""
    from benchmarks.scenarios.kind import kind as on_kind  # noqa: PLC0415 - the client of the tests is 35 MiB

    for number in (signal.SIGINT, signal.SIGTERM):  # it waits outside the loop, whose own handler it would not hear
        signal.signal(number, signal.default_int_handler)
    on_kind(count=given.size, rounds=given.rounds, keep=given.keep, add=lambda row: notebook.add("kind", row))


async def quick(given: Given, notebook: Notebook) -> None:
    """Only whether anything is lost, doubled or early."""
    async for name, row in short.rows(given.keep):
        notebook.add(name, row)


COMMANDS: Final[dict[str, Command]] = {
    "herd": herd,
    "side": side,
    "cronjob": cronjob,
    "steady": steady,
    "resident": resident,
    "takeover": takeover,
    "arithmetic": arithmetic,
    "history": history,
    "kind": kind,
    "quick": quick,
}


def everything(defaults: Callable[..., Given]) -> list[tuple[str, Given]]:
    """What `all` measures, in 75 minutes on two cores; `defaults` gives a scenario's options from its arguments."""
    parts: list[tuple[str, dict[str, Any]]] = [
        ("arithmetic", {}),
        ("herd", {"sizes": [10, 100, 1000]}),
        ("herd", {"sizes": [3000, 10_000], "rounds": 2}),
        ("herd", {"sizes": [100, 1000], "rounds": 2, "workers": "sdk"}),
        ("herd", {"sizes": [100, 1000], "rounds": 2, "delivery": "AtMostOnce"}),
        ("herd", {"sizes": [1000], "history": "sqlite"}),
        ("side", {"sizes": [1000]}),
        ("cronjob", {"sizes": [100], "limits": ["tuned"]}),
        ("cronjob", {"sizes": [1000]}),
        ("steady", {"rates": [400, 1600, 2400, 3200]}),
        ("takeover", {}),
        ("resident", {}),
        ("history", {}),
    ]
    return [(name, defaults(name, **changed)) for name, changed in parts]
