"""What an order is about: tasks or runs that were named, or every task that a search finds. It orders nothing."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from warmcron.web import catalog
from warmcron.web.runs import is_run_id
from warmcron.web.search import search, wanted
from warmcron.web.site import Site, Visit
from warmcron.web.sources import Order, TaskRow

NAMED_AT_ONCE = 200
OF_RUNS = (Order.CANCEL, Order.RETRY)


@dataclass(frozen=True, slots=True)
class Target:
    """A task, or a run of it."""

    namespace: str
    name: str
    run_id: str = ""

    @property
    def value(self) -> str:
        """As a form sends it."""
        return self.run_id or f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of one order.

    Attributes:
        searched: the search that found them, as a form sends it again; empty for what was named.
        digest: of what a search found: the same only for the very same objects.
    """

    targets: tuple[Target, ...]
    searched: dict[str, str]
    digest: str = ""


async def selected(site: Site, visit: Visit, order: Order, asked: QueryParams) -> Selection:
    """The objects that a form means, of those that are there and may be seen."""
    if asked.get("every") and order not in OF_RUNS:
        rows = await catalog.every(await site.live.tasks(visit.scope), wanted(asked))
        # In a thread: ten thousand names take 20 ms, and the event loop also sends runs to workers.
        return await asyncio.to_thread(_found, rows, search(asked))
    return Selection(tuple(await _named(site, visit, order, asked.getlist("on"))), {})


def _found(rows: Sequence[TaskRow], searched: dict[str, str]) -> Selection:
    targets = tuple(Target(row.namespace, row.name) for row in rows)
    digest = hashlib.sha256("\n".join(target.value for target in targets).encode()).hexdigest()[:32]
    return Selection(targets, searched, digest)


async def _named(site: Site, visit: Visit, order: Order, values: Sequence[str]) -> list[Target]:
    found = []
    for value in dict.fromkeys(values[:NAMED_AT_ONCE]):
        if order in OF_RUNS:
            target = await _run(site, order, value)
        else:
            namespace, _, name = value.partition("/")
            task = await site.live.task(namespace, name)
            target = Target(namespace, name) if task else None
        if target and visit.sees(target.namespace):
            found.append(target)
    return found


async def _run(site: Site, order: Order, run_id: str) -> Target | None:
    if not is_run_id(run_id):
        return None
    # What goes on can be stopped also while no history answers.
    if order is Order.CANCEL and (holder := await site.live.holder(run_id)):
        return Target(*holder, run_id)
    run = await site.reader.run(run_id)
    return Target(run.namespace, run.task, run_id) if run else None
