"""A pool is taken over in steps. Whatever happens between two of them, nothing is lost or begun twice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.engine import START, World
from warmcron.core import runs
from warmcron.core.tasks import PoolKey, manual_run_id, tick_run_id
from warmcron.engine.terms import SLICE
from warmcron.workers.protocol import Report

POOL = PoolKey("ns", "p")
# More than one step takes over: the last of them waits while others have a turn.
NAMES = [f"task-{number:03}" for number in range(SLICE + 5)]
SPEC: dict[str, Any] = {"schedule": "@every 10s", "created": START}


class Takeover:
    """A new leader in the middle of taking over a pool in which every task has a run on its worker.

    Attributes:
        last: the uid of a task that is not taken over yet.
    """

    def __init__(self, *, written: bool = True, manual: bool = False) -> None:
        self.annotations = {"warmcron.dev/trigger": "v"} if manual else {}
        before = World()
        before.worker("pod-a", concurrency=1000)
        uids = [before.task(name, annotations=self.annotations, **SPEC) for name in NAMES]
        if not manual:
            before.pass_time(10)
        for request in before.sent():
            before.answer(request, runs.Accepted())
        self.requests = before.sent()
        self.w = w = World(leading=False, now=before.clock.now() + 1)
        w.worker("pod-a", concurrency=1000)
        w.worker("pod-b", concurrency=1000)
        self.statuses = {uid: before.status(uid) if written else {} for uid in uids}
        for name, uid in zip(NAMES, uids, strict=True):
            w.task(name, written=self.statuses[uid], annotations=self.annotations, **SPEC)
        assert w.engine.lead() == [POOL]
        trigger = "Manual" if manual else "Schedule"
        of = {manual_run_id(uid, "v") if manual else tick_run_id(uid, int(START) + 10): uid for uid in uids}
        reports = [
            Report(r.run_id, 1, "uid-pod-a", runs.Accepted(), of[r.run_id], r.scheduled, trigger) for r in self.requests
        ]
        self.steps: Iterator[None] = w.engine.opening(POOL, reports)
        next(self.steps)
        self.last = next(uid for uid in uids if w.engine.status_of(uid) is None)
        self.name = next(name for name, uid in zip(NAMES, uids, strict=True) if uid == self.last)

    def finish(self) -> None:
        for _ in self.steps:
            pass
        self.w.turn()

    def again(self, **changes: Any) -> None:
        """The object of the last task comes once more, as after any change of it."""
        given = {"written": self.statuses[self.last], "annotations": self.annotations} | SPEC | changes
        self.w.task(self.name, **given)


def test_until_then_its_status_is_not_ours_to_write() -> None:
    """One that is written too early has lost the runs that go on."""
    t = Takeover()
    assert t.w.engine.status_of(t.last) is None
    t.finish()
    assert t.w.status(t.last)["activeCount"] == 1


EVENTS: list[tuple[str, Callable[[Takeover], object]]] = [
    ("its object is seen once more", lambda t: t.again()),
    ("its labels change", lambda t: t.again(annotations=t.annotations | {"other": "x"})),
    ("its payload is edited", lambda t: t.again(generation=2, payload={"a": 1})),
    ("its schedule is edited", lambda t: t.again(generation=2, schedule="@every 20s")),
    ("a worker comes", lambda t: t.w.worker("pod-c")),
    ("time passes", lambda t: t.w.pass_time(1)),
    ("somebody else's write shows", lambda t: t.w.engine.reread(t.last, t.statuses[t.last], "7")),
]


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("manual", [True, False])
@pytest.mark.parametrize("event", [event for _, event in EVENTS], ids=[name for name, _ in EVENTS])
def test_what_happens_to_a_task_meanwhile_begins_nothing_a_second_time(
    event: Callable[[Takeover], object], manual: bool, written: bool
) -> None:
    t = Takeover(written=written, manual=manual)
    event(t)
    t.finish()
    assert [request.run_id for request in t.w.sent() if request.run_id in {r.run_id for r in t.requests}] == []
    assert t.w.status(t.last)["activeCount"] == 1


def test_a_run_of_a_task_that_waits_is_still_cancelled() -> None:
    t = Takeover()
    run_id = tick_run_id(t.last, int(START) + 10)
    t.again(annotations={"warmcron.dev/cancel": run_id})
    t.finish()
    assert [request.run_id for request in t.w.sent("cancel")] == [run_id]


def test_a_task_that_is_deleted_meanwhile_is_not_taken_over() -> None:
    t = Takeover()
    t.w.engine.forget_task(t.last)
    t.finish()
    assert t.w.engine.tasks.get(t.last) is None
    assert t.w.engine.settled


def test_a_term_that_ends_meanwhile_leaves_everything_to_the_next_leader() -> None:
    t = Takeover()
    t.w.engine.follow()
    t.finish()
    assert t.w.sent() == []
    assert not t.w.engine.settled
    for task in t.w.engine.tasks:
        assert [record.attempt for record in task.history.active] == [1]


def test_callbacks_are_taken_only_when_every_task_is_taken_over() -> None:
    t = Takeover()
    assert not t.w.engine.settled
    t.finish()
    assert t.w.engine.settled


# ---- a task that cannot be taken over ------------------------------------------------------------------------------


def break_task(w: World, name: str) -> None:
    """Makes whatever is decided of one task raise."""
    (task,) = [task for task in w.engine.tasks if task.ref.name == name]
    task.adopted = task.history.conditions = None  # type: ignore[assignment]


def test_one_that_cannot_be_taken_over_is_left_alone_and_the_others_go_on() -> None:
    w = World(leading=False)
    w.observer.forgiving = True
    w.worker("pod-a", concurrency=1000)
    for name in NAMES:
        w.task(name, **SPEC)
    break_task(w, NAMES[3])
    w.lead()
    assert w.observer.broken == [NAMES[3]]
    assert w.engine.settled
    w.pass_time(10)
    assert len(w.sent()) == len(NAMES) - 1


def test_it_is_tried_again_when_its_object_changes() -> None:
    w = World(leading=False)
    w.observer.forgiving = True
    w.worker("pod-a")
    uid = w.task("one", **SPEC)
    break_task(w, "one")
    w.lead()
    assert w.engine.status_of(uid) is None
    w.task("one", **SPEC)
    w.pass_time(10)
    assert len(w.sent()) == 1
    assert w.status(uid)["activeCount"] == 1


def test_one_whose_ticks_cannot_be_decided_stops_nobody_else() -> None:
    w = World()
    w.observer.forgiving = True
    w.worker("pod-a")
    w.task("good")
    w.task("bad")
    break_task(w, "bad")
    w.pass_time(10)
    assert (len(w.sent()), w.observer.broken) == (1, ["bad"])


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59Z",  # the next tick would lie behind the end of all dates
        "0001-01-01T00:00:00Z",  # a clock reads less than the first date there
        "2261-04-11T23:47:16Z",
        "not a time",
    ],
)
@pytest.mark.parametrize("schedule", ["@every 10s", "0 0 29 2 *", "*/5 * * * * *"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "America/New_York"])
@pytest.mark.parametrize("field", ["lastScheduleTime", "scheduleChangedTime", "lastSuccessfulTime"])
def test_no_time_that_somebody_wrote_into_a_status_breaks_anything(
    field: str, zone: str, schedule: str, time: str
) -> None:
    w = World(leading=False)
    w.worker("pod-a")
    uid = w.task(written={field: time, "observedGeneration": 1}, schedule=schedule, timeZone=zone, created=START)
    w.lead()
    w.pass_time(20)
    assert w.status(uid)["observedGeneration"] == 1
