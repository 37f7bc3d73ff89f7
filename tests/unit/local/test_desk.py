"""Orders of the embedded mode, with its real objects and a real engine behind them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.engine import World
from fakes.web import FakeHistory, FakeViewer, run_row, task_row
from warmcron.core.runs import Accepted, State
from warmcron.core.tasks import manual_run_id
from warmcron.local import folder
from warmcron.local.desk import Desk, Door
from warmcron.local.manifests import Manifest
from warmcron.local.objects import Objects
from warmcron.spec.task import TRIGGER_ANNOTATION, TRIGGER_PAYLOAD_ANNOTATION
from warmcron.web.sources import Order, OrderError

ANN = FakeViewer("ann")
SPEC = {"schedule": "0 0 1 1 *", "pool": "p", "handler": "h"}


class Place:
    def __init__(self, path: Path) -> None:
        self.folder = folder.claim(path)
        self.objects = Objects(self.folder, apply=lambda _: None, forget=lambda _: None)
        self.objects.declare([Manifest("default", "a", {}, SPEC, "f.yaml", 1)])
        self.world, self.history = World(), FakeHistory()
        self.desk = Desk(objects=self.objects, engine=self.world.engine, reader=self.history)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.folder.close()


async def test_a_run_that_is_asked_for_has_the_id_that_the_engine_will_give_it(place: Place) -> None:
    run_id = await place.desk.trigger(ANN, "default", "a", payload={"n": 1})
    metadata = place.objects.raw("default/a")["metadata"]
    assert run_id == manual_run_id(metadata["uid"], metadata["annotations"][TRIGGER_ANNOTATION])
    assert json.loads(metadata["annotations"][TRIGGER_PAYLOAD_ANNOTATION]) == {"n": 1}
    again = await place.desk.trigger(ANN, "default", "a", payload=None)
    assert again != run_id
    assert TRIGGER_PAYLOAD_ANNOTATION not in place.objects.raw("default/a")["metadata"]["annotations"]


async def test_a_schedule_is_suspended_and_resumed(place: Place) -> None:
    await place.desk.suspend(ANN, "default", "a", suspend=True)
    assert place.objects.raw("default/a")["spec"]["suspend"] is True
    await place.desk.suspend(ANN, "default", "a", suspend=False)
    assert place.objects.raw("default/a")["spec"]["suspend"] is False


async def test_a_run_that_goes_on_is_told_to_stop_once(place: Place) -> None:
    place.world.worker()
    place.world.task()
    place.world.pass_time(10)
    [run_id] = place.world.engine.runner.runs
    place.world.answer(place.world.sent()[0], Accepted())
    await place.desk.cancel(ANN, run_id)
    await place.desk.cancel(ANN, run_id)
    run = place.world.engine.runner.runs[run_id]
    assert (run.state, run.reason) == (State.CANCELLING, "CancelledByUser")
    assert len(place.world.sent("cancel")) == 1


async def test_a_run_is_repeated_with_the_payload_that_its_task_has(place: Place) -> None:
    old = run_row(task_row("default", "a"), 1_700_000_000)
    place.history.add(old)
    assert await place.desk.retry(ANN, old.run_id) != old.run_id
    assert TRIGGER_ANNOTATION in place.objects.raw("default/a")["metadata"]["annotations"]


async def test_a_run_that_waits_for_its_turn_is_ended(place: Place) -> None:
    place.world.worker()
    uid = place.world.task(concurrencyPolicy="Queue")
    place.world.pass_time(10)
    place.world.answer(place.world.sent()[0], Accepted())
    place.world.pass_time(10)
    waiting = place.world.status(uid)["active"][-1]["runId"]
    await place.desk.cancel(ANN, waiting)
    assert place.world.status(uid)["recentRuns"][0]["runId"] == waiting
    with pytest.raises(OrderError, match="is over"):
        await place.desk.cancel(ANN, waiting)


async def test_a_manual_run_is_repeated_with_the_payload_that_it_was_given(place: Place) -> None:
    trigger = {TRIGGER_ANNOTATION: "v", TRIGGER_PAYLOAD_ANNOTATION: '{"own": 1}'}
    place.world.worker()
    uid = place.world.task("a", annotations=trigger)
    row = task_row("default", "a", uid=uid)
    place.history.add(run_row(row, 1_700_000_000, trigger="Manual", run_id=manual_run_id(uid, "v")))
    await place.desk.retry(ANN, manual_run_id(uid, "v"))
    annotations = place.objects.raw("default/a")["metadata"]["annotations"]
    assert json.loads(annotations[TRIGGER_PAYLOAD_ANNOTATION]) == {"own": 1}


async def test_what_is_not_there_is_refused_with_its_name(place: Place) -> None:
    for order in (
        place.desk.trigger(ANN, "default", "b", payload=None),
        place.desk.suspend(ANN, "default", "b", suspend=True),
        place.desk.cancel(ANN, "00000000-0000-5000-8000-000000000000"),
        place.desk.retry(ANN, "00000000-0000-5000-8000-000000000000"),
    ):
        with pytest.raises(OrderError, match=r"default/b|00000000"):
            await order


async def test_a_payload_that_no_task_could_have_is_refused(place: Place) -> None:
    with pytest.raises(OrderError, match="at most 65536"):
        await place.desk.trigger(ANN, "default", "a", payload={"x": "y" * 70_000})


async def test_whoever_reaches_the_machine_is_its_owner() -> None:
    viewer = await Door().viewer("")
    assert viewer is not None
    assert Door().open
    assert await viewer.namespaces() is None
    assert all([await viewer.may(order, "any") for order in Order])
