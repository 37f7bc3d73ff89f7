"""A run that somebody ends, wherever it is: on a worker, before the line of its pool, or in the queue of its task."""

from typing import Any

from fakes.engine import START, World
from fakes.kept import Journaled
from warmcron.core import runs
from warmcron.core.tasks import manual_run_id, tick_run_id


def cancelled(w: World, uid: str) -> list[tuple[str, str, int]]:
    records = w.status(uid)["recentRuns"]
    return [(r["runId"], r["reason"], r["attempts"]) for r in records if r["outcome"] == "Cancelled"]


def queued(**spec: Any) -> tuple[World, str, str]:
    """A task of which one run goes on and another waits for it."""
    w = World()
    w.worker("pod-a")
    uid = w.task(**{"concurrencyPolicy": "Queue"} | spec)
    w.pass_time(10)
    w.answer(w.sent()[0], runs.Accepted())
    w.pass_time(10)
    return w, uid, tick_run_id(uid, int(START) + 20)


def test_a_run_in_the_queue_is_ended_by_the_annotation_and_leaves_a_record() -> None:
    w, uid, run_id = queued()
    w.task(created=START, concurrencyPolicy="Queue", annotations={"warmcron.dev/cancel": run_id})
    assert cancelled(w, uid) == [(run_id, "CancelledByUser", 0)]
    assert (w.status(uid)["skipped"], w.status(uid)["failed"]) == (0, 0)
    assert [record.outcome for record in w.observer.records] == ["Cancelled"]
    w.succeed(w.sent()[0])
    assert len(w.sent()) == 1, "it must not begin when its turn comes"
    w.pass_time(10)
    assert [request.scheduled - START for request in w.sent()] == [10, 30]


def test_a_run_in_the_queue_is_ended_by_an_order_and_once() -> None:
    w, uid, run_id = queued()
    assert w.engine.task_of(run_id) == w.engine.tasks.get(uid).ref  # type: ignore[union-attr]
    assert w.engine.cancel(run_id)
    assert not w.engine.cancel(run_id)
    assert w.engine.task_of(run_id) is None
    assert len(cancelled(w, uid)) == 1


def test_others_in_the_queue_keep_their_places() -> None:
    w, _, run_id = queued()
    w.pass_time(10)
    assert w.engine.cancel(run_id)
    w.succeed(w.sent()[0])
    assert [request.scheduled - START for request in w.sent()] == [10, 30]


def test_a_missed_run_that_waits_for_its_turn_under_forbid_is_ended() -> None:
    before = World()
    before.worker("pod-a")
    spec: dict[str, Any] = {"missedRunPolicy": "RunAll", "created": START}
    uid = before.task(**spec)
    after = World(leading=False, now=START + 35)
    after.worker("pod-a")
    after.task(written=before.status(uid), **spec)
    after.lead()
    after.turn()
    waiting = [each["runId"] for each in after.status(uid)["active"] if each["attempt"] == 0]
    assert len(waiting) == 2
    for run_id in waiting:
        assert after.engine.cancel(run_id)
    after.succeed(after.sent()[0])
    assert len(after.sent()) == 1
    assert {run_id for run_id, _, _ in cancelled(after, uid)} == set(waiting)


def test_a_run_that_waits_for_a_worker_is_ended() -> None:
    w = World()
    uid = w.task()
    w.pass_time(10)
    run_id = tick_run_id(uid, int(START) + 10)
    assert w.engine.cancel(run_id)
    assert cancelled(w, uid) == [(run_id, "CancelledByUser", 0)]
    w.worker("pod-late")
    assert w.sent() == []


def test_a_cancelled_run_of_the_queue_stays_ended_under_the_next_leader() -> None:
    w, uid, run_id = queued()
    annotations = {"warmcron.dev/cancel": run_id}
    spec: dict[str, Any] = {"created": START, "concurrencyPolicy": "Queue", "annotations": annotations}
    written = w.status(uid)  # the leader dies before it sees the annotation
    after = World(leading=False, now=w.clock.now() + 1)
    after.worker("pod-a")
    after.task(written=written, **spec)
    after.lead()
    assert cancelled(after, uid) == [(run_id, "CancelledByUser", 0)]


def test_a_manual_run_in_the_queue_is_ended() -> None:
    w, uid, _ = queued()
    w.task(created=START, concurrencyPolicy="Queue", annotations={"warmcron.dev/trigger": "v"})
    run_id = manual_run_id(uid, "v")
    assert w.engine.cancel(run_id)
    assert cancelled(w, uid) == [(run_id, "CancelledByUser", 0)]


def test_nobody_ends_a_run_by_naming_another_task() -> None:
    w, uid, run_id = queued()
    other = w.task("other", annotations={"warmcron.dev/cancel": run_id})
    assert cancelled(w, uid) == cancelled(w, other) == []
    assert [each["runId"] for each in w.status(uid)["active"]][-1] == run_id


def test_a_follower_knows_whose_run_it_is() -> None:
    w, uid, run_id = queued()
    follower = World(leading=False)
    follower.task(written=w.status(uid))
    found = follower.engine.task_of(run_id)
    assert found is not None
    assert found.uid == uid
    assert follower.engine.task_of("another") is None


def test_the_history_has_it() -> None:
    w = Journaled()
    w.worker("pod-a")
    w.task(concurrencyPolicy="Queue")
    w.pass_time(10)
    w.answer(w.sent()[0], runs.Accepted())
    w.pass_time(10)
    (waiting,) = [each for task in w.engine.tasks for each in task.queued]
    w.engine.cancel(waiting.run_id)
    row = w.written().runs[waiting.run_id]
    assert (row.state, row.reason, row.attempts) == ("Cancelled", "CancelledByUser", 0)
    assert row.finished == w.clock.now()
