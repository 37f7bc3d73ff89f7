"""A worker that has not yet said what it can do gets nothing, and gets it as soon as it has."""

from typing import Any

from fakes.engine import World
from warmcron.core.pool import DEFAULT_CONCURRENCY
from warmcron.workers.protocol import Abilities

ABLE = Abilities(frozenset({"h"}), 10)
UNABLE = Abilities(frozenset({"other"}), 10)


def starting(**spec: Any) -> tuple[World, str]:
    """One pod, ready this very moment, and a run that is due."""
    w = World()
    w.worker("pod-a", heard=False)
    uid = w.task(**spec)
    w.pass_time(10)
    return w, uid


def test_a_run_waits_for_a_ready_worker_to_say_what_it_can_do_and_is_then_sent_at_once() -> None:
    w, uid = starting()
    assert w.sent() == []
    assert w.status(uid)["active"][0]["reason"] == "WorkersStarting"
    w.engine.set_abilities("uid-pod-a", ABLE)
    assert [request.pod for request in w.sent()] == ["pod-a"]


def test_a_worker_without_the_handler_never_gets_the_run_however_early_it_is_asked_for() -> None:
    w, uid = starting()
    w.worker("pod-b", heard=False)
    w.engine.set_abilities("uid-pod-a", UNABLE)
    assert w.sent() == []
    w.engine.set_abilities("uid-pod-b", ABLE)
    assert [request.pod for request in w.sent()] == ["pod-b"]
    assert w.status(uid)["failed"] == 0


def test_when_all_have_said_that_they_lack_the_handler_the_run_fails() -> None:
    w, uid = starting()
    w.engine.set_abilities("uid-pod-a", UNABLE)
    assert w.sent() == []
    assert w.status(uid)["recentRuns"][0]["reason"] == "HandlerUnknown"


def test_a_worker_that_was_asked_in_vain_is_used_as_one_with_every_handler() -> None:
    w, _ = starting()
    w.engine.set_abilities("uid-pod-a", None)
    assert [request.pod for request in w.sent()] == ["pod-a"]
    worker = w.engine.pool.get("uid-pod-a")
    assert worker is not None
    assert (worker.handlers, worker.concurrency) == (None, DEFAULT_CONCURRENCY)


def test_a_container_that_has_started_anew_is_heard_anew() -> None:
    w = World()
    w.worker("pod-a")
    w.task()
    w.worker("pod-a", started="t1", heard=False)
    w.pass_time(10)
    assert w.sent() == []
    w.engine.set_abilities("uid-pod-a", ABLE)
    assert len(w.sent()) == 1


def test_a_worker_that_was_not_ready_for_a_moment_is_still_known() -> None:
    w = World()
    w.worker("pod-a")
    w.task()
    w.worker("pod-a", ready=False)
    w.worker("pod-a", heard=False)
    w.pass_time(10)
    assert len(w.sent()) == 1


def test_a_run_that_would_be_skipped_without_a_worker_waits_for_one_that_is_ready() -> None:
    w, uid = starting(noWorkerPolicy="Skip")
    assert w.status(uid)["skipped"] == 0
    w.engine.set_abilities("uid-pod-a", ABLE)
    assert len(w.sent()) == 1


def test_a_broadcast_waits_until_every_ready_worker_has_spoken() -> None:
    w, uid = starting(routingPolicy="Broadcast")
    w.worker("pod-b")
    assert w.sent() == []
    assert w.status(uid)["active"][0]["reason"] == "WorkersStarting"
    w.engine.set_abilities("uid-pod-a", ABLE)
    assert [(request.pod, request.shard) for request in w.sent()] == [("pod-a", (0, 2)), ("pod-b", (1, 2))]
