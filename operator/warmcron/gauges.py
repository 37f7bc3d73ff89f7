"""Brings the gauges up to date from the engine, just before somebody reads them. It changes nothing else."""

from typing import Final

from warmcron.engine import Engine
from warmcron.observe import Metrics

# Tasks that fail are named one by one; when so many do, the number is what matters.
MOST_FAILING: Final = 500


def refresh(metrics: Metrics, engine: Engine, now: float) -> None:
    """All of them. A thousand pools and 100,000 tasks take a few milliseconds."""
    workers = engine.pool.all()
    ready = sum(worker.ready for worker in workers)
    metrics.workers.labels("ready").set(ready)
    metrics.workers.labels("not_ready").set(len(workers) - ready)
    metrics.tasks.set(len(engine.tasks))
    metrics.active.set(len(engine.runner.runs))
    metrics.lag.set(max(now - engine.tasks.next_due(), 0.0) if metrics.leading else 0.0)
    metrics.pool_workers.clear()
    for worker in workers:
        state = "ready" if worker.ready else "not_ready"
        metrics.pool_workers.labels(worker.pool.namespace, worker.pool.name, state).inc()
    metrics.pending.clear()
    for key, count in engine.runner.waiting().items():
        metrics.pending.labels(key.namespace, key.name).set(count)
    _name_failing(metrics, engine)


def _name_failing(metrics: Metrics, engine: Engine) -> None:
    metrics.failing.clear()
    named = 0
    for task in engine.tasks:
        if (failures := task.history.consecutive_failures) and named < MOST_FAILING:
            metrics.failing.labels(task.ref.namespace, task.ref.name).set(failures)
            named += 1
