"""Broadcast: every ready worker gets its shard, and the run is what became of all of them."""

from typing import Any

from fakes.engine import START, Request, World
from warmcron.core import runs
from warmcron.core.tasks import PoolKey
from warmcron.workers.protocol import Report

ALL: dict[str, Any] = {"routingPolicy": "Broadcast", "schedule": "@every 1h"}


def world(*pods: str, **spec: Any) -> tuple[World, str]:
    w = World()
    for pod in pods:
        w.worker(pod)
    uid = w.task(**ALL | spec)
    w.pass_time(3600, step=60)
    return w, uid


def record(w: World, uid: str) -> tuple[str, str, int]:
    found = w.status(uid)["recentRuns"][0]
    return found["outcome"], found.get("reason", ""), found["attempts"]


def report(of: Request, event: runs.Event, uid: str) -> Report:
    return Report(of.run_id, of.attempt, of.about.pod_uid, event, uid, of.scheduled, "Schedule", of.shard)


def take_over(before: World, uid: str, *reports: Report, pods: tuple[str, ...], written: bool = True) -> World:
    after = World(leading=False, now=before.clock.now() + 1)
    for pod in pods:
        after.worker(pod)
    after.task(written=before.status(uid) if written else {}, created=START, **ALL)
    for key in after.engine.lead():
        after.engine.open_pool(key, list(reports))
    after.turn()
    return after


def test_every_ready_worker_gets_its_shard_of_the_same_run() -> None:
    w, uid = world("pod-b", "pod-a", "pod-c")
    assert [(r.pod, r.shard) for r in w.sent()] == [("pod-a", (0, 3)), ("pod-b", (1, 3)), ("pod-c", (2, 3))]
    assert len({r.run_id for r in w.sent()}) == 1
    status = w.status(uid)
    assert status["activeCount"] == 1
    assert status["active"][0]["shards"] == {"total": 3, "succeeded": 0, "failed": 0}


def test_it_succeeds_when_all_have() -> None:
    w, uid = world("pod-a", "pod-b")
    w.succeed(w.sent()[0])
    assert w.status(uid)["active"][0]["shards"] == {"total": 2, "succeeded": 1, "failed": 0}
    w.succeed(w.sent()[1])
    assert record(w, uid) == ("Succeeded", "", 2)
    assert (w.status(uid)["succeeded"], w.status(uid)["activeCount"]) == (1, 0)
    assert (len(w.observer.starts), len(w.observer.records)) == (1, 1)


def test_a_shard_is_retried_on_its_own_worker_by_the_policy_of_the_task() -> None:
    w, uid = world("pod-a", "pod-b", backoffLimit=1)
    first = w.sent()[0]
    w.succeed(w.sent()[1])
    w.fail(first)
    w.pass_time(5)
    again = w.sent()[2]
    assert (again.pod, again.attempt, again.shard) == (first.pod, 2, first.shard)
    w.fail(again)
    assert record(w, uid) == ("Failed", "1 of 2 shards failed: pod-a (boom)", 3)


def test_a_worker_that_goes_takes_its_shard_along() -> None:
    w, uid = world("pod-a", "pod-b")
    w.answer(w.sent()[0], runs.Accepted())
    w.engine.forget_worker("uid-pod-a", "Evicted")
    assert len(w.sent()) == 2
    w.succeed(w.sent()[1])
    assert record(w, uid)[:2] == ("Failed", "1 of 2 shards failed: pod-a (Evicted)")


def test_many_failures_are_named_up_to_a_bound() -> None:
    w, uid = world(*(f"pod-{number}" for number in range(8)), backoffLimit=0)
    for request in w.sent():
        w.fail(request)
    assert record(w, uid)[1].startswith("8 of 8 shards failed: pod-0 (boom), ")
    assert record(w, uid)[1].endswith(" and 3 more")


def test_a_busy_worker_gets_its_shard_when_it_has_room() -> None:
    w = World()
    w.worker("pod-a", concurrency=1)
    w.worker("pod-b", concurrency=1)
    w.task("other", schedule="@every 1h", created=START - 1)
    w.task(**ALL)
    w.pass_time(3600, step=1)
    busy, *shards = w.sent()
    assert [(r.pod == busy.pod, r.shard) for r in shards] == [(False, shards[0].shard)]
    w.succeed(busy)
    assert w.sent()[-1].pod == busy.pod
    assert w.sent()[-1].run_id == shards[0].run_id


def test_without_a_ready_worker_it_waits_as_any_other_run() -> None:
    w, uid = world()
    assert w.status(uid)["active"][0]["reason"] == "NoReadyWorker"
    w.worker("pod-late")
    assert [(r.pod, r.shard) for r in w.sent()] == [("pod-late", (0, 1))]


def test_workers_without_the_handler_get_none() -> None:
    w = World()
    w.worker("pod-a")
    w.worker("pod-b", handlers=frozenset({"other"}))
    w.task(**ALL)
    w.pass_time(3600, step=60)
    assert [(r.pod, r.shard) for r in w.sent()] == [("pod-a", (0, 1))]


def test_told_to_stop_it_stops_every_shard() -> None:
    w, uid = world("pod-a", "pod-b", concurrencyPolicy="Replace")
    for request in w.sent():
        w.answer(request, runs.Accepted())
    w.pass_time(3600, step=60)
    cancels = w.sent("cancel")
    assert sorted({r.pod for r in cancels}) == ["pod-a", "pod-b"]
    for pod in ("pod-a", "pod-b"):
        w.answer([r for r in cancels if r.pod == pod][-1], runs.Finished(runs.Outcome.CANCELLED))
    assert record(w, uid)[:2] == ("Cancelled", "Replaced")
    assert len(w.sent()) == 4


def test_at_its_deadline_it_fails() -> None:
    w, uid = world("pod-a", "pod-b", activeDeadlineSeconds=20)
    for request in w.sent():
        w.answer(request, runs.Accepted())
    w.pass_time(21)
    for cancel in w.sent("cancel"):
        w.answer(cancel, runs.Finished(runs.Outcome.CANCELLED))
    assert record(w, uid)[0] == "Failed"
    assert "DeadlineExceeded" in record(w, uid)[1]


def test_a_new_leader_adopts_the_shards_that_go_on_and_sends_those_that_nobody_has() -> None:
    before, uid = world("pod-a", "pod-b", "pod-c")
    a, b, c = before.sent()
    known = (report(a, runs.Finished(runs.Outcome.SUCCEEDED), uid), report(b, runs.Accepted(), uid))
    after = take_over(before, uid, *known, pods=("pod-a", "pod-b", "pod-c"))
    (sent,) = after.sent()
    assert (sent.pod, sent.shard, sent.run_id) == ("pod-c", c.shard, c.run_id)
    after.succeed(b)
    after.succeed(sent)
    assert record(after, uid)[0] == "Succeeded"


def test_a_broadcast_that_was_never_written_down_is_put_together_from_what_workers_say() -> None:
    before, uid = world("pod-a", "pod-b")
    known = [report(r, runs.Accepted(), uid) for r in before.sent()]
    after = take_over(before, uid, *known, pods=("pod-a", "pod-b"), written=False)
    assert after.sent() == []
    for request in before.sent():
        after.succeed(request)
    assert after.status(uid)["succeeded"] == 1


def test_a_shard_that_had_ended_well_on_a_pod_that_is_gone_is_believed_to_have() -> None:
    before, uid = world("pod-a", "pod-b")
    before.succeed(before.sent()[0])
    after = take_over(before, uid, report(before.sent()[1], runs.Accepted(), uid), pods=("pod-b",))
    assert after.sent() == []
    after.succeed(before.sent()[1])
    assert record(after, uid)[0] == "Succeeded"


def test_a_shard_that_nobody_has_and_nobody_can_take_is_lost_and_said_so() -> None:
    before, uid = world("pod-a", "pod-b")
    after = take_over(before, uid, report(before.sent()[1], runs.Accepted(), uid), pods=("pod-b",))
    after.succeed(before.sent()[1])
    assert record(after, uid)[:2] == ("Failed", "1 of 2 shards failed: shard 0 (WorkerGone)")


def test_a_leader_that_leads_again_at_once_asks_every_worker() -> None:
    w, uid = world("pod-a", "pod-b")
    w.engine.follow()
    reports = [report(r, runs.Accepted(), uid) for r in w.sent()]
    assert w.engine.lead() == [PoolKey("ns", "p")]
    w.engine.open_pool(PoolKey("ns", "p"), reports)
    for request in w.sent()[:2]:
        w.succeed(request)
    assert (len(w.sent()), w.status(uid)["succeeded"]) == (2, 1)


def test_it_cannot_be_at_most_once() -> None:
    w, uid = world("pod-a", deliveryPolicy="AtMostOnce")
    ready, reason, message = w.condition(uid, "Ready")
    assert (ready, reason) == ("False", "NotSupported")
    assert message.startswith("spec.routingPolicy: Broadcast cannot be AtMostOnce")
