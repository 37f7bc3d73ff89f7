"""Which workers a run may go to now, and when it is worth looking again if there are none. It sends nothing."""

from warmcron.core import runs
from warmcron.core.pool import NoWorker, Picked, Pool, Worker
from warmcron.spec.task import RoutingPolicy


def choose(pool: Pool, run: runs.Run, now: float) -> Picked | NoWorker | list[Worker]:
    """The worker that gets the run; all of them for a broadcast; its own for a shard."""
    spec = run.spec
    if run.shard:
        return pool.pick_one(run.shard.pod_uid, handler=spec.handler, now=now)
    if spec.routing is RoutingPolicy.BROADCAST:
        return pool.everybody(spec.pool, handler=spec.handler)
    return pool.pick(
        spec.pool,
        routing=spec.routing,
        routing_key=spec.routing_key or f"{run.task.namespace}/{run.task.name}",
        handler=spec.handler,
        avoid=frozenset(run.tried),
        now=now,
    )


def look_again(pool: Pool, run: runs.Run, now: float) -> float:
    """When something changes that nobody tells of: a worker's pause is over, or it is too late to start."""
    until = [pool.next_rested(run.spec.pool, now)]
    if run.started is None and run.spec.starting_deadline is not None:
        until.append(run.scheduled + run.spec.starting_deadline + 0.001)
    return min(until)
