"""Why a task does not run, from what is known of it and of the workers: questions in the operator's own order. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from warmcron.cli.backend import TaskView, WorkerView
from warmcron.core.pool import DEFAULT_CONCURRENCY, Address, NoWorker, Picked, Pool, Worker
from warmcron.core.tasks import PoolKey
from warmcron.spec.task import POOL_LABEL, RoutingPolicy


class Weight(StrEnum):
    """What a finding means for the task's next run."""

    FINE = "ok"
    NOTE = "--"
    STOPS = "!!"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer."""

    weight: Weight
    text: str


def of(task: TaskView, workers: Sequence[WorkerView], *, random: Random) -> list[Finding]:
    """Everything that keeps the task from running, and what does not."""
    return [*_task(task), *_workers(task, workers, random)]


def _task(task: TaskView) -> Iterator[Finding]:
    if not task.seen:
        yield Finding(
            Weight.STOPS,
            "the operator has not seen this task as it is now: is it running, and may it see the namespace?",
        )
    if task.ready == "False":
        yield Finding(Weight.STOPS, f"not accepted: {task.reason}: {task.message}")
    elif task.suspended:
        yield Finding(Weight.STOPS, f"suspended: `warmcron resume {task.name}` lets it go on")
    elif task.reason == "SuspendedAfterFailures" or "Held" in task.reason:
        yield Finding(
            Weight.STOPS, f"stopped after {task.failures} failed runs in a row: an edit of the task lets it go on"
        )
    elif task.next:
        yield Finding(Weight.FINE, f"scheduled: {task.schedule} ({task.time_zone}), next at {task.next}")
    else:
        yield Finding(Weight.NOTE if not task.seen else Weight.STOPS, "no next tick is known")
    if task.active:
        held = {"Forbid": "ticks are skipped meanwhile", "Queue": "ticks wait meanwhile"}.get(task.concurrency)
        text = f"{len(task.active)} run(s) go on: {', '.join(task.active)}"
        yield Finding(Weight.STOPS if held else Weight.NOTE, f"{text}; {held}" if held else text)
    if task.recent and task.recent[0].get("outcome") not in ("Succeeded", None):
        last = task.recent[0]
        yield Finding(Weight.NOTE, f"the last run was {last['outcome']}: {last.get('reason') or 'no reason given'}")


def _workers(task: TaskView, workers: Sequence[WorkerView], random: Random) -> Iterator[Finding]:
    """The operator's own choice among the workers, with why it passed over each of the others."""
    pool, key = Pool(random), PoolKey(task.namespace, task.pool)
    members = [worker for worker in workers if worker.pool == task.pool and worker.namespace == task.namespace]
    if not members:
        yield Finding(Weight.STOPS, f"no pod in namespace {task.namespace} has the label {POOL_LABEL}={task.pool}")
        others = sorted({worker.pool for worker in workers})
        if others:
            yield Finding(Weight.NOTE, f"pools that have pods here: {', '.join(others)}")
        return
    for worker in members:
        pool.put(_worker(worker, key))
    routing = RoutingPolicy(task.routing) if task.routing in [*RoutingPolicy] else RoutingPolicy.LEAST_LOADED
    if routing is RoutingPolicy.BROADCAST:
        routing = RoutingPolicy.LEAST_LOADED
    choice = pool.pick(key, routing=routing, routing_key=task.name, handler=task.handler, avoid=frozenset(), now=0.0)
    match choice:
        case Picked():
            able = sum(1 for member in members if not _why_not(member, task.handler))
            yield Finding(Weight.FINE, f"{able} of {len(members)} workers of pool {task.pool} can take it")
        case NoWorker(reason=reason):
            yield Finding(Weight.STOPS, f"no worker of pool {task.pool} can take it: {reason}")
    for member in members:
        if why := _why_not(member, task.handler):
            yield Finding(Weight.NOTE, f"{member.name} is passed over: {why}")


def _worker(view: WorkerView, key: PoolKey) -> Worker:
    worker = Worker(view.uid, view.name, key, Address("", 0), ready=view.state in ("Ready", "Busy"), reason=view.reason)
    worker.handlers = None if view.handlers is None else frozenset(view.handlers)
    worker.heard, worker.concurrency = True, view.capacity or DEFAULT_CONCURRENCY
    worker.runs = {str(number) for number in range(view.runs or 0)}
    return worker


def _why_not(view: WorkerView, handler: str) -> str:
    if view.state not in ("Ready", "Busy"):
        return f"not ready: {view.reason}" if view.reason else "not ready"
    if view.handlers is not None and handler not in view.handlers:
        return f"it has no handler {handler!r}; it has {', '.join(sorted(view.handlers)) or 'none'}"
    if view.runs is not None and view.capacity and view.runs >= view.capacity:
        return f"full: {view.runs} of {view.capacity} runs"
    return ""
