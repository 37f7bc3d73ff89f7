"""What becomes of a run as answers come in: a table of states, and the next step as a value. Nothing is sent here.

A run is everything done for one tick; an attempt is one request to one worker. `Run.id` and attempt together name a
request: a worker that has seen them says so instead of starting again.
"""

from random import Random
from typing import Final

from warmcron.core.events import (
    Accepted,
    Ask,
    Broke,
    Cancel,
    CancelAsked,
    Chosen,
    Commit,
    Committed,
    Deliver,
    End,
    Event,
    Fenced,
    Finished,
    Forgotten,
    Ignore,
    NoAnswer,
    NotCommitted,
    Outcome,
    Refused,
    Rejected,
    Send,
    Sent,
    Step,
    Unreachable,
    Wait,
    Woke,
    WorkerLost,
)
from warmcron.core.run import EXPECTED, Attempt, Run, State
from warmcron.core.tasks import NEVER, TaskSpec

__all__ = [
    "ASK_SECONDS_MAX",
    "CANCEL_ASKS",
    "COMMIT_SECONDS",
    "EXPECTED",
    "MAX_LOSSES",
    "POLL_SECONDS",
    "Accepted",
    "Ask",
    "Attempt",
    "Broke",
    "Cancel",
    "CancelAsked",
    "Chosen",
    "Commit",
    "Committed",
    "Deliver",
    "End",
    "Event",
    "Fenced",
    "Finished",
    "Forgotten",
    "Ignore",
    "NoAnswer",
    "NotCommitted",
    "Outcome",
    "Refused",
    "Rejected",
    "Run",
    "Send",
    "Sent",
    "State",
    "Step",
    "Unreachable",
    "Wait",
    "Woke",
    "WorkerLost",
    "advance",
    "backoff",
]

# A worker that is lost costs no retry, but a run that takes ten workers down is the one that kills them.
MAX_LOSSES: Final = 10
# How often a leader looks after a run whose worker should report by itself.
POLL_SECONDS: Final = 15.0
# Pause before a worker that gave no answer is asked again, and the longest such pause.
ASK_SECONDS: Final = 1.0
ASK_SECONDS_MAX: Final = 30.0
# How often a worker is told to stop before the run is given up.
CANCEL_ASKS: Final = 5
# Pause before an intent is written again that could not be.
COMMIT_SECONDS: Final = 1.0
OVERDUE: Final = ("DeadlineExceeded", "AttemptDeadlineExceeded")


def advance(run: Run, event: Event, *, now: float, random: Random) -> Step:  # noqa: C901, PLR0911, PLR0912 - a table
    """Takes one event into a run and says what to do next. Changes nothing but the run."""
    if not isinstance(event, EXPECTED[run.state]):
        return Ignore()
    if run.state is State.CANCELLING:
        return _while_cancelling(run, event, now, random)
    match event:
        case Chosen(pod_name, pod_uid):
            run.state, run.pod_name, run.pod_uid = State.INTENDED, pod_name, pod_uid
            _sleep(run, run.deadline)
            return Commit()
        case Committed():
            return Deliver()
        case NotCommitted(reason):
            return _unsent(run, reason, now + COMMIT_SECONDS, now)
        case Sent(pod_name, pod_uid):
            return _sent(run, pod_name, pod_uid, now)
        case Accepted():
            run.state, run.asks, run.held = State.RUNNING, 0, True
            return _sleep(run, now + POLL_SECONDS)
        case Finished(outcome, reason, retry):
            if outcome is Outcome.FAILED and retry:
                return _failed(run, reason or "HandlerFailed", now, random)
            return _end(run, outcome, reason or (run.reason if run.attempt > 1 else ""))
        case Refused(reason):
            return _unsent(run, reason, now, now)
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
            return _sleep(run, now + _patience(run))
        case WorkerLost(reason, counted):
            return _worker_lost(run, reason, now, random, counted=counted)
        case CancelAsked(reason):
            return _cancel(run, reason, now)
        case Woke():
            return _woke(run, now)
    return Ignore()


def _sent(run: Run, pod_name: str, pod_uid: str, now: float) -> Step:
    run.state, run.pod_name, run.pod_uid, run.held = State.SENT, pod_name, pod_uid, False
    run.started = run.started or now
    limit = run.spec.attempt_deadline
    run.attempt_deadline = now + limit if limit else NEVER
    run.wake = min(run.attempt_deadline, run.deadline)
    return Wait()


def _woke(run: Run, now: float) -> Step:
    """The alarm of a run: a deadline, a backoff that is over, or time to look after it."""
    if run.state in (State.PENDING, State.INTENDED):  # nothing is out
        if now >= run.deadline:
            return _end(run, Outcome.FAILED, run.reason or "DeadlineExceeded")
        return Send() if run.state is State.PENDING and now >= run.wake else Wait()
    if now >= run.deadline or now >= run.attempt_deadline:
        return _cancel(run, OVERDUE[0] if now >= run.deadline else OVERDUE[1], now)
    if run.state is State.RUNNING:
        return _asking(run, now + POLL_SECONDS, fence=False)
    if run.state is State.DOUBTFUL:
        return _asking(run, now + ASK_SECONDS_MAX, fence=True)
    run.wake = min(run.deadline, run.attempt_deadline)
    return Wait()


def _cancel(run: Run, reason: str, now: float) -> Step:
    """The run is to end. A worker that may not have it yet is fenced first: it cannot stop what it only gets later."""
    run.reason = reason
    if run.state in (State.PENDING, State.INTENDED):
        return _end(run, Outcome.CANCELLED, reason)
    run.state, run.asks, run.attempt_deadline = State.CANCELLING, 0, NEVER
    return _tell(run, now)


def _tell(run: Run, now: float) -> Step:
    """Tells it to stop, and looks again after a while should nothing come back."""
    run.wake = now + ASK_SECONDS_MAX
    return Cancel() if run.held else Ask(fence=True)


def _while_cancelling(run: Run, event: Event, now: float, random: Random) -> Step:  # noqa: PLR0911 - a table
    """Any word of the worker that it does not have the run (any more) ends it; silence is asked again."""
    overdue = run.reason in OVERDUE
    match event:
        case Finished(Outcome.SUCCEEDED, reason, _):
            return _end(run, Outcome.SUCCEEDED, reason)  # it was quicker than we were
        case Accepted() if not run.held:
            run.held = True
            return _tell(run, now)
        case Accepted() | Unreachable() | NoAnswer():
            run.asks += 1
            # A worker that cannot be told must not hold the task for ever: its own copy of the deadline ends the run.
            if run.asks > CANCEL_ASKS:
                return _end(run, Outcome.FAILED if overdue else Outcome.UNKNOWN, run.reason)
            run.wake = now + _patience(run)
            return Wait()
        case Woke():
            return _tell(run, now)
    if overdue and now < run.deadline:
        return _failed(run, run.reason, now, random)  # one attempt was too slow; the run has time for another
    return _end(run, Outcome.FAILED if overdue else Outcome.CANCELLED, run.reason)


def _failed(run: Run, reason: str, now: float, random: Random) -> Step:
    """An attempt that counts against `backoffLimit`. AtMostOnce has no second one: a worker has had it."""
    run.failures += 1
    run.reason = reason
    wake = now + backoff(run.spec, run.failures, random)
    if run.once or run.failures > run.spec.backoff_limit or wake >= run.deadline:
        return _end(run, Outcome.FAILED, reason)
    return _again(run, wake, now)


def _worker_lost(run: Run, reason: str, now: float, random: Random, *, counted: bool) -> Step:
    if run.state is State.INTENDED:
        return _unsent(run, reason, now, now)
    if run.once:
        return _end(run, Outcome.UNKNOWN, reason)
    return _lost(run, reason, now, random, counted=counted)


def _lost(run: Run, reason: str, now: float, random: Random, *, counted: bool) -> Step:
    """An attempt whose worker went away with it, or that it never got: repeated elsewhere at once."""
    if counted:
        return _failed(run, reason, now, random)
    run.losses += 1
    run.reason = reason
    if run.losses > MAX_LOSSES:
        return _end(run, Outcome.FAILED, reason)
    return _again(run, now, now)


def _forgotten(run: Run, now: float, random: Random) -> Step:
    """The worker cannot tell: it has lost its table, or is a plain endpoint that keeps none."""
    if run.once:
        return _end(run, Outcome.UNKNOWN, run.reason or "WorkerForgot")
    return _failed(run, run.reason or "WorkerForgot", now, random)


def _unsent(run: Run, reason: str, wake: float, now: float) -> Step:
    """The attempt certainly did not reach a worker: the same attempt goes out again."""
    run.state, run.reason, run.attempt_deadline = State.PENDING, reason, NEVER
    run.pod_name = run.pod_uid = ""
    return Send() if wake <= now else _sleep(run, wake)


def _again(run: Run, wake: float, now: float) -> Step:
    run.tried.add(run.pod_uid)
    run.attempt += 1
    run.state, run.held = State.PENDING, False
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


def _patience(run: Run) -> float:
    return min(ASK_SECONDS * 2.0 ** min(run.asks, 16), ASK_SECONDS_MAX)


def _end(run: Run, outcome: Outcome, reason: str) -> Step:
    run.state, run.outcome, run.reason, run.wake = State.ENDED, outcome, reason, NEVER
    return End(outcome, reason)


def backoff(spec: TaskSpec, failures: int, random: Random) -> float:
    """Seconds to wait after the n-th failure: initial × multiplier^(n − 1), at most the maximum, ± 20 %."""
    exponent = min(failures - 1, 64)
    pause: float = min(spec.backoff_initial * spec.backoff_multiplier**exponent, spec.backoff_max)
    return pause * random.uniform(0.8, 1.2)
