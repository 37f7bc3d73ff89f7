"""APScheduler 3.11 as it is used: AsyncIOScheduler, jobs in memory, each posts with aiohttp. Nothing is stored."""

import asyncio
import itertools
import time

import aiohttp
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from benchmarks.peers import command, request


async def _run(ips: list[str], count: int, ticks: list[int]) -> None:
    turns = itertools.cycle(ips)
    due = set(ticks)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=len(ips) * 10)) as session:

        async def job(task: str) -> None:
            tick = int(time.time())
            while tick not in due:
                tick -= 1
            headers = {"content-type": "application/json"}
            url = f"http://{next(turns)}:8080/api/task/execute"
            async with session.post(url, data=request.body(task, tick), headers=headers) as answer:
                await answer.read()

        scheduler = AsyncIOScheduler(timezone="UTC")
        seconds = ",".join(sorted({str(tick % 60) for tick in ticks}))
        minutes = ",".join(sorted({str(tick // 60 % 60) for tick in ticks}))
        for number in range(count):
            trigger = CronTrigger(second=seconds, minute=minutes, timezone="UTC")
            scheduler.add_job(job, trigger, args=[f"task-{number}"], misfire_grace_time=60, max_instances=3)
        scheduler.start()
        await asyncio.sleep(ticks[-1] + 6 - time.time())
        scheduler.shutdown(wait=False)


if __name__ == "__main__":
    command.run(_run)
