"""From a tick to its record: the life of a run as the engine leads it."""

from typing import Any

import pytest

from fakes.engine import START, World
from warmcron.core import runs, times
from warmcron.core.tasks import tick_run_id


def world(**spec: Any) -> tuple[World, str]:
    found = World()
    found.worker("pod-a")
    found.worker("pod-b")
    return found, found.task(**spec)


def test_every_tick_is_sent_once_at_its_time() -> None:
    w, uid = world()
    for _ in range(3):
        w.pass_time(10)
        w.succeed(w.sent()[-1])
    assert [request.scheduled - START for request in w.sent()] == [10, 20, 30]
    assert [request.at - START for request in w.sent()] == [10, 20, 30]
    assert len({request.run_id for request in w.sent()}) == 3
    status = w.status(uid)
    assert (status["succeeded"], status["failed"], status["skipped"]) == (3, 0, 0)
    assert status["lastScheduleTime"] == times.text(START + 30)
    assert status["nextScheduleTime"] == times.text(START + 40)


def test_runs_are_spread_over_the_pods() -> None:
    w, _ = world()
    for _ in range(6):
        w.pass_time(10)
        w.succeed(w.sent()[-1])
    pods = [request.pod for request in w.sent()]
    assert pods.count("pod-a") == pods.count("pod-b") == 3


def test_a_failed_attempt_is_retried_on_another_pod_after_a_pause_that_grows() -> None:
    w, uid = world(schedule="@every 1h", backoffLimit=2)
    w.pass_time(3600, step=60)
    for _ in range(3):
        w.fail(w.sent()[-1])
        w.pass_time(5)
    first, second, third = w.sent()
    assert first.run_id == second.run_id == third.run_id
    assert [first.attempt, second.attempt, third.attempt] == [1, 2, 3]
    assert first.pod != second.pod
    assert second.at - first.at >= 0.8
    assert third.at - second.at >= 1.6
    status = w.status(uid)
    assert status["failed"] == 1
    assert status["recentRuns"][0]["attempts"] == 3
    assert w.condition(uid, "LastRunSucceeded") == ("False", "Failed", "boom")


def test_a_busy_or_refusing_worker_costs_no_attempt() -> None:
    w, _ = world(backoffLimit=0)
    w.pass_time(10)
    w.answer(w.sent()[-1], runs.Refused("WorkerBusy", pause=3))
    first, second = w.sent()
    assert first.pod != second.pod
    assert first.attempt == second.attempt == 1
    w.answer(second, runs.Refused("ConnectionRefused", pause=5))
    assert len(w.sent()) == 2
    w.pass_time(3)
    assert len(w.sent()) == 3
    assert w.sent()[-1].pod == first.pod


def test_a_run_that_was_rejected_is_never_retried() -> None:
    w, uid = world()
    w.pass_time(10)
    w.answer(w.sent()[-1], runs.Rejected("HandlerUnknown"))
    assert len(w.sent()) == 1
    assert w.status(uid)["recentRuns"][0]["reason"] == "HandlerUnknown"


def test_no_answer_is_asked_about_before_anything_is_repeated() -> None:
    w, _ = world(schedule="@every 1h")
    w.pass_time(3600, step=60)
    w.answer(w.sent()[-1], runs.NoAnswer("AnswerTimeout"))
    assert len(w.sent()) == 1
    (fence,) = w.sent("fence")
    assert fence.pod == w.sent()[0].pod
    w.answer(fence, runs.Fenced())
    assert len(w.sent()) == 2
    assert w.sent()[1].attempt == 2


def test_a_worker_that_had_the_run_after_all_keeps_it() -> None:
    w, uid = world(schedule="@every 1h")
    w.pass_time(3600, step=60)
    w.answer(w.sent()[-1], runs.NoAnswer("AnswerTimeout"))
    w.answer(w.sent("fence")[-1], runs.Accepted())
    w.succeed(w.sent()[-1])
    assert len(w.sent()) == 1
    assert w.status(uid)["succeeded"] == 1


def test_a_worker_that_cannot_be_asked_is_asked_again_until_its_pod_is_gone() -> None:
    w, _ = world(schedule="@every 1h")
    w.pass_time(3600, step=60)
    w.answer(w.sent()[-1], runs.NoAnswer("ConnectionLost"))
    for _ in range(3):
        w.answer(w.sent("fence")[-1], runs.Unreachable())
        w.pass_time(31)
    assert len(w.sent("fence")) == 4
    assert len(w.sent()) == 1
    w.engine.forget_worker(f"uid-{w.sent()[0].pod}", "PodGone")
    assert len(w.sent()) == 2
    assert w.sent()[1].pod != w.sent()[0].pod


def test_a_run_whose_pod_is_deleted_goes_on_elsewhere_at_once_and_costs_no_retry() -> None:
    w, uid = world(schedule="@every 1h", backoffLimit=0)
    w.pass_time(3600, step=60)
    w.answer(w.sent()[-1], runs.Accepted())
    w.engine.forget_worker(f"uid-{w.sent()[0].pod}", "PodGone")
    first, second = w.sent()
    assert second.pod != first.pod
    assert (second.run_id, second.attempt) == (first.run_id, 2)
    assert w.status(uid)["active"][0]["reason"] == "PodGone"
    w.succeed(second)
    record = w.status(uid)["recentRuns"][0]
    assert (record["outcome"], record["attempts"], record["reason"]) == ("Succeeded", 2, "PodGone")


def test_a_run_that_takes_worker_after_worker_down_is_ended() -> None:
    w, uid = world(schedule="@every 1h")
    w.pass_time(3600, step=60)
    for _ in range(runs.MAX_LOSSES + 1):
        w.answer(w.sent()[-1], runs.WorkerLost("Evicted"))
    assert w.status(uid)["failed"] == 1
    assert len(w.sent()) == runs.MAX_LOSSES + 1


def test_a_container_that_restarts_is_asked_at_once() -> None:
    w, _ = world(schedule="@every 1h")
    w.pass_time(3600, step=60)
    pod = w.sent()[-1].pod
    w.answer(w.sent()[-1], runs.Accepted())
    w.worker(pod, started="t1")
    w.turn()
    assert [request.pod for request in w.sent("ask")] == [pod]


def test_a_worker_that_says_nothing_is_looked_after() -> None:
    w, _ = world(schedule="@every 1h")
    w.pass_time(3600, step=60)
    w.answer(w.sent()[-1], runs.Accepted())
    w.pass_time(runs.POLL_SECONDS * 2 + 1)
    assert len(w.sent("ask")) == 2


@pytest.mark.parametrize("deadline", ["activeDeadlineSeconds", "attemptDeadlineSeconds"])
def test_a_run_over_its_deadline_is_cancelled_and_failed(deadline: str) -> None:
    w, uid = world(schedule="@every 1h", **{deadline: 20}, backoffLimit=0)
    w.pass_time(3600, step=60)
    w.answer(w.sent()[-1], runs.Accepted())
    w.pass_time(20)
    assert len(w.sent("cancel")) == 1
    w.answer(w.sent("cancel")[-1], runs.Finished(runs.Outcome.CANCELLED))
    assert w.status(uid)["failed"] == 1
    assert w.status(uid)["recentRuns"][0]["reason"].endswith("DeadlineExceeded")


def test_an_attempt_over_its_deadline_is_retried_while_the_run_has_time() -> None:
    w, uid = world(schedule="@every 1h", attemptDeadlineSeconds=20, backoffLimit=1)
    w.pass_time(3600, step=60)
    w.answer(w.sent()[-1], runs.Accepted())
    w.pass_time(20)
    w.answer(w.sent("cancel")[-1], runs.Finished(runs.Outcome.CANCELLED))
    w.pass_time(3)
    assert len(w.sent()) == 2
    w.succeed(w.sent()[-1])
    assert w.status(uid)["succeeded"] == 1


def test_late_doubled_and_foreign_answers_change_nothing() -> None:
    w, uid = world()
    w.pass_time(10)
    request = w.sent()[-1]
    w.succeed(request)
    w.succeed(request)
    w.engine.on_event(runs.Attempt("no-such-run", 1, request.about.pod_uid), runs.Finished(runs.Outcome.FAILED))
    assert w.status(uid)["succeeded"] == 1
    assert w.status(uid)["failed"] == 0
    assert len(w.observer.ignored_events) == 2


def test_the_run_id_names_task_and_tick() -> None:
    w, uid = world()
    w.pass_time(10)
    assert w.sent()[0].run_id == tick_run_id(uid, int(START) + 10)


def test_a_container_killed_for_its_memory_costs_no_retry_and_a_crash_does() -> None:
    w, uid = world(schedule="@every 1h", backoffLimit=0)
    w.pass_time(3600, step=60)
    pod = w.sent()[0].pod
    w.answer(w.sent()[0], runs.Accepted())
    w.worker(pod, started="t1", ended="OOMKilled")
    w.answer(w.sent()[0], runs.WorkerLost("WorkerCrashed", counted=True))
    assert len(w.sent()) == 2
    assert w.sent()[1].pod != pod
    assert w.status(uid)["active"][0]["reason"] == "OOMKilled"
    w.answer(w.sent()[1], runs.Accepted())
    w.worker(w.sent()[1].pod, started="t1", ended="Error")
    w.answer(w.sent()[1], runs.WorkerLost("WorkerCrashed", counted=True))
    assert len(w.sent()) == 2
    assert w.status(uid)["failed"] == 1


def test_a_pod_that_should_be_gone_and_cannot_be_reached_is_on_a_node_that_is_lost() -> None:
    w, _ = world(schedule="@every 1h")
    w.pass_time(3600, step=60)
    pod = w.sent()[0].pod
    w.answer(w.sent()[0], runs.Accepted())
    w.worker(pod, ready=False, gone_after=w.clock.now() + 20)
    w.pass_time(15.5)
    w.answer(w.sent("ask")[-1], runs.Unreachable())
    assert len(w.sent()) == 1
    w.pass_time(15)
    w.answer(w.sent("ask")[-1], runs.Unreachable())
    assert len(w.sent()) == 2
    assert w.sent()[1].pod != pod


def test_a_worker_that_refused_a_run_has_nothing_more_to_say_of_it() -> None:
    w, uid = world()
    w.pass_time(10)
    w.answer(w.sent()[0], runs.Refused("WorkerBusy", pause=3))
    w.answer(w.sent()[0], runs.Finished(runs.Outcome.SUCCEEDED))
    assert w.status(uid)["succeeded"] == 0
    w.succeed(w.sent()[1])
    assert w.status(uid)["succeeded"] == 1


def test_a_pod_that_moves_to_another_pool_keeps_the_runs_it_has() -> None:
    w, uid = world()
    w.pass_time(10)
    pod = w.sent()[0].pod
    w.answer(w.sent()[0], runs.Accepted())
    w.worker(pod, pool="other")
    w.engine.forget_worker(f"uid-{pod}", "Evicted")
    assert len(w.sent()) == 2
    assert w.status(uid)["active"][0]["reason"] == "Evicted"


def test_a_run_that_is_named_by_the_cancel_annotation_is_told_to_stop() -> None:
    world = World()
    world.worker()
    uid = world.task()
    world.pass_time(10)
    (request,) = world.sent()
    world.answer(request, runs.Accepted())

    world.task(uid=uid, annotations={"warmcron.dev/cancel": "another"})
    assert not world.sent("cancel")
    for _ in range(2):  # the annotation stays, and comes again with every event of the object
        world.task(uid=uid, annotations={"warmcron.dev/cancel": request.run_id})
    world.answer(request, runs.Finished(runs.Outcome.CANCELLED))

    assert len(world.sent("cancel")) == 1
    assert world.status(uid)["recentRuns"][0]["outcome"] == "Cancelled"
    assert world.status(uid)["recentRuns"][0]["reason"] == "CancelledByUser"
