"""AtMostOnce: nothing is sent before it is written down, and nothing is repeated that a worker may have had."""

from typing import Any

from fakes.engine import START, World
from warmcron.core import runs
from warmcron.engine import intents

ONCE: dict[str, Any] = {"deliveryPolicy": "AtMostOnce", "schedule": "@every 1h"}


def world(*, due: bool = True, **spec: Any) -> tuple[World, str]:
    w = World()
    w.worker("pod-a")
    w.worker("pod-b")
    uid = w.task(**ONCE | spec)
    if due:
        w.pass_time(3600, step=60)
    return w, uid


def successor(before: World, uid: str, *, pods: tuple[str, ...] = ("pod-a", "pod-b"), **spec: Any) -> World:
    after = World(leading=False, now=before.clock.now() + 1)
    after.gate.epoch = before.gate.epoch + 1
    for pod in pods:
        after.worker(pod)
    after.task(written=before.status(uid), created=START, **ONCE | spec)
    after.lead()
    after.turn()
    return after


def outcome(w: World, uid: str) -> tuple[str, str]:
    record = w.status(uid)["recentRuns"][0]
    return record["outcome"], record.get("reason", "")


def test_nothing_is_sent_before_the_intent_is_committed() -> None:
    w, uid = world(due=False)
    w.intents.at_once = False
    w.pass_time(3600, step=60)
    assert w.sent() == []
    (about,) = w.intents.asked
    (active,) = w.status(uid)["active"]
    assert (active["runId"], active["attempt"], active["podUID"]) == (about.run_id, 1, about.pod_uid)
    assert active["epoch"] == w.gate.epoch
    w.intents.answer(about, runs.Committed())
    assert [r.about for r in w.sent()] == [about]


def test_an_intent_that_is_not_certain_is_tried_again_and_nothing_was_sent_meanwhile() -> None:
    w, _ = world(due=False)
    w.intents.at_once = False
    w.pass_time(3600, step=60)
    w.intents.answer(w.intents.asked[0], runs.NotCommitted("StatusNotWritten"))
    w.intents.answer(w.intents.asked[0], runs.Committed())  # late: that choice is given up
    assert w.sent() == []
    w.pass_time(2)
    w.intents.answer(w.intents.asked[1], runs.Committed())
    assert [r.about for r in w.sent()] == [w.intents.asked[1]]


def test_a_pod_that_goes_while_the_intent_is_written_costs_nothing() -> None:
    w, _ = world(due=False)
    w.intents.at_once = False
    w.pass_time(3600, step=60)
    gone = w.intents.asked[0]
    w.engine.forget_worker(gone.pod_uid, "PodGone")
    w.intents.answer(gone, runs.Committed())
    assert w.sent() == []
    w.intents.answer(w.intents.asked[1], runs.Committed())
    (request,) = w.sent()
    assert request.about.pod_uid != gone.pod_uid
    assert request.attempt == 1


def test_a_failed_run_is_not_repeated() -> None:
    w, uid = world(backoffLimit=5)
    w.fail(w.sent()[0])
    w.pass_time(600)
    assert len(w.sent()) == 1
    assert outcome(w, uid) == ("Failed", "boom")


def test_a_run_whose_pod_is_gone_ends_as_unknown() -> None:
    w, uid = world()
    w.answer(w.sent()[0], runs.Accepted())
    w.engine.forget_worker(w.sent()[0].about.pod_uid, "PodGone")
    assert len(w.sent()) == 1
    assert outcome(w, uid) == ("Unknown", "PodGone")
    assert w.condition(uid, "LastRunSucceeded")[0] == "Unknown"


def test_a_worker_without_a_run_table_leaves_it_unknown() -> None:
    w, uid = world()
    w.answer(w.sent()[0], runs.NoAnswer("AnswerTimeout"))
    w.answer(w.sent("fence")[0], runs.Forgotten())
    assert len(w.sent()) == 1
    assert outcome(w, uid) == ("Unknown", "AnswerTimeout")


def test_what_certainly_never_started_goes_to_another_worker_after_another_intent() -> None:
    w, _ = world()
    w.answer(w.sent()[0], runs.Refused("ConnectionRefused", pause=5))
    w.answer(w.sent()[1], runs.NoAnswer("AnswerTimeout"))
    w.answer(w.sent("fence")[0], runs.Fenced())
    w.pass_time(6)
    assert [request.attempt for request in w.sent()] == [1, 1, 2]
    assert w.intents.asked == [request.about for request in w.sent()]


def test_a_crash_before_the_intent_is_written_leaves_a_tick_that_the_next_leader_runs() -> None:
    before, uid = world(due=False)
    before.intents.at_once = False
    written = before.status(uid)
    before.pass_time(3600, step=60)
    after = World(leading=False, now=before.clock.now() + 1)
    after.worker("pod-a")
    after.task(written=written, created=START, **ONCE)
    after.lead()
    after.turn()
    assert [request.run_id for request in after.sent()] == [before.intents.asked[0].run_id]


def test_a_crash_between_the_intent_and_the_request_is_fenced_before_it_is_sent_again() -> None:
    before, uid = world(due=False)
    before.intents.at_once = False
    before.pass_time(3600, step=60)
    after = successor(before, uid)
    assert after.sent() == []
    (fence,) = after.sent("fence")
    assert fence.about == before.intents.asked[0]
    after.answer(fence, runs.Fenced())
    assert [(r.run_id, r.attempt) for r in after.sent()] == [(fence.run_id, 2)]


def test_a_crash_after_the_request_whose_pod_is_gone_is_unknown_to_the_next_leader() -> None:
    before, uid = world()
    pod = before.sent()[0].pod
    after = successor(before, uid, pods=tuple({"pod-a", "pod-b"} - {pod}))
    assert after.sent() == []
    assert outcome(after, uid) == ("Unknown", "PodGone")


def test_a_leader_that_took_over_from_an_old_status_reads_again_before_it_sends() -> None:
    """The standby's watch was behind: it did not see the intent that the leader before wrote."""
    before, uid = world(due=False)
    stale = before.status(uid)
    before.pass_time(3600, step=60)
    after = World(leading=False, now=before.clock.now() + 1)
    after.worker("pod-a")
    after.worker("pod-b")
    after.intents.at_once = False
    after.task(written=stale, created=START, **ONCE)
    after.lead()
    after.turn()
    (own,) = after.intents.asked
    after.engine.reread(uid, before.status(uid), "v2")  # the conflict of its own intent
    after.intents.answer(own, runs.Committed())
    assert after.sent() == []
    (fence,) = after.sent("fence")
    assert fence.about == before.sent()[0].about
    after.answer(fence, runs.Finished(runs.Outcome.SUCCEEDED))
    assert after.status(uid)["succeeded"] == 1


def test_what_another_leader_has_ended_is_not_begun_again_after_reading_again() -> None:
    before, uid = world(due=False)
    stale = before.status(uid)
    before.pass_time(3600, step=60)
    before.succeed(before.sent()[0])
    after = World(leading=False, now=before.clock.now() + 1)
    after.worker("pod-a")
    after.intents.at_once = False
    after.task(written=stale, created=START, **ONCE)
    after.lead()
    after.turn()
    after.engine.reread(uid, before.status(uid), "v2")
    after.turn()
    assert after.sent() == []
    assert len(after.intents.asked) == 1
    assert after.status(uid)["succeeded"] == 1


def test_a_herd_keeps_places_free_for_runs_that_need_no_intent() -> None:
    w = World()
    w.worker("pod-a", concurrency=intents.AT_ONCE + 10)
    w.intents.at_once = False
    for number in range(intents.AT_ONCE + 20):
        w.task(f"once-{number:03}", deliveryPolicy="AtMostOnce")
    w.task("plain")
    w.pass_time(10)
    assert len(w.intents.asked) == intents.AT_ONCE
    assert len(w.sent()) == 1
    for about in list(w.intents.asked[:5]):
        w.intents.answer(about, runs.Committed())
    assert len(w.intents.asked) == intents.AT_ONCE + 5
    assert len(w.sent()) == 6


def test_a_run_that_waits_for_its_intent_past_its_starting_deadline_is_skipped() -> None:
    w = World()
    w.worker("pod-a", concurrency=1000)
    w.intents.at_once = False
    for number in range(intents.AT_ONCE):
        w.task(f"once-{number:03}", deliveryPolicy="AtMostOnce", schedule="@every 1h")
    late: dict[str, Any] = {"startingDeadlineSeconds": 5, "created": START + 1}
    last = w.task("last", deliveryPolicy="AtMostOnce", schedule="@every 1h", **late)
    w.pass_time(3600, step=60)
    w.pass_time(10)
    w.intents.answer(w.intents.asked[0], runs.Committed())
    assert outcome(w, last) == ("Skipped", "StartingDeadlineExceeded")


def test_what_another_leader_wrote_is_read_before_it_is_written_over_though_the_watch_has_told_of_it() -> None:
    """The watch was behind: the tick that waits here for a worker was sent by another leader, to a pod that is gone."""
    w = World(leading=False, now=START + 10)
    spec: dict[str, Any] = {"deliveryPolicy": "AtMostOnce", "created": START}
    uid = w.task(version="1", **spec)
    w.lead()
    w.turn()
    before = World(now=START)
    before.worker("pod-x")
    before.task(**spec)
    before.pass_time(10)
    w.task(version="2", written=before.status(uid), **spec)
    assert w.engine.version_of(uid) == "1", "a write after version 2 would be accepted, and its intent lost"
    # So the first write is refused, and what is there is read.
    w.engine.reread(uid, before.status(uid), "2")
    w.worker("pod-a")
    assert w.engine.version_of(uid) == "2"
    assert w.sent() == []
    assert w.status(uid)["recentRuns"][0]["outcome"] == "Unknown"
