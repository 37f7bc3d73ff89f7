"""What an event says of the worker it came from, and what the worker's pod says of the event. Pure."""

from typing import Final

from warmcron.core.events import Event, NoAnswer, Refused, Unreachable, WorkerLost
from warmcron.core.pool import SUSPECT_SECONDS, Worker

# A pod that is still there this long after it was to be gone, and cannot be reached, is on a node that is lost.
NODE_LOST_SECONDS: Final = 5.0
OOM_KILLED: Final = "OOMKilled"


def explain(event: Event, worker: Worker, now: float) -> Event:
    """The event as the pod explains it: what infrastructure did to a worker costs its runs no retry."""
    match event:
        case WorkerLost(_, counted=True) if worker.ended == OOM_KILLED:
            return WorkerLost(OOM_KILLED)
        case Unreachable() if now > worker.gone_after + NODE_LOST_SECONDS:
            return WorkerLost("NodeLost")
    return event


def blame(worker: Worker, event: Event, now: float) -> bool:
    """A worker that refused or gave no answer is left alone for a while; its probe will say what is wrong.

    True if it is one of those.
    """
    match event:
        case Refused(reason, pause) if pause > 0:
            worker.busy_until, worker.busy_reason = now + pause, reason
        case NoAnswer(reason):
            worker.busy_until, worker.busy_reason = now + SUSPECT_SECONDS, reason
        case _:
            return False
    return True
