"""A new leader: nothing that the one before it did is repeated or lost."""

from typing import Any

from fakes.engine import START, Request, World
from warmcron.core import runs
from warmcron.core.tasks import PoolKey, manual_run_id, tick_run_id
from warmcron.workers.protocol import Report

POOL = PoolKey("ns", "p")


def successor(before: World, uid: str, *, later: float = 0.0, written: bool = True, **spec: Any) -> World:
    """A standby that has seen what the API server has, and takes over."""
    status = before.status(uid) if written else {}
    after = World(leading=False, now=before.clock.now() + later)
    for worker in before.engine.pool.all():
        after.worker(worker.name)
    after.task(written=status, created=START, **spec)
    return after


def take_over(w: World, *reports: Report) -> None:
    for key in w.engine.lead():
        w.engine.open_pool(key, list(reports))
    w.turn()


def report(of: Request, event: runs.Event, uid: str, *, trigger: str = "Schedule") -> Report:
    return Report(of.run_id, of.attempt, f"uid-{of.pod}", event, uid, of.scheduled, trigger)


def one_run(**spec: Any) -> tuple[World, str]:
    w = World()
    w.worker("pod-a")
    w.worker("pod-b")
    uid = w.task(**spec)
    w.pass_time(10)
    return w, uid


def test_a_follower_sends_nothing() -> None:
    w = World(leading=False)
    w.worker("pod-a")
    w.task()
    w.pass_time(60)
    assert w.sent() == []


def test_a_run_that_goes_on_is_adopted_and_not_repeated() -> None:
    before, uid = one_run()
    request = before.sent()[0]
    before.answer(request, runs.Accepted())
    after = successor(before, uid, later=1)
    take_over(after, report(request, runs.Accepted(), uid))
    assert after.sent() == []
    after.answer(request, runs.Finished(runs.Outcome.SUCCEEDED))
    assert after.status(uid)["succeeded"] == 1


def test_a_run_that_was_sent_and_never_written_down_is_found_on_its_worker() -> None:
    before, uid = one_run()
    request = before.sent()[0]
    after = successor(before, uid, later=1, written=False)
    take_over(after, report(request, runs.Finished(runs.Outcome.SUCCEEDED), uid))
    assert after.sent() == []
    assert after.status(uid)["succeeded"] == 1
    after.pass_time(9)
    assert [r.scheduled - START for r in after.sent()] == [20]


def test_a_tick_that_nobody_sent_is_sent_by_the_new_leader() -> None:
    before, uid = one_run()
    before.succeed(before.sent()[0])
    after = successor(before, uid, later=13)
    take_over(after)
    assert [r.scheduled - START for r in after.sent()] == [20]
    assert after.sent()[0].run_id == tick_run_id(uid, int(START) + 20)


def test_a_run_that_ended_meanwhile_is_counted_once() -> None:
    before, uid = one_run()
    request = before.sent()[0]
    before.answer(request, runs.Accepted())
    after = successor(before, uid, later=1)
    known = report(request, runs.Finished(runs.Outcome.SUCCEEDED), uid)
    take_over(after, known)
    after.answer(request, runs.Finished(runs.Outcome.SUCCEEDED))
    assert after.status(uid)["succeeded"] == 1
    assert after.sent() == []


def test_a_run_whose_pod_is_gone_is_repeated_under_its_id() -> None:
    before, uid = one_run()
    request = before.sent()[0]
    before.answer(request, runs.Accepted())
    status = before.status(uid)
    after = World(leading=False, now=before.clock.now() + 1)
    after.worker("pod-z")
    after.task(written=status, created=START)
    take_over(after)
    (again,) = after.sent()
    assert (again.run_id, again.attempt, again.pod) == (request.run_id, 2, "pod-z")


def test_a_run_that_its_worker_does_not_know_is_fenced_before_it_is_repeated() -> None:
    before, uid = one_run()
    request = before.sent()[0]
    after = successor(before, uid, later=1)
    take_over(after)
    assert after.sent() == []
    (fence,) = after.sent("fence")
    assert fence.pod == request.pod
    after.answer(fence, runs.Fenced())
    assert [(r.run_id, r.attempt) for r in after.sent()] == [(request.run_id, 2)]


def test_a_run_that_waited_for_its_retry_goes_on() -> None:
    before, uid = one_run(schedule="@every 10s", backoffLimit=5)
    before.fail(before.sent()[0])
    after = successor(before, uid, later=1, backoffLimit=5)
    take_over(after)
    assert [(r.run_id, r.attempt) for r in after.sent()] == [(before.sent()[0].run_id, 2)]


def test_a_manual_run_is_neither_lost_nor_doubled() -> None:
    w = World()
    w.worker("pod-a")
    annotations = {"warmcron.dev/trigger": "v"}
    uid = w.task(schedule="0 0 1 1 *", annotations=annotations)
    request = w.sent()[0]
    assert request.run_id == manual_run_id(uid, "v")
    adopted = successor(w, uid, written=False, schedule="0 0 1 1 *", annotations=annotations)
    take_over(adopted, report(request, runs.Accepted(), uid, trigger="Manual"))
    assert adopted.sent() == []
    lost = successor(w, uid, written=False, schedule="0 0 1 1 *", annotations=annotations)
    take_over(lost)
    assert [r.run_id for r in lost.sent()] == [request.run_id]


def test_a_pool_that_is_still_being_asked_holds_back_only_its_own_tasks() -> None:
    w = World(leading=False)
    w.worker("pod-a")
    w.worker("pod-q", pool="q")
    w.task("in-p")
    w.task("in-q", pool="q")
    assert set(w.engine.lead()) == {POOL, PoolKey("ns", "q")}
    w.engine.open_pool(PoolKey("ns", "q"), [])
    w.pass_time(10)
    assert [r.pod for r in w.sent()] == ["pod-q"]
    w.engine.open_pool(POOL, [])
    w.turn()
    assert sorted(r.pod for r in w.sent()) == ["pod-a", "pod-q"]


def test_after_the_term_nothing_is_sent_and_answers_change_nothing() -> None:
    w, uid = one_run()
    request = w.sent()[0]
    w.engine.follow()
    w.succeed(request)
    w.pass_time(60)
    assert len(w.sent()) == 1
    assert w.engine.status_of(uid) is None


def test_while_the_gate_is_shut_a_due_run_waits() -> None:
    w, _ = one_run()
    w.succeed(w.sent()[0])
    w.gate.open = False
    w.pass_time(12)
    assert len(w.sent()) == 1
    w.gate.open = True
    w.turn()
    assert [r.scheduled - START for r in w.sent()] == [10, 20]


def test_missed_ticks_are_counted_and_the_latest_runs() -> None:
    before, uid = one_run()
    before.succeed(before.sent()[0])
    after = successor(before, uid, later=120)
    take_over(after)
    status = after.status(uid)
    # 20 to 120 were missed; 130 is due right now.
    assert [r.scheduled - START for r in after.sent()] == [130]
    assert (status["missed"], status["skipped"]) == (11, 11)


def test_a_schedule_edited_while_nobody_looked_fires_nothing_of_the_past() -> None:
    before, uid = one_run()
    before.succeed(before.sent()[0])
    after = successor(before, uid, later=3600, schedule="*/5 * * * *", generation=2)
    take_over(after)
    assert after.sent() == []


def test_what_waits_in_the_queue_does_not_start_in_a_task_that_was_suspended_meanwhile() -> None:
    before, uid = one_run(concurrencyPolicy="Queue")
    before.answer(before.sent()[0], runs.Accepted())
    before.pass_time(10)
    after = successor(before, uid, later=5, concurrencyPolicy="Queue", suspend=True, generation=2)
    take_over(after, report(before.sent()[0], runs.Finished(runs.Outcome.SUCCEEDED), uid))
    assert after.sent() == []
    assert after.observer.skips == [("Suspended", 1)]
    assert after.status(uid)["succeeded"] == 1


def test_what_waits_in_the_queue_waits_for_all_that_goes_on() -> None:
    before, uid = one_run(concurrencyPolicy="Allow")
    before.pass_time(10)
    for request in before.sent():
        before.answer(request, runs.Accepted())
    before.task(concurrencyPolicy="Queue", generation=2, created=START)
    before.pass_time(10)
    assert len(before.sent()) == 2
    after = successor(before, uid, later=1, concurrencyPolicy="Queue", generation=2)
    ended, going = before.sent()
    finished = report(ended, runs.Finished(runs.Outcome.SUCCEEDED), uid)
    take_over(after, finished, report(going, runs.Accepted(), uid))
    assert after.sent() == []
    after.succeed(going)
    assert [request.scheduled - START for request in after.sent()] == [30]


def test_what_waits_in_the_queue_is_the_next_leaders_to_start() -> None:
    before, uid = one_run(concurrencyPolicy="Queue")
    request = before.sent()[0]
    before.answer(request, runs.Accepted())
    before.pass_time(10)
    after = successor(before, uid, later=1, concurrencyPolicy="Queue")
    take_over(after, report(request, runs.Accepted(), uid))
    assert after.sent() == []
    after.answer(request, runs.Finished(runs.Outcome.SUCCEEDED))
    assert [r.scheduled - START for r in after.sent()] == [20]
    assert after.status(uid)["skipped"] == 0


def test_a_manual_run_is_repeated_with_its_own_payload() -> None:
    w = World()
    w.worker("pod-a")
    annotations = {"warmcron.dev/trigger": "v", "warmcron.dev/trigger-payload": '{"own":1}'}
    spec: dict[str, Any] = {"schedule": "0 0 1 1 *", "payload": {"own": 0}, "annotations": annotations}
    uid = w.task(**spec)
    w.fail(w.sent()[0])
    after = successor(w, uid, later=1, **spec)
    take_over(after)
    assert [r.payload for r in after.sent()] == [b'{"own":1}']


def test_a_manual_run_that_ended_unseen_is_not_begun_again() -> None:
    w = World()
    w.worker("pod-a")
    annotations = {"warmcron.dev/trigger": "v"}
    uid = w.task(schedule="0 0 1 1 *", annotations=annotations)
    after = successor(w, uid, written=False, schedule="0 0 1 1 *", annotations=annotations)
    take_over(after, report(w.sent()[0], runs.Finished(runs.Outcome.SUCCEEDED), uid, trigger="Manual"))
    assert after.sent() == []
    assert after.status(uid)["succeeded"] == 1


def test_a_run_of_a_task_that_was_suspended_meanwhile_is_adopted() -> None:
    before, uid = one_run()
    request = before.sent()[0]
    after = successor(before, uid, later=1, written=False, suspend=True)
    take_over(after, report(request, runs.Finished(runs.Outcome.SUCCEEDED), uid))
    assert after.status(uid)["succeeded"] == 1
    assert after.sent() == []


def test_a_run_that_no_tick_or_trigger_asks_for_is_not_believed() -> None:
    before, uid = one_run()
    after = successor(before, uid, later=1, written=False)
    made_up = Report("made-up", 1, "uid-pod-a", runs.Finished(runs.Outcome.SUCCEEDED), uid, int(START) + 10)
    take_over(after, made_up)
    assert after.status(uid)["succeeded"] == 0
    assert len(after.sent()) == 1


def test_a_worker_that_says_no_more_than_run_ids_is_heard() -> None:
    before, uid = one_run()
    request = before.sent()[0]
    after = successor(before, uid, later=1)
    take_over(after, Report(request.run_id, 1, f"uid-{request.pod}", runs.Accepted()))
    assert after.sent("fence") == []
    assert after.status(uid)["activeCount"] == 1


def test_a_leader_that_leads_again_at_once_has_lost_nothing() -> None:
    w, uid = one_run()
    request = w.sent()[0]
    w.answer(request, runs.Accepted())
    w.engine.follow()
    take_over(w)
    assert len(w.sent()) == 1
    assert [fence.about for fence in w.sent("fence")] == [request.about]
    w.succeed(request)
    assert w.status(uid)["succeeded"] == 1


def test_a_task_held_after_failures_and_edited_while_nobody_led_goes_on() -> None:
    before, uid = one_run(backoffLimit=0, suspendAfterFailures=1)
    before.fail(before.sent()[0])
    assert before.condition(uid, "Ready")[1] == "SuspendedAfterFailures"
    after = successor(before, uid, later=105, backoffLimit=0, suspendAfterFailures=1, generation=2)
    take_over(after)
    assert after.sent() == []
    after.pass_time(5)
    assert [r.scheduled - START for r in after.sent()] == [120]
    assert after.status(uid)["missed"] == 0


def test_a_spec_corrected_while_nobody_led_fires_nothing_of_the_time_it_was_wrong() -> None:
    before = World()
    before.worker("pod-a")
    uid = before.task(routingPolicy="Nonsense")
    assert before.condition(uid, "Ready")[0] == "False"
    after = successor(before, uid, later=1005, generation=2)
    take_over(after)
    assert after.sent() == []
    assert after.status(uid)["missed"] == 0


def test_a_run_that_is_to_be_replaced_is_told_so_by_the_next_leader() -> None:
    before, uid = one_run(concurrencyPolicy="Replace")
    request = before.sent()[0]
    before.answer(request, runs.Accepted())
    before.pass_time(10)  # told to stop; the leader dies before that leaves
    after = successor(before, uid, later=1, concurrencyPolicy="Replace")
    take_over(after, report(request, runs.Accepted(), uid))
    assert [r.run_id for r in after.sent("cancel")] == [request.run_id]
    after.answer(request, runs.Finished(runs.Outcome.CANCELLED))
    assert [r.scheduled - START for r in after.sent()] == [20]


def test_an_attempt_over_its_deadline_is_ended_by_the_next_leader_too() -> None:
    before, uid = one_run(attemptDeadlineSeconds=20, schedule="@every 10m", created=START - 590)
    request = before.sent()[0]
    before.answer(request, runs.Accepted())
    after = World(leading=False, now=before.clock.now() + 5)
    after.worker("pod-a")
    after.worker("pod-b")
    after.task(written=before.status(uid), created=START - 590, attemptDeadlineSeconds=20, schedule="@every 10m")
    take_over(after, report(request, runs.Accepted(), uid))
    after.pass_time(14)
    assert after.sent("cancel") == []
    after.pass_time(2)
    assert [r.run_id for r in after.sent("cancel")] == [request.run_id]


def test_what_waits_in_the_queue_waits_for_every_run_that_is_taken_over() -> None:
    """Two runs of an edited task go on; the first one found has ended. The queue's turn comes after the second."""
    before, uid = one_run(concurrencyPolicy="Allow")
    before.pass_time(10)
    first, second = before.sent()
    for request in (first, second):
        before.answer(request, runs.Accepted())
    before.task(generation=2, created=START, concurrencyPolicy="Queue")
    before.pass_time(10)
    after = successor(before, uid, later=1, generation=2, concurrencyPolicy="Queue")
    take_over(after, report(first, runs.Finished(runs.Outcome.SUCCEEDED), uid), report(second, runs.Accepted(), uid))
    assert after.sent() == []
    after.answer(second, runs.Finished(runs.Outcome.SUCCEEDED))
    assert [r.scheduled - START for r in after.sent()] == [30]


def test_runs_of_a_task_whose_spec_became_wrong_while_nobody_led_do_not_end_without_a_word() -> None:
    before, uid = one_run()
    request = before.sent()[0]
    before.answer(request, runs.Accepted())
    after = successor(before, uid, later=1, routingPolicy="Nonsense", generation=2)
    take_over(after)
    status = after.status(uid)
    (record,) = status["recentRuns"]
    assert (record["runId"], record["outcome"], record["reason"]) == (request.run_id, "Unknown", "InvalidSpec")
    assert (status["failed"], status["activeCount"]) == (1, 0)


def test_a_run_that_ends_while_its_tasks_spec_is_wrong_is_recorded() -> None:
    w, uid = one_run()
    w.answer(w.sent()[0], runs.Accepted())
    w.task(generation=2, created=START, routingPolicy="Nonsense")
    w.succeed(w.sent()[0])
    assert [record["outcome"] for record in w.status(uid)["recentRuns"]] == ["Succeeded"]


def test_what_waits_in_the_queue_of_such_a_task_is_skipped() -> None:
    before, uid = one_run(concurrencyPolicy="Queue")
    before.answer(before.sent()[0], runs.Accepted())
    before.pass_time(10)
    after = successor(before, uid, later=1, routingPolicy="Nonsense", generation=2)
    take_over(after)
    outcomes = [(each["outcome"], each["reason"]) for each in after.status(uid)["recentRuns"]]
    assert outcomes == [("Skipped", "InvalidSpec"), ("Unknown", "InvalidSpec")]
    assert (after.status(uid)["failed"], after.status(uid)["skipped"]) == (1, 1)


# ---- what a new leader writes --------------------------------------------------------------------------------


def test_of_a_task_of_which_the_object_says_all_a_new_leader_writes_nothing() -> None:
    before, uid = one_run()
    before.succeed(before.sent()[0])
    after = successor(before, uid, later=1)
    take_over(after)
    assert after.recorder.noted == []


def test_what_a_new_leader_comes_to_know_it_writes() -> None:
    before, uid = one_run()
    before.succeed(before.sent()[0])
    changes: dict[str, dict[str, Any]] = {"an edit": {"generation": 2}, "no worker": {"pool": "elsewhere"}}
    for what, spec in changes.items():
        after = successor(before, uid, later=1, **spec)
        take_over(after)
        assert [who for who, _ in after.recorder.noted] == [uid], what
    after = successor(before, uid, later=1, written=False)
    take_over(after)
    assert uid in {who for who, _ in after.recorder.noted}


def test_who_leads_again_writes_what_it_may_have_had_no_time_to_write() -> None:
    w, uid = one_run()
    w.succeed(w.sent()[0])
    w.engine.follow()
    w.recorder.noted.clear()
    take_over(w)
    assert [who for who, _ in w.recorder.noted] == [uid]
