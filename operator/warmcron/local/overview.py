"""The engine's tasks and workers as the live view shows them. It reads and changes nothing."""

from collections.abc import Iterable, Mapping, Sequence

from warmcron.core import standing
from warmcron.core.tasks import Task
from warmcron.engine import Engine
from warmcron.local.manifests import Manifest
from warmcron.local.view import Shown, TaskLine, WorkerLine


def of(
    engine: Engine,
    *,
    title: str,
    faults: Sequence[str],
    lines: Iterable[tuple[str, str]],
    now: float,
    declared: Mapping[str, Manifest],
) -> Shown:
    """All of it, at this moment."""
    tasks = sorted(engine.tasks, key=lambda task: (task.ref.namespace, task.ref.name))
    workers = sorted(engine.pool.all(), key=lambda worker: worker.name)
    return Shown(
        title=title,
        tasks=[_task(engine, task, now, declared) for task in tasks],
        workers=[
            WorkerLine(
                name=worker.name,
                state="ready" if worker.ready else worker.reason or standing.NOT_READY,
                runs=len(worker.runs),
            )
            for worker in workers
        ],
        faults=faults,
        lines=lines,
    )


def _task(engine: Engine, task: Task, now: float, declared: Mapping[str, Manifest]) -> TaskLine:
    ref, history = task.ref, task.history
    key = f"{ref.namespace}/{ref.name}"
    last = history.recent[0] if history.recent else None
    return TaskLine(
        name=ref.name if ref.namespace == "default" else key,
        schedule=str(declared[key].spec["schedule"]) if key in declared else "",
        next_in=task.next_tick - now if task.next_tick is not None else None,
        active=[_run(engine, run_id) for run_id in sorted(task.active)],
        last=last.outcome if last else "",
        last_reason=last.reason if last else "",
        succeeded=history.succeeded,
        failed=history.failed,
        skipped=history.skipped,
        note="suspended" if task.spec and task.spec.suspend else "",
    )


def _run(engine: Engine, run_id: str) -> str:
    run = engine.runner.runs.get(run_id)
    if run is None:
        return "…"
    where = run.pod_name or f"waits: {run.reason}" if run.reason else run.pod_name or "waits"
    return f"{where} ({run.attempt})" if run.attempt > 1 else where
