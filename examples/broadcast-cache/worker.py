"""Two ways to use a broadcast: everybody does the same for themselves, or everybody does a part of one job."""

import os
from typing import Any

from warmworker import Run, task

PRICES: dict[str, int] = {}
SHOPS = [f"shop-{number}" for number in range(10)]


def load() -> dict[str, int]:
    """Stands for the database that the cache is filled from."""
    return {f"article-{number}": number * 10 for number in range(1000)}


@task("refresh")
def refresh() -> dict[str, Any]:
    """Every ready worker renews what it holds in its own memory."""
    PRICES.clear()
    PRICES.update(load())
    return {"worker": os.environ.get("POD_NAME", ""), "prices": len(PRICES)}


@task("settle")
def settle(payload: dict[str, Any], run: Run) -> dict[str, Any]:
    """Each worker takes its share: `shard` says which part of how many it is."""
    index, total = (run.shard.index, run.shard.total) if run.shard else (0, 1)
    mine = payload.get("shops", SHOPS)[index::total]
    print(f"part {index + 1} of {total}: {', '.join(mine)}")
    return {"shops": mine}
