"""N tasks that are not due: what a process costs that only knows them, how it starts, and how long it stalls."""

import asyncio
import time
from typing import Any, Final

import aiohttp

from benchmarks import tasks
from benchmarks.api import total
from benchmarks.ledger import percentile
from benchmarks.session import Session

Record = dict[str, Any]
LOOK_SECONDS = 0.01
# Lists as a dashboard asks for them: the first makes a row for each task.
LISTS: Final = ("", "?sort=next", "?q=task-9&page=3", "?flag=NoWorker")


class Stalls:
    """Asks a replica for a sign of life every 10 ms; the longest time to an answer bounds the longest stall."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/livez"
        self.milliseconds: list[float] = []

    async def run(self) -> None:
        """Asks until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                began = time.perf_counter()
                try:
                    async with session.get(self._url) as answer:
                        await answer.read()
                    self.milliseconds.append((time.perf_counter() - began) * 1000)
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(LOOK_SECONDS)

    def take(self) -> Record:
        """The median and the longest since it was asked last."""
        ordered, self.milliseconds = sorted(self.milliseconds), []
        return {"p50_ms": round(percentile(ordered, 0.5), 2), "max_ms": round(ordered[-1], 1) if ordered else None}


async def resident(session: Session, *, count: int) -> Record:
    """Measures one size: first sight with status writes, idle, then a restart beside it."""
    await session.api.namespace("resident")
    await session.fleet.add(session.api, "resident", 2)
    empty = session.start_operator(namespace="warmcron", lease_name="empty")
    await empty.leading(0)
    await asyncio.sleep(3)
    base = empty.child.rss()
    await empty.child.stop()

    names = [f"task-{number}" for number in range(count)]
    # A different minute for each hour of each day, so that schedules are about as distinct as in a real cluster.
    await asyncio.gather(
        *(tasks.create(session.api, "resident", names[part::60], schedule=f"{part} 3 1 1 *") for part in range(60))
    )
    first = session.start_operator()
    cold = await first.leading(count)
    await session.settled(first, seconds=3600)
    writes = total(await first.metrics(), "warmcron_status_writes_total")
    await asyncio.sleep(5)
    idle_from = (first.child.cpu(), time.time())
    await asyncio.sleep(30)
    idle = (first.child.cpu() - idle_from[0]) / (time.time() - idle_from[1])
    rss_first = first.child.rss()
    await first.child.stop()

    # Again, now that every task has a status: as after an upgrade of the operator, with a task that is due soon.
    again = session.start_operator()
    stalls = Stalls(again.port)
    looking = asyncio.create_task(stalls.run())
    synced = await again.until(lambda text: total(text, "warmcron_tasks") >= count, seconds=600)
    leading = await again.leading(count)
    await asyncio.sleep(8)
    sync_stalls = stalls.take()
    rss, cpu = again.child.rss(), again.child.cpu()
    for _ in range(5):
        await again.metrics()
        await asyncio.sleep(0.5)
    scrape_stalls = stalls.take()
    for query in LISTS:
        await again.ask(f"/api/v1/tasks{query}", token=session.plane.token)
        await asyncio.sleep(0.5)
    api_stalls = stalls.take()
    looking.cancel()
    return {
        "count": count,
        "rss_empty_mib": round(base, 1),
        "rss_first_mib": round(rss_first, 1),
        "rss_restart_mib": round(rss, 1),
        "bytes_per_task": round((rss - base) * 2**20 / count),
        "bytes_per_task_first": round((rss_first - base) * 2**20 / count),
        "cold_start_s": round(cold, 2),
        "restart_known_s": round(synced, 2),
        "restart_leading_s": round(synced + leading, 2),
        "restart_cpu_s": round(cpu, 2),
        "restart_stall": sync_stalls,
        "scrape_stall": scrape_stalls,
        "api_stall": api_stalls,
        "rss_after_lists_mib": round(again.child.rss(), 1),
        "first_status_writes": writes,
        "idle_cpu_percent": round(idle * 100, 2),
    }
