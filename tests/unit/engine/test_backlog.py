"""What is heard while a herd is being sent: it waits until the herd is out, and nothing of it is lost."""

import asyncio
import contextlib
from typing import Any

import pytest

from fakes.engine import World
from warmcron.core import runs
from warmcron.core.tasks import RunRecord
from warmcron.engine import backlog
from warmcron.engine.engine import SLICE
from warmcron.engine.ports import Journal
from warmcron.history.nothing import Nothing


def herd(count: int, *, room: int = 10_000, journal: Journal | None = None, **spec: Any) -> World:
    """So many tasks of which the first slice has been sent."""
    w = World(journal=journal)
    w.worker(concurrency=room)
    for number in range(count):
        w.task(f"task-{number}", **spec)
    w.clock.time += 10
    assert w.engine.tick()
    return w


def test_the_herd_is_sent_before_its_answers_are_taken_in() -> None:
    w = herd(3 * SLICE + 1)
    for request in w.sent():
        w.succeed(request)
    assert w.engine.tick()
    assert (len(w.sent()), w.observer.records) == (2 * SLICE, [])
    w.turn()
    assert (len(w.sent()), len(w.observer.records)) == (3 * SLICE + 1, SLICE)
    assert not w.engine.busy


def test_an_answer_that_frees_a_place_is_not_put_off() -> None:
    w = herd(3 * SLICE, room=1)
    (only,) = w.sent()
    w.succeed(only)
    assert w.engine.tick()
    assert len(w.sent()) == 2


def test_an_intent_that_is_written_is_not_put_off() -> None:
    w = World()
    w.intents.at_once = False
    w.worker(concurrency=10_000)
    for number in range(3 * SLICE):
        w.task(f"task-{number}", deliveryPolicy="AtMostOnce")
    w.clock.time += 10
    assert w.engine.tick()
    w.intents.answer(w.intents.asked[0], runs.Committed())
    assert w.engine.tick()
    assert len(w.sent()) == 1


def test_what_a_pod_said_before_it_went_counts() -> None:
    w = herd(3 * SLICE)
    said, silent, *_ = w.sent()
    w.succeed(said)
    w.engine.forget_worker(said.about.pod_uid, "PodGone")
    assert [record.outcome for record in w.observer.records] == [runs.Outcome.SUCCEEDED]
    w.worker("pod-b", concurrency=10_000)
    w.pass_time(5)  # a run that is lost is repeated after a pause
    again = [request.run_id for request in w.sent() if request.pod == "pod-b"]
    assert silent.run_id in again
    assert said.run_id not in again


def test_more_than_that_is_taken_in_at_once_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST", 2 * SLICE)
    w = herd(20 * SLICE)
    for _ in range(2):
        assert w.engine.tick()
    sent = w.sent()
    for request in sent:
        w.succeed(request)
    assert [record.run_id for record in w.observer.records] == [request.run_id for request in sent[:SLICE]]


def test_the_next_tick_of_a_task_is_decided_by_what_was_heard_of_the_one_before() -> None:
    w = herd(3 * SLICE, schedule="@every 10s", concurrencyPolicy="Forbid")
    first = w.sent()
    for request in first:
        w.succeed(request)
    w.clock.time += 10
    w.turn()
    again = {request.run_id: request for request in w.sent() if request.scheduled > first[0].scheduled}
    # All the others were late: the first of their two ticks still goes on at the second one.
    assert len(again) == SLICE
    assert {record.outcome for record in w.observer.records} == {runs.Outcome.SUCCEEDED}
    assert w.observer.skips == [("ForbidConcurrent", 1)] * (2 * SLICE)


def test_a_run_that_ended_in_time_has_not_passed_its_deadline() -> None:
    w = herd(3 * SLICE, activeDeadlineSeconds=5)
    first, second, *_ = w.sent()
    w.succeed(first)
    w.clock.time += 6
    assert w.engine.tick()
    told = {request.run_id for request in w.sent("cancel") + w.sent("fence")}
    assert second.run_id in told
    assert first.run_id not in told
    assert [(record.run_id, record.outcome) for record in w.observer.records] == [(first.run_id, "Succeeded")]


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_what_has_ended_is_not_stopped_any_more(how: str) -> None:
    w = herd(3 * SLICE)
    first, *_ = w.sent()
    w.succeed(first)
    task = w.engine.runner.runs[first.run_id].task
    if how == "cancelled":
        assert not w.engine.cancel(first.run_id)
    else:
        w.engine.forget_task(task.uid)
    assert w.sent("cancel") + w.sent("fence") == []


def test_a_term_that_ends_takes_what_waits_along() -> None:
    w = herd(3 * SLICE)
    w.succeed(w.sent()[0])
    w.gate.open = False
    w.engine.follow()
    w.gate.open = True
    w.turn()
    assert w.observer.records == []


def test_a_run_that_breaks_takes_no_other_along() -> None:
    class Breaking(Nothing):
        def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:
            if run.id == first.run_id:
                raise RuntimeError("a fault of ours")

    w = herd(3 * SLICE, journal=Breaking())
    w.observer.forgiving = True
    first, second, *_ = w.sent()
    w.succeed(first)
    w.succeed(second)
    w.turn()
    assert len(w.observer.broken) == 1
    assert [record.run_id for record in w.observer.records] == [first.run_id, second.run_id]
    assert len(w.sent()) == 3 * SLICE


async def test_what_waits_is_taken_in_while_nothing_may_be_sent() -> None:
    w = herd(6 * SLICE)
    for _ in range(2):
        assert w.engine.tick()
    for request in w.sent():
        w.succeed(request)
    w.gate.open = False
    loop = asyncio.create_task(w.engine.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < len(w.observer.records) < 3 * SLICE  # others have their turns
    for _ in range(3):
        await asyncio.sleep(0)
    assert (len(w.observer.records), w.engine.busy) == (3 * SLICE, False)
    loop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await loop


async def test_what_waits_is_taken_in_before_the_loop_ends() -> None:
    w = herd(3 * SLICE)
    w.succeed(w.sent()[0])
    w.gate.open = False  # nothing is sent any more
    loop = asyncio.create_task(w.engine.run())
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
        loop.cancel()
        await loop
    assert len(w.observer.records) == 1
