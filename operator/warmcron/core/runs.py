"""What becomes of a run as answers come in: a table of states, and the next step as a value. Nothing is sent here.

A run is everything done for one tick; an attempt is one request to one worker. `RunId` and attempt together name a
request: a worker that has seen them says so instead of starting again.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Final

from warmcron.core.tasks import NEVER, TaskRef, TaskSpec
from warmcron.spec.task import DeliveryPolicy

# A worker that is lost costs no retry, but a run that takes ten workers down is the one that kills them.
MAX_LOSSES: Final = 10
# How often a leader looks after a run whose worker should report by itself.
POLL_SECONDS: Final = 15.0
# Pause before a worker that gave no answer is asked again, and the longest such pause.
ASK_SECONDS: Final = 1.0
ASK_SECONDS_MAX: Final = 30.0
# How often a worker is told to stop before the run is given up.
CANCEL_ASKS: Final = 5


class State(StrEnum):
    """Where a run is."""

    PENDING = "Pending"  # to be sent, now or at `wake`
    SENT = "Sent"  # a request is on its way
    RUNNING = "Running"  # a worker has it
    DOUBTFUL = "Doubtful"  # a request was sent and nobody knows what became of it
    CANCELLING = "Cancelling"  # its worker has been told to stop
    ENDED = "Ended"


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SKIPPED = "Skipped"
    UNKNOWN = "Unknown"


# ---- what can happen to a run --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A worker was chosen and the request is about to leave."""

    pod_name: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The worker has it and will report (202, or 409 with a run that goes on)."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The worker says how it ended. `retry` is false when the handler says that trying again is useless."""

    outcome: Outcome
    reason: str = ""
    retry: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker certainly did not start it: busy, draining, or nobody listened. Costs no attempt.

    `pause` is for how many seconds that worker is better left alone; the run goes to another one at once.
    """

    reason: str
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Rejected:
    """The worker will never start it: unknown handler, payload rejected."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broke:
    """The attempt failed (500 or an answer that makes no sense)."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request went out and no answer came back: the worker may have it or not."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fenced:
    """The worker never had this attempt and now never will."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The worker could not be asked."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The worker does not know the run (404), or does not keep a table of runs at all."""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The worker's pod is gone, or its container died while it had the run."""

    reason: str
    counted: bool = False


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody wants the run to end: a user, Replace, or the task's deletion."""

    reason: str


@dataclass(frozen=True, slots=True)
class Woke:
    """The time for which the run waited has come."""


Event = (
    Sent
    | Accepted
    | Finished
    | Refused
    | Rejected
    | Broke
    | NoAnswer
    | Fenced
    | Unreachable
    | Forgotten
    | WorkerLost
    | CancelAsked
    | Woke
)

# ---- what is to be done next ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Pick a worker and send the request."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing until `Run.wake`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the worker what it knows of the run; with `fence`, so that it never takes it later."""

    fence: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    """Tell the worker to stop the run."""


@dataclass(frozen=True, slots=True)
class End:
    """The run is over."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ignore:
    """Too late, or twice: the run has moved on."""


Step = Send | Wait | Ask | Cancel | End | Ignore


@dataclass(slots=True)
class Run:
    """One run.

    Attributes:
        attempt: number of the request that is out or comes next; counts from 1.
        failures: attempts that failed and count against `backoffLimit`.
        losses: attempts lost with their worker, which do not.
        wake: when to look at it again (epoch seconds).
        deadline: when the whole run ends, whatever happens.
        attempt_deadline: when the attempt ends; NEVER while none is out.
        tried: pods where an attempt failed; the next one goes elsewhere where it can.
        reason: the last thing that went wrong, in words.
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
    wake: float = 0.0
    attempt_deadline: float = NEVER
    pod_name: str = ""
    pod_uid: str = ""
    started: float | None = None
    tried: set[str] = field(default_factory=set)
    reason: str = ""
    outcome: Outcome | None = None


# Which events mean something in which state; any other combination comes too late and is ignored.
EXPECTED: Final[dict[State, tuple[type[Event], ...]]] = {
    State.PENDING: (Sent, CancelAsked, Woke, Finished, Accepted),
    State.SENT: (
        Accepted,
        Finished,
        Refused,
        Rejected,
        Broke,
        NoAnswer,
        Fenced,
        WorkerLost,
        CancelAsked,
        Woke,
    ),
    State.RUNNING: (Accepted, Finished, Forgotten, Unreachable, WorkerLost, CancelAsked, Woke),
    State.DOUBTFUL: (Accepted, Finished, Fenced, Forgotten, Unreachable, WorkerLost, CancelAsked, Woke),
    State.CANCELLING: (
        Accepted,
        Finished,
        Fenced,
        Forgotten,
        Unreachable,
        Refused,
        Rejected,
        Broke,
        NoAnswer,
        WorkerLost,
        Woke,
    ),
    State.ENDED: (),
}


def advance(run: Run, event: Event, *, now: float, random: Random) -> Step:  # noqa: C901, PLR0911, PLR0912
    """Takes one event into a run and says what to do next. Changes nothing but the run."""
    if not isinstance(event, EXPECTED[run.state]):
        return Ignore()
    if run.state is State.CANCELLING:
        return _while_cancelling(run, event, now, random)
    match event:
        case Sent(pod_name, pod_uid):
            run.state, run.pod_name, run.pod_uid = State.SENT, pod_name, pod_uid
            run.started = run.started or now
            limit = run.spec.attempt_deadline
            run.attempt_deadline = now + limit if limit else NEVER
            run.wake = min(run.attempt_deadline, run.deadline)
            return Wait()
        case Accepted():
            run.state, run.asks = State.RUNNING, 0
            return _sleep(run, now + POLL_SECONDS)
        case Finished(outcome, reason, retry):
            if outcome is Outcome.FAILED and retry:
                return _failed(run, reason or "HandlerFailed", now, random)
            return _end(run, outcome, reason or (run.reason if run.attempt > 1 else ""))
        case Refused(reason):
            run.state, run.reason, run.attempt_deadline = State.PENDING, reason, NEVER
            run.pod_name = run.pod_uid = ""
            return Send()
        case Rejected(reason):
            return _end(run, Outcome.FAILED, reason)
        case Broke(reason):
            return _failed(run, reason, now, random)
        case NoAnswer(reason):
            run.state, run.reason, run.asks = State.DOUBTFUL, reason, 0
            return _asking(run, now + ASK_SECONDS_MAX, fence=True)
        case Fenced():
            return _lost(run, run.reason or "NoAnswer", now, random, counted=False)
        case Forgotten():
            return _forgotten(run, now, random)
        case Unreachable():
            run.asks += 1
            return _sleep(run, now + min(ASK_SECONDS * 2**run.asks, ASK_SECONDS_MAX))
        case WorkerLost(reason, counted):
            if run.spec.delivery is DeliveryPolicy.AT_MOST_ONCE:
                return _end(run, Outcome.UNKNOWN, reason)
            return _lost(run, reason, now, random, counted=counted)
        case CancelAsked(reason):
            run.reason = reason
            if run.state is State.PENDING:
                return _end(run, Outcome.CANCELLED, reason)
            run.state, run.wake = State.CANCELLING, now
            return Cancel()
        case Woke():
            return _woke(run, now)
    return Ignore()


def _woke(run: Run, now: float) -> Step:
    """The alarm of a run: a deadline, a backoff that is over, or time to look after it."""
    if run.state is State.PENDING:
        if now >= run.deadline:
            return _end(run, Outcome.FAILED, run.reason or "DeadlineExceeded")
        return Send() if now >= run.wake else Wait()
    if now >= run.deadline or now >= run.attempt_deadline:
        return _overdue(run, "DeadlineExceeded" if now >= run.deadline else "AttemptDeadlineExceeded", now)
    if run.state is State.RUNNING:
        return _asking(run, now + POLL_SECONDS, fence=False)
    if run.state is State.DOUBTFUL:
        return _asking(run, now + ASK_SECONDS_MAX, fence=True)
    run.wake = min(run.deadline, run.attempt_deadline)
    return Wait()


def _overdue(run: Run, reason: str, now: float) -> Step:
    run.reason, run.attempt_deadline, run.asks = reason, NEVER, 0
    run.state, run.wake = State.CANCELLING, now
    return Cancel()


def _while_cancelling(run: Run, event: Event, now: float, random: Random) -> Step:
    """Any word of the worker that it does not have the run (any more) ends it; silence is asked again."""
    over = now >= run.deadline
    overdue = run.reason in ("DeadlineExceeded", "AttemptDeadlineExceeded")
    match event:
        case Finished(Outcome.SUCCEEDED, reason, _):
            return _end(run, Outcome.SUCCEEDED, reason)  # it was quicker than we were
        case Accepted() | Unreachable() | NoAnswer():
            run.asks += 1
            # A worker that cannot be told must not hold the task for ever: its own copy of the deadline ends the run.
            if run.asks > CANCEL_ASKS:
                return _end(run, Outcome.FAILED if overdue else Outcome.UNKNOWN, run.reason)
            run.wake = now + min(ASK_SECONDS * 2**run.asks, ASK_SECONDS_MAX)
            return Wait()
        case Woke():
            return Cancel()
    if overdue and not over:
        return _failed(run, run.reason, now, random)  # one attempt was too slow; the run has time for another
    return _end(run, Outcome.FAILED if overdue else Outcome.CANCELLED, run.reason)


def _failed(run: Run, reason: str, now: float, random: Random) -> Step:
    """An attempt that counts against `backoffLimit`."""
    run.failures += 1
    run.reason = reason
    wake = now + backoff(run.spec, run.failures, random)
    if run.failures > run.spec.backoff_limit or wake >= run.deadline:
        return _end(run, Outcome.FAILED, reason)
    return _again(run, wake, now)


def _lost(run: Run, reason: str, now: float, random: Random, *, counted: bool) -> Step:
    """An attempt whose worker went away with it: repeated elsewhere at once."""
    if counted:
        return _failed(run, reason, now, random)
    run.losses += 1
    run.reason = reason
    if run.losses > MAX_LOSSES:
        return _end(run, Outcome.FAILED, reason)
    return _again(run, now, now)


def _forgotten(run: Run, now: float, random: Random) -> Step:
    """The worker cannot tell: it has lost its table, or is a plain endpoint that keeps none."""
    if run.spec.delivery is DeliveryPolicy.AT_MOST_ONCE:
        return _end(run, Outcome.UNKNOWN, run.reason or "WorkerForgot")
    return _failed(run, run.reason or "WorkerForgot", now, random)


def _again(run: Run, wake: float, now: float) -> Step:
    run.tried.add(run.pod_uid)
    run.attempt += 1
    run.state = State.PENDING
    run.pod_name = run.pod_uid = ""
    run.attempt_deadline = NEVER
    return Send() if wake <= now else _sleep(run, wake)


def _asking(run: Run, until: float, *, fence: bool) -> Step:
    """Asks, and looks again at `until` should no answer come."""
    _sleep(run, until)
    return Ask(fence=fence)


def _sleep(run: Run, until: float) -> Step:
    run.wake = min(until, run.deadline, run.attempt_deadline)
    return Wait()


def _end(run: Run, outcome: Outcome, reason: str) -> Step:
    run.state, run.outcome, run.reason, run.wake = State.ENDED, outcome, reason, NEVER
    return End(outcome, reason)


def backoff(spec: TaskSpec, failures: int, random: Random) -> float:
    """Seconds to wait after the n-th failure: initial × multiplier^(n − 1), at most the maximum, ± 20 %."""
    exponent = min(failures - 1, 64)
    pause = min(spec.backoff_initial * spec.backoff_multiplier**exponent, spec.backoff_max)
    return pause * random.uniform(0.8, 1.2)
