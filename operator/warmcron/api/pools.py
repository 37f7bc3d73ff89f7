"""The routes for pools: their workers, and the demand by which something else scales them."""

from typing import Annotated, Final

from fastapi import APIRouter, Query

from warmcron.api import documents, problems
from warmcron.api.admission import Asking
from warmcron.api.selecting import PodSelector, requirements
from warmcron.api.sources import Sources
from warmcron.core.selector import holds

# As far ahead as a cluster needs to start nodes and pods.
LONGEST_AHEAD: Final = 3600
AHEAD: Final = 60


def routes(sources: Sources) -> APIRouter:
    """All of them."""
    router = APIRouter(tags=["pools"])

    @router.get("/workers")
    async def list_workers(
        who: Asking,
        namespace: Annotated[list[str] | None, Query()] = None,
        selector: PodSelector = "",
    ) -> documents.Workers:
        """All workers."""
        wanted = requirements(selector)
        rows = await sources.live.workers(who.within(namespace or []))
        rows = sorted(rows, key=lambda row: (row.namespace, row.pool, row.name))
        rows = [row for row in rows if holds(wanted, dict(row.labels))]
        return documents.Workers(items=[documents.Worker.of(row) for row in rows])

    @router.get("/pools/{namespace}/{pool}/demand")
    async def get_demand(
        who: Asking,
        namespace: str,
        pool: str,
        within: Annotated[int, Query(ge=0, le=LONGEST_AHEAD, description="How many seconds to look ahead.")] = AHEAD,
    ) -> documents.Demand:
        """How many runs the pool has to do with: for KEDA's `metrics-api` scaler, which reads the number `demand`.

        A pool without tasks and workers has none. While nobody leads this is 503, never a number that is too small.
        """
        if not who.sees(namespace):
            raise problems.missing(f"pool {namespace}/{pool}")
        found = await sources.live.demand(namespace, pool, within=within)
        if found is None:
            raise problems.Problem(503, "no-leader", "no replica leads, or it is still taking over", again=1)
        return documents.Demand.of(found, within=within)

    return router
