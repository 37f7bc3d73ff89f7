"""A worker with the SDK: `warmworker serve worker` runs these handlers when they are due."""

import asyncio

from warmworker import Reject, Run, current_run, task


@task("report")
def report(payload: dict[str, str], run: Run) -> dict[str, object]:
    """A plain function: it runs in a thread. Whatever must not happen twice is keyed by the run id."""
    if "region" not in payload:
        raise Reject("payload.region is missing. Add it to the task.")  # wrong input: no retry would help
    print(f"counting {payload['region']} for {run.scheduled_time:%H:%M:%S}")
    return {"region": payload["region"], "rows": len(payload["region"]), "key": run.run_id}


@task("crawl")
async def crawl(payload: dict[str, int]) -> dict[str, int]:
    """An async function: it runs on the event loop and is cancelled at its deadline."""
    pages = payload.get("pages", 5)
    for page in range(1, pages + 1):
        await asyncio.sleep(1)
        current_run().log.info("page %d of %d", page, pages)
        current_run().progress(page / pages)
    return {"pages": pages}


@task("convert", isolation="process")
def convert(payload: dict[str, str]) -> str:
    """A process of its own: a crash in a C library costs this run and nothing else."""
    return payload.get("text", "").upper()
