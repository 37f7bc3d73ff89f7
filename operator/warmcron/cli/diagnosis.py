"""What the command line knows of a task and of workers, as `core.diagnosis` asks for it. Pure."""

from collections.abc import Sequence
from random import Random

from warmcron.cli.backend import TaskView, WorkerView
from warmcron.core import diagnosis
from warmcron.core.diagnosis import Finding, Member, Patient, Weight

__all__ = ["Finding", "Weight", "of"]


def of(task: TaskView, workers: Sequence[WorkerView], *, random: Random) -> list[Finding]:
    """Everything that keeps the task from running, and what does not."""
    last = task.recent[0] if task.recent else {}
    patient = Patient(
        namespace=task.namespace,
        name=task.name,
        pool=task.pool,
        handler=task.handler,
        routing=task.routing,
        concurrency=task.concurrency,
        schedule=task.schedule,
        zone=task.time_zone,
        accepted=task.ready != "False",
        reason=task.reason,
        message=task.message,
        suspended=task.suspended,
        held=task.reason == "SuspendedAfterFailures" or "Held" in task.reason,
        failures=task.failures,
        next=task.next,
        active=task.active,
        last=(str(last.get("outcome") or ""), str(last.get("reason") or "")),
        seen=task.seen,
    )
    members = [
        Member(
            pool=worker.pool,
            name=worker.name,
            uid=worker.uid,
            ready=worker.state in ("Ready", "Busy"),
            reason=worker.reason,
            runs=worker.runs,
            capacity=worker.capacity,
            handlers=worker.handlers,
        )
        for worker in workers
        if worker.namespace == task.namespace
    ]
    return diagnosis.of(patient, members, random=random)
