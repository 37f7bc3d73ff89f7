"""What users ask for in a spec, as the engine keeps it."""

from typing import Any

from fakes.engine import START, World
from warmcron.core import runs, times
from warmcron.engine import fleet


def world(*, workers: int = 2, **spec: Any) -> tuple[World, str]:
    found = World()
    for number in range(workers):
        found.worker(f"pod-{number}")
    return found, found.task(**spec)


def test_forbid_skips_a_tick_while_a_run_goes_on_and_counts_it() -> None:
    w, uid = world()
    w.pass_time(10)
    w.answer(w.sent()[-1], runs.Accepted())
    w.pass_time(10)
    assert len(w.sent()) == 1
    assert w.observer.skips == [("ForbidConcurrent", 1)]
    assert w.status(uid)["skipped"] == 1
    assert w.status(uid)["recentRuns"][0]["outcome"] == "Skipped"


def test_allow_lets_runs_overlap() -> None:
    w, uid = world(concurrencyPolicy="Allow")
    w.pass_time(30)
    assert len(w.sent()) == 3
    assert w.status(uid)["activeCount"] == 3


def test_queue_starts_what_waits_when_the_run_before_has_ended() -> None:
    w, uid = world(concurrencyPolicy="Queue", maxQueuedRuns=1)
    w.pass_time(30)
    assert len(w.sent()) == 1
    assert w.observer.skips == [("QueueFull", 1)]
    w.succeed(w.sent()[0])
    assert [request.scheduled - START for request in w.sent()] == [10, 20]
    assert w.status(uid)["skipped"] == 1


def test_replace_cancels_what_runs_before_the_new_one_starts() -> None:
    w, uid = world(concurrencyPolicy="Replace")
    w.pass_time(10)
    w.answer(w.sent()[0], runs.Accepted())
    w.pass_time(10)
    assert len(w.sent()) == 1
    (cancel,) = w.sent("cancel")
    w.answer(cancel, runs.Finished(runs.Outcome.CANCELLED))
    assert [request.scheduled - START for request in w.sent()] == [10, 20]
    assert w.status(uid)["recentRuns"][0]["outcome"] == "Cancelled"
    assert w.status(uid)["recentRuns"][0]["reason"] == "Replaced"


def test_without_a_ready_worker_a_run_waits_and_says_so() -> None:
    w, uid = world(workers=0)
    w.pass_time(10)
    assert w.sent() == []
    assert w.condition(uid, "WorkersAvailable")[:2] == ("False", "NoReadyWorker")
    assert w.status(uid)["active"][0]["reason"] == "NoReadyWorker"
    w.worker("pod-late")
    assert len(w.sent()) == 1
    assert w.condition(uid, "WorkersAvailable")[:2] == ("True", "WorkersReady")


def test_without_a_ready_worker_skip_skips() -> None:
    w, uid = world(workers=0, noWorkerPolicy="Skip")
    w.pass_time(10)
    assert w.status(uid)["skipped"] == 1
    assert w.status(uid)["recentRuns"][0]["reason"] == "NoReadyWorker"
    assert w.status(uid)["activeCount"] == 0


def test_a_run_that_waits_past_its_starting_deadline_is_skipped() -> None:
    w, uid = world(workers=0, startingDeadlineSeconds=5, schedule="@every 1h")
    w.pass_time(3600, step=60)
    w.pass_time(6)
    assert w.status(uid)["recentRuns"][0]["reason"] == "StartingDeadlineExceeded"
    w.worker("pod-late")
    assert w.sent() == []


def test_a_handler_that_no_worker_has_fails_the_run_with_that_reason() -> None:
    w, uid = world(handler="other")
    w.pass_time(10)
    assert w.sent() == []
    assert w.status(uid)["recentRuns"][0]["reason"] == "HandlerUnknown"


def test_more_runs_than_places_wait_their_turn() -> None:
    w = World()
    w.worker("pod-a", concurrency=2)
    for number in range(5):
        w.task(f"task-{number}")
    w.pass_time(10)
    assert len(w.sent()) == 2
    for served in range(5):
        w.succeed(w.sent()[served])
    assert len(w.sent()) == 5
    assert len({request.run_id for request in w.sent()}) == 5


def test_suspended_time_is_never_missed() -> None:
    w, uid = world(suspend=True)
    w.pass_time(65)
    assert w.sent() == []
    assert w.status(uid)["nextScheduleTime"] is None
    assert w.condition(uid, "Ready")[:2] == ("True", "Suspended")
    w.task(generation=2, suspend=False, created=START)
    w.turn()
    assert w.sent() == []
    w.pass_time(5)
    assert [request.scheduled - START for request in w.sent()] == [70]
    assert w.status(uid)["missed"] == 0


def test_a_tick_of_the_moment_at_which_a_task_is_suspended_or_resumed_is_the_new_spec_s() -> None:
    w, uid = world()
    w.pass_time(9)
    w.clock.time += 1  # its tick is due, and nobody has looked yet
    w.task(generation=2, suspend=True, created=START)
    w.pass_time(10)
    assert w.sent() == []
    assert w.status(uid)["skipped"] == 0
    w.task(generation=3, created=START)
    w.turn()
    assert [request.scheduled - START for request in w.sent()] == [20]


def test_an_edit_of_the_schedule_never_fires_what_lies_before_it() -> None:
    w, uid = world(schedule="0 0 1 1 *")
    w.pass_time(100)
    w.task(generation=2, schedule="@every 30s", created=START)
    w.turn()
    assert w.sent() == []
    w.pass_time(25)
    assert [request.scheduled - START for request in w.sent()] == [120]
    assert w.status(uid)["scheduleChangedTime"] == times.text(START + 99)


def test_a_spec_that_cannot_be_done_is_marked_and_starts_nothing() -> None:
    w, uid = world(schedule="0 0 30 2 *")
    w.pass_time(60)
    assert w.sent() == []
    ready, reason, message = w.condition(uid, "Ready")
    assert (ready, reason) == ("False", "InvalidSchedule")
    assert message.startswith("spec.schedule:")


def test_a_field_without_its_behaviour_is_not_accepted_in_silence() -> None:
    w, uid = world(routingPolicy="Broadcast", deliveryPolicy="AtMostOnce")
    assert w.condition(uid, "Ready")[:2] == ("False", "NotSupported")


def test_a_manual_run_happens_once_for_each_new_value() -> None:
    w, uid = world(schedule="0 0 1 1 *")
    for value in ("one", "one", "two"):
        w.task(schedule="0 0 1 1 *", created=START, annotations={"warmcron.dev/trigger": value})
        w.turn()
        for request in w.sent():
            w.succeed(request)
    assert len(w.sent()) == 2
    status = w.status(uid)
    assert status["lastTrigger"] == "two"
    assert status["recentRuns"][0]["trigger"] == "Manual"
    assert status["lastScheduleTime"] is None


def test_a_manual_run_takes_its_own_payload() -> None:
    w, _ = world(schedule="0 0 1 1 *", payload={"a": 1})
    annotations = {"warmcron.dev/trigger": "x", "warmcron.dev/trigger-payload": '{"b":2}'}
    w.task(schedule="0 0 1 1 *", payload={"a": 1}, created=START, annotations=annotations)
    assert w.sent()[0].payload == b'{"b":2}'


def test_a_manual_run_with_a_bad_payload_is_refused_with_the_annotation_named() -> None:
    w, uid = world(schedule="0 0 1 1 *")
    annotations = {"warmcron.dev/trigger": "x", "warmcron.dev/trigger-payload": "[1]"}
    w.task(schedule="0 0 1 1 *", created=START, annotations=annotations)
    assert w.sent() == []
    assert "warmcron.dev/trigger-payload" in w.status(uid)["recentRuns"][0]["reason"]


def test_failures_in_a_row_stop_the_task_until_it_is_edited() -> None:
    w, uid = world(backoffLimit=0, suspendAfterFailures=2)
    for _ in range(5):
        w.pass_time(10)
        if len(w.sent()) > w.status(uid)["failed"]:
            w.fail(w.sent()[-1])
    assert w.status(uid)["failed"] == 2
    assert w.condition(uid, "Ready")[1] == "SuspendedAfterFailures"
    w.task(generation=2, backoffLimit=1, suspendAfterFailures=2, created=START)
    w.pass_time(10)
    assert len(w.sent()) == 3


def test_deleting_a_task_cancels_what_runs() -> None:
    w, uid = world()
    w.pass_time(10)
    w.answer(w.sent()[0], runs.Accepted())
    w.engine.forget_task(uid)
    assert len(w.sent("cancel")) == 1
    assert w.engine.status_of(uid) is None
    w.pass_time(60)
    assert len(w.sent()) == 1


def test_a_status_keeps_only_as_many_runs_as_asked() -> None:
    w, uid = world(historyLimit=2)
    for _ in range(4):
        w.pass_time(10)
        w.succeed(w.sent()[-1])
    assert len(w.status(uid)["recentRuns"]) == 2
    assert w.status(uid)["succeeded"] == 4


def test_round_robin_lets_each_task_take_its_own_turns() -> None:
    w, one = world(routingPolicy="RoundRobin")
    two = w.task("two", routingPolicy="RoundRobin")
    for _ in range(2):
        w.pass_time(10)
        for request in w.sent()[-2:]:
            w.succeed(request)
    for uid in (one, two):
        assert sorted(run["podName"] for run in w.status(uid)["recentRuns"]) == ["pod-0", "pod-1"]


def test_a_retry_that_would_come_after_the_deadline_is_not_waited_for() -> None:
    w, uid = world(activeDeadlineSeconds=3, backoff={"initialSeconds": 60})
    w.pass_time(10)
    w.fail(w.sent()[-1])
    (record,) = w.status(uid)["recentRuns"]
    assert (record["outcome"], record["reason"], record["attempts"]) == ("Failed", "boom", 1)


def test_a_run_that_waits_for_a_worker_at_its_deadline_counts_only_what_was_sent() -> None:
    w, uid = world(workers=1, activeDeadlineSeconds=5)
    w.pass_time(10)
    w.engine.forget_worker(w.engine.pool.all()[0].uid, "Evicted")
    w.pass_time(6)
    record = w.status(uid)["recentRuns"][0]
    assert (record["outcome"], record["attempts"]) == ("Failed", 1)


def test_resuming_does_not_pass_for_a_tick() -> None:
    w, uid = world()
    w.pass_time(10)
    w.succeed(w.sent()[-1])
    w.task(generation=2, suspend=True, created=START)
    w.pass_time(30)
    w.task(generation=3, created=START)
    status = w.status(uid)
    assert status["lastScheduleTime"] == times.text(START + 10)
    assert status["scheduleChangedTime"] == times.text(START + 39)


def test_suspending_gives_up_the_ticks_that_wait_and_keeps_the_manual_run() -> None:
    w, uid = world(concurrencyPolicy="Queue")
    w.pass_time(20)
    annotations = {"warmcron.dev/trigger": "x"}
    w.task(concurrencyPolicy="Queue", created=START, annotations=annotations)
    w.task(concurrencyPolicy="Queue", created=START, annotations=annotations, generation=2, suspend=True)
    assert w.observer.skips == [("Suspended", 1)]
    w.succeed(w.sent()[0])
    assert len(w.sent()) == 2
    w.succeed(w.sent()[1])
    assert [run["trigger"] for run in w.status(uid)["recentRuns"]] == ["Manual", "Schedule", "Schedule"]


def test_a_spec_that_becomes_wrong_gives_up_the_ticks_that_wait_with_that_reason() -> None:
    w, uid = world(concurrencyPolicy="Queue")
    w.pass_time(20)
    w.task(concurrencyPolicy="Queue", created=START, generation=2, schedule="0 0 30 2 *")
    assert w.observer.skips == [("InvalidSchedule", 1)]
    w.succeed(w.sent()[0])
    assert len(w.sent()) == 1
    assert w.status(uid)["succeeded"] == 1


def test_a_queue_whose_runs_end_at_once_is_served_to_its_end() -> None:
    w, uid = world(concurrencyPolicy="Queue", maxQueuedRuns=100, handler="other", historyLimit=1)
    w.worker("pod-0", handlers=frozenset({"other"}))
    pod = w.engine.pool.get("uid-pod-0")
    assert pod is not None
    pod.handlers = frozenset({"other"})
    w.engine.pool.update(pod)
    w.pass_time(1000)
    pod.handlers = frozenset({"h"})
    w.engine.pool.update(pod)
    w.succeed(w.sent()[0])
    assert len(w.sent()) == 1
    assert (w.status(uid)["failed"], w.status(uid)["activeCount"]) == (99, 0)


def test_a_tick_whose_jitter_an_edit_overtakes_ends_as_a_record() -> None:
    w, uid = world(schedule="0 * * * *", jitterSeconds=3000)
    w.pass_time(3660, step=60)
    assert w.sent() == []
    w.task(generation=2, schedule="30 6 * * *", jitterSeconds=3000, created=START)
    assert w.observer.skips == [("ScheduleChanged", 1)]
    record = w.status(uid)["recentRuns"][0]
    assert (record["outcome"], record["scheduledTime"]) == ("Skipped", times.text(START + 3600))
    w.pass_time(3600, step=60)
    assert w.sent() == []


def test_replacing_a_run_that_its_worker_may_not_have_yet_fences_it_first() -> None:
    w, _ = world(concurrencyPolicy="Replace")
    w.pass_time(20)
    assert w.sent("cancel") == []
    (fence,) = w.sent("fence")
    w.answer(fence, runs.Fenced())
    assert [request.scheduled - START for request in w.sent()] == [10, 20]


def test_under_allow_there_is_an_end_to_what_goes_on_at_once() -> None:
    w = World()
    w.worker("pod-a", concurrency=1000)
    uid = w.task(concurrencyPolicy="Allow", schedule="@every 1s")
    w.pass_time(140, step=1)
    assert w.status(uid)["activeCount"] == 128
    assert w.observer.skips == [("TooManyActiveRuns", 1)] * 12


def test_runs_that_wait_for_one_handler_do_not_hold_up_those_of_another() -> None:
    w = World()
    w.worker("pod-a", handlers=frozenset({"a"}), concurrency=1)
    w.worker("pod-b", handlers=frozenset({"b"}), concurrency=1)
    for number in range(150):
        w.task(f"a-{number:03}", handler="a")
    for name in ("b-0", "b-1"):
        w.task(name, handler="b")
    w.pass_time(10)
    (first,) = [request for request in w.sent() if request.pod == "pod-b"]
    w.succeed(first)
    assert len([request for request in w.sent() if request.pod == "pod-b"]) == 2


def test_every_task_of_a_large_pool_says_whether_there_are_workers() -> None:
    w = World()
    uids = [w.task(name=f"task-{number}") for number in range(3 * fleet.SLICE)]

    def available() -> set[str]:
        w.turn()
        return {
            condition["status"]
            for uid in uids
            for condition in w.status(uid)["conditions"]
            if condition["type"] == "WorkersAvailable"
        }

    assert available() == {"False"}
    w.worker("a")
    assert available() == {"True"}
    w.recorder.noted.clear()
    w.worker("b")
    assert w.recorder.noted == [], "another worker says nothing new to a task"
    w.engine.forget_worker("uid-b", "PodDeleted")
    assert available() == {"True"}
    w.engine.forget_worker("uid-a", "PodDeleted")
    assert available() == {"False"}
