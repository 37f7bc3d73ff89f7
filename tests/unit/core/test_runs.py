"""The life of a run, one step at a time: each event that means something, and each that comes too late."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from fakes.core import CREATED, run, spec
from warmcron.core import runs
from warmcron.core.runs import (
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
    Run,
    Send,
    Sent,
    State,
    Step,
    Unreachable,
    Wait,
    Woke,
    WorkerLost,
)
from warmcron.spec.task import DeliveryPolicy

NOW = CREATED + 1.0
DONE, FAILED = Finished(Outcome.SUCCEEDED), Finished(Outcome.FAILED, "boom")
STOPPED = Finished(Outcome.CANCELLED, "Cancelled")
P, I, S, R, D, C, E = (  # noqa: E741 - a table is read by its columns
    State.PENDING,
    State.INTENDED,
    State.SENT,
    State.RUNNING,
    State.DOUBTFUL,
    State.CANCELLING,
    State.ENDED,
)
ONE_OF_EACH: list[Event] = [
    Chosen("pod", "uid"),
    Committed(),
    NotCommitted("x"),
    Sent("pod", "uid"),
    Accepted(),
    DONE,
    Refused("x"),
    Rejected("x"),
    Broke("x"),
    NoAnswer("x"),
    Fenced(),
    Forgotten(),
    Unreachable(),
    WorkerLost("x"),
    CancelAsked("x"),
    Woke(),
]


def in_state(state: State, *, once: bool = False, **changes: Any) -> Run:
    found = run(spec(delivery=DeliveryPolicy.AT_MOST_ONCE if once else DeliveryPolicy.AT_LEAST_ONCE), now=CREATED)
    found.state = state
    if state is not P:
        found.pod_name, found.pod_uid, found.started = "pod", "uid", float(CREATED)
    if state is R:
        found.held = True
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def step(found: Run, event: Event, *, now: float = NOW) -> Step:
    return runs.advance(found, event, now=now, random=Random(1))


@pytest.mark.parametrize(
    ("before", "event", "after", "expected"),
    [
        (P, Sent("pod", "uid"), S, Wait()),
        (P, Chosen("pod", "uid"), I, Commit()),
        (P, Woke(), P, Send()),
        (P, CancelAsked("Replaced"), E, End(Outcome.CANCELLED, "Replaced")),
        # nothing is sent before the intent is certain, and what was never sent is simply sent later or elsewhere
        (I, Committed(), I, Deliver()),
        (I, Sent("pod", "uid"), S, Wait()),
        (I, NotCommitted("x"), P, Wait()),
        (I, WorkerLost("PodGone"), P, Send()),
        (I, CancelAsked("Replaced"), E, End(Outcome.CANCELLED, "Replaced")),
        (I, Woke(), I, Wait()),
        # the answers to the request
        (S, Accepted(), R, Wait()),
        (S, DONE, E, End(Outcome.SUCCEEDED)),
        (S, FAILED, P, Wait()),
        (S, Finished(Outcome.FAILED, "Rejected", retry=False), E, End(Outcome.FAILED, "Rejected")),
        (S, Refused("WorkerBusy", 1), P, Send()),
        (S, Rejected("HandlerUnknown"), E, End(Outcome.FAILED, "HandlerUnknown")),
        (S, Broke("Http500"), P, Wait()),
        (S, NoAnswer("AnswerTimeout"), D, Ask(fence=True)),
        # 409 of a worker that promised never to take it, or of a server that means something else by it
        (S, Fenced(), P, Send()),
        (S, Forgotten(), P, Wait()),
        (S, WorkerLost("PodGone"), P, Send()),
        (S, CancelAsked("Replaced"), C, Ask(fence=True)),
        (S, Woke(), S, Wait()),
        # a worker has it
        (R, Accepted(), R, Wait()),
        (R, DONE, E, End(Outcome.SUCCEEDED)),
        (R, FAILED, P, Wait()),
        (R, Forgotten(), P, Wait()),
        (R, Unreachable(), R, Wait()),
        (R, WorkerLost("Evicted"), P, Send()),
        (R, WorkerLost("WorkerCrashed", counted=True), P, Wait()),
        (R, CancelAsked("Replaced"), C, Cancel()),
        (R, Woke(), R, Ask(fence=False)),
        # nobody knows
        (D, Accepted(), R, Wait()),
        (D, DONE, E, End(Outcome.SUCCEEDED)),
        (D, Fenced(), P, Send()),
        (D, Forgotten(), P, Wait()),
        (D, Unreachable(), D, Wait()),
        (D, WorkerLost("PodGone"), P, Send()),
        (D, CancelAsked("Replaced"), C, Ask(fence=True)),
        (D, Woke(), D, Ask(fence=True)),
        # it is to stop
        (C, Accepted(), C, Cancel()),
        (C, DONE, E, End(Outcome.SUCCEEDED)),
        (C, STOPPED, E, End(Outcome.CANCELLED, "Replaced")),
        (C, Fenced(), E, End(Outcome.CANCELLED, "Replaced")),
        (C, Forgotten(), E, End(Outcome.CANCELLED, "Replaced")),
        (C, Refused("WorkerBusy"), E, End(Outcome.CANCELLED, "Replaced")),
        (C, Rejected("x"), E, End(Outcome.CANCELLED, "Replaced")),
        (C, Broke("x"), E, End(Outcome.CANCELLED, "Replaced")),
        (C, WorkerLost("PodGone"), E, End(Outcome.CANCELLED, "Replaced")),
        (C, Unreachable(), C, Wait()),
        (C, NoAnswer("x"), C, Wait()),
        (C, Woke(), C, Ask(fence=True)),
    ],
)
def test_each_event_that_means_something_has_one_meaning(
    before: State, event: Event, after: State, expected: Step
) -> None:
    found = in_state(before, reason="Replaced" if before is C else "")
    assert step(found, event) == expected
    assert found.state is after


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", list(State))
def test_any_other_event_comes_too_late_and_changes_nothing(state: State, event: Event) -> None:
    if isinstance(event, runs.EXPECTED[state]):
        return
    found = in_state(state)
    before = replace(found, tried=set(found.tried))
    assert step(found, event) == Ignore()
    assert found == before


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        # a worker may have it or has had it: it is never sent again
        (S, FAILED, End(Outcome.FAILED, "boom")),
        (S, Broke("Http500"), End(Outcome.FAILED, "Http500")),
        (S, Forgotten(), End(Outcome.UNKNOWN, "WorkerForgot")),
        (S, WorkerLost("PodGone"), End(Outcome.UNKNOWN, "PodGone")),
        (R, FAILED, End(Outcome.FAILED, "boom")),
        (R, Forgotten(), End(Outcome.UNKNOWN, "WorkerForgot")),
        (R, WorkerLost("WorkerCrashed", counted=True), End(Outcome.UNKNOWN, "WorkerCrashed")),
        (D, Forgotten(), End(Outcome.UNKNOWN, "WorkerForgot")),
        (D, WorkerLost("PodGone"), End(Outcome.UNKNOWN, "PodGone")),
        # it certainly has not: another worker may
        (S, Refused("ConnectionRefused"), Send()),
        (D, Fenced(), Send()),
        (S, Fenced(), Send()),
        # it is asked before anything is decided
        (S, NoAnswer("AnswerTimeout"), Ask(fence=True)),
        (D, Unreachable(), Wait()),
    ],
)
def test_at_most_once_is_never_repeated_once_a_worker_may_have_it(state: State, event: Event, expected: Step) -> None:
    assert step(in_state(state, once=True), event) == expected


@pytest.mark.parametrize("event", [Fenced(), WorkerLost("x"), FAILED, Forgotten()], ids=str)
def test_an_attempt_that_is_over_has_a_number_of_its_own(event: Event) -> None:
    found = in_state(D if isinstance(event, Fenced) else R)
    step(found, event)
    assert (found.attempt, found.pod_uid, found.held) == (2, "", False)
    assert found.tried == {"uid"}


def test_an_attempt_that_never_left_keeps_its_number() -> None:
    found = in_state(S)
    step(found, Refused("ConnectionRefused"))
    assert (found.attempt, found.tried, found.failures) == (1, set(), 0)


def test_failures_are_counted_against_the_limit_and_losses_are_not() -> None:
    found = in_state(R, failures=3)
    assert step(found, FAILED) == End(Outcome.FAILED, "boom")
    lost = in_state(R, failures=3)
    assert step(lost, WorkerLost("Evicted")) == Send()
    assert (lost.failures, lost.losses) == (3, 1)


def test_a_run_that_takes_worker_after_worker_down_ends() -> None:
    found = in_state(R, losses=runs.MAX_LOSSES)
    assert step(found, WorkerLost("OOMKilled")) == End(Outcome.FAILED, "OOMKilled")


@pytest.mark.parametrize("state", [P, I])
def test_at_its_deadline_a_run_that_is_not_out_ends(state: State) -> None:
    found = in_state(state)
    assert step(found, Woke(), now=found.deadline) == End(Outcome.FAILED, "DeadlineExceeded")


@pytest.mark.parametrize(("state", "expected"), [(S, Ask(fence=True)), (D, Ask(fence=True)), (R, Cancel())])
def test_at_its_deadline_a_run_that_is_out_is_told_to_stop(state: State, expected: Step) -> None:
    found = in_state(state)
    assert step(found, Woke(), now=found.deadline) == expected
    assert (found.state, found.reason) == (C, "DeadlineExceeded")
    assert step(found, STOPPED, now=found.deadline) == End(Outcome.FAILED, "DeadlineExceeded")


def test_an_attempt_that_was_too_slow_is_followed_by_another_while_there_is_time() -> None:
    found = in_state(R, attempt_deadline=NOW)
    assert step(found, Woke()) == Cancel()
    assert step(found, STOPPED) == Wait()
    assert (found.state, found.attempt, found.failures) == (P, 2, 1)


def test_a_worker_that_cannot_be_told_to_stop_is_given_up_after_some_time() -> None:
    found = in_state(R)
    step(found, CancelAsked("Replaced"))
    for _ in range(runs.CANCEL_ASKS):
        assert step(found, Unreachable()) == Wait()
        assert found.wake > NOW
    assert step(found, Unreachable()) == End(Outcome.UNKNOWN, "Replaced")


def test_what_may_not_have_arrived_yet_is_fenced_and_not_only_told_to_stop() -> None:
    found = in_state(S)
    assert step(found, CancelAsked("Replaced")) == Ask(fence=True)
    assert step(found, Accepted()) == Cancel()  # it was there: now it can be told
    assert step(found, Accepted()) == Wait()  # it has been told and has not stopped yet
    assert step(found, Woke(), now=NOW + 60) == Cancel()


@pytest.mark.parametrize(
    ("failures", "low", "high"),
    [
        (1, 0.8, 1.2),
        (2, 1.6, 2.4),
        (5, 12.8, 19.2),
        # never above the maximum, and a thousandth retry does not overflow
        (20, 240, 360),
        (1000, 240, 360),
    ],
)
def test_the_pause_doubles_up_to_its_maximum(failures: int, low: float, high: float) -> None:
    assert low <= runs.backoff(spec(), failures, Random(failures)) <= high
