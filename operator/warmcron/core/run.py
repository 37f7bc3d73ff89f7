"""One run as it stands, and which events mean something in which state. What they mean is said in `core.runs`."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from warmcron.core import events
from warmcron.core.tasks import NEVER, Shard, TaskRef, TaskSpec
from warmcron.spec.task import DeliveryPolicy, NoWorkerPolicy

if TYPE_CHECKING:
    from warmcron.core.shards import Parts


class State(StrEnum):
    """Where a run is."""

    PENDING = "Pending"  # to be sent, now or at `wake`
    INTENDED = "Intended"  # its worker is being written down; nothing has been sent (AtMostOnce only)
    SENT = "Sent"  # a request is on its way
    RUNNING = "Running"  # a worker has it
    DOUBTFUL = "Doubtful"  # a request was sent and nobody knows what became of it
    CANCELLING = "Cancelling"  # its worker has been told to stop
    ENDED = "Ended"


class Attempt(NamedTuple):
    """One request to one worker: what every answer, and every later word of the worker, is about."""

    run_id: str
    number: int
    pod_uid: str


@dataclass(slots=True)
class Run:
    """One run, or one worker's shard of a run that every worker gets.

    Attributes:
        attempt: number of the request that is out or comes next; counts from 1.
        failures: attempts that failed and count against `backoffLimit`.
        losses: attempts lost with their worker, which do not.
        held: the worker has said that it has the attempt, so it can be told to stop.
        wake: when to look at it again (epoch seconds).
        deadline: when the whole run ends, whatever happens.
        attempt_deadline: when the attempt ends; NEVER while none is out.
        tried: pods where an attempt failed; the next one goes elsewhere where it can.
        reason: the last thing that went wrong, in words.
        passed_over: pods that were not chosen for the present attempt, each with its reason.
        parts: how its shards stand; None for a run that has none.
        shard: which worker's part this is; None for a run that goes to one worker, and for a whole broadcast.
    """

    id: str
    task: TaskRef
    spec: TaskSpec
    trigger: str
    scheduled: int
    created: float
    deadline: float
    payload: bytes | None
    state: State = State.PENDING
    attempt: int = 1
    failures: int = 0
    losses: int = 0
    asks: int = 0
    held: bool = False
    wake: float = 0.0
    attempt_deadline: float = NEVER
    pod_name: str = ""
    pod_uid: str = ""
    started: float | None = None
    tried: set[str] = field(default_factory=set)
    reason: str = ""
    outcome: events.Outcome | None = None
    shard: Shard | None = None
    parts: "Parts | None" = None
    passed_over: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """What tells it from every other run that goes on: its id, and of a broadcast the number of the shard."""
        return f"{self.id}#{self.shard.index}" if self.shard else self.id

    def too_late(self, now: float) -> bool:
        """Whether it was never sent and has passed its starting deadline."""
        deadline = self.spec.starting_deadline
        in_time = deadline is None or now - self.scheduled <= deadline
        return not in_time and self.started is None and self.trigger == "Schedule" and self.shard is None

    def given_up(self, reason: str) -> events.End | None:
        """How it ends when it finds no worker for this reason; None if it waits."""
        if reason == "HandlerUnknown":
            return events.End(events.Outcome.FAILED, reason)
        if reason == "PodGone":  # it is a shard, and its worker took it along
            return events.End(events.Outcome.FAILED, self.reason or reason)
        skips = self.spec.no_worker is NoWorkerPolicy.SKIP and reason == "NoReadyWorker" and self.shard is None
        if skips and self.started is None and self.trigger == "Schedule":
            return events.End(events.Outcome.SKIPPED, reason)
        return None

    @property
    def once(self) -> bool:
        """Whether it must never be repeated once a worker may have it."""
        return self.spec.delivery is DeliveryPolicy.AT_MOST_ONCE


# Which events mean something in which state; any other combination comes too late and is ignored.
EXPECTED: Final[dict[State, tuple[type[events.Event], ...]]] = {
    State.PENDING: (events.Chosen, events.Sent, events.CancelAsked, events.Woke),
    State.INTENDED: (
        events.Committed,
        events.NotCommitted,
        events.Sent,
        events.WorkerLost,
        events.CancelAsked,
        events.Woke,
    ),
    State.SENT: (
        events.Accepted,
        events.Finished,
        events.Refused,
        events.Rejected,
        events.Broke,
        events.NoAnswer,
        events.Fenced,
        events.Forgotten,
        events.WorkerLost,
        events.CancelAsked,
        events.Woke,
    ),
    State.RUNNING: (
        events.Accepted,
        events.Finished,
        events.Forgotten,
        events.Unreachable,
        events.WorkerLost,
        events.CancelAsked,
        events.Woke,
    ),
    State.DOUBTFUL: (
        events.Accepted,
        events.Finished,
        events.Fenced,
        events.Forgotten,
        events.Unreachable,
        events.WorkerLost,
        events.CancelAsked,
        events.Woke,
    ),
    State.CANCELLING: (
        events.Accepted,
        events.Finished,
        events.Fenced,
        events.Forgotten,
        events.Unreachable,
        events.Refused,
        events.Rejected,
        events.Broke,
        events.NoAnswer,
        events.WorkerLost,
        events.Woke,
    ),
    State.ENDED: (),
}
