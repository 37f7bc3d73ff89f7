"""Rows of tasks and workers say what the engine knows, and are made again only when something has changed."""

import asyncio
import uuid

from fakes.engine import START, World
from warmcron.api import memory
from warmcron.api.memory import SPARE, Memory
from warmcron.core import times
from warmcron.web.sources import Flag, TaskRow
from warmcron.workers.protocol import Abilities


def flags(row: TaskRow) -> set[str]:
    return {flag.value for flag in row.flags}


class Seen:
    """A world whose memory hears of every change, as in the hub."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.memory = Memory(self.world.engine, self.world.clock)

    async def row(self, name: str = "task") -> TaskRow:
        for uid, _ in self.world.recorder.noted:
            self.memory.note(uid)
        self.world.recorder.noted.clear()
        (found,) = [row for row in await self.memory.tasks(None) if row.name == name]
        return found


async def test_a_task_goes_through_its_flags() -> None:
    seen = Seen()
    world = seen.world
    world.task(schedule="0 2 * * *", timeZone="Europe/Berlin")
    row = await seen.row()
    assert (row.schedule, row.zone, row.pool, row.handler) == ("0 2 * * *", "Europe/Berlin", "p", "h")
    assert flags(row) == {"NoWorker"}
    assert row.message == "no ready pod has the label warmcron.dev/pool=p"

    world.worker()
    assert flags(await seen.row()) == {"Scheduled"}

    uid = world.task(generation=2, schedule="@every 10s", backoffLimit=0)
    world.pass_time(10)
    row = await seen.row()
    assert (flags(row), row.active) == ({"Running"}, (world.sent()[0].run_id,))

    world.fail(world.sent()[0])
    row = await seen.row()
    assert (flags(row), row.failures, row.message) == ({"Failing"}, 1, "boom")

    world.task(generation=3, uid=uid, suspend=True)
    assert Flag.SUSPENDED in (await seen.row()).flags

    world.task(generation=4, uid=uid, schedule="nonsense")
    row = await seen.row()
    assert (Flag.INVALID in row.flags, row.plan, row.message != "") == (True, None, True)


async def test_a_row_is_made_again_only_after_a_change() -> None:
    seen = Seen()
    seen.world.task()
    first = await seen.row()
    assert await seen.row() is first
    seen.world.worker()
    assert await seen.row() is not first


async def test_a_task_that_is_gone_is_not_shown() -> None:
    seen = Seen()
    uid = seen.world.task()
    await seen.row()
    seen.world.engine.forget_task(uid)
    seen.memory.note(uid)

    assert await seen.memory.tasks(None) == []
    assert await seen.memory.task("ns", "task") is None


async def test_a_task_in_full_has_its_settings_in_the_words_of_its_manifest() -> None:
    seen = Seen()
    seen.world.task(payload={"a": [1]}, backoffLimit=7)
    await seen.row()

    found = await seen.memory.task("ns", "task")

    assert found
    settings = dict(found.settings)
    assert (settings["backoffLimit"], settings["suspend"], settings["missedRunPolicy"]) == ("7", "false", "RunLatest")
    assert found.payload == {"a": [1]}
    assert [condition.kind for condition in found.conditions] == ["Ready", "WorkersAvailable"]


async def test_workers_say_whether_they_have_room() -> None:
    seen = Seen()
    world = seen.world
    world.worker("pod-a", concurrency=1)
    world.worker("pod-b", ready=False)
    world.task()
    world.pass_time(10)

    rows = {row.name: row for row in await seen.memory.workers(None)}

    assert (rows["pod-a"].state, rows["pod-a"].runs) == ("Busy", (world.sent()[0].run_id,))
    assert rows["pod-b"].state == "NotReady"
    assert await seen.memory.workers(("other",)) == []


async def test_whoever_asks_while_rows_are_being_made_gets_all_of_them() -> None:
    seen = Seen()
    count = 5 * memory.SLICE
    for number in range(count):
        seen.memory.note(seen.world.task(name=f"task-{number}"))
    found = await asyncio.gather(*(seen.memory.tasks(None) for _ in range(3)))
    assert [len({row.name for row in rows}) for rows in found] == [count] * 3


async def test_a_task_made_anew_under_its_name_is_found() -> None:
    seen = Seen()
    uid = seen.world.task()
    for _ in range(20):  # in whichever order the two are looked at
        await seen.row()
        seen.world.engine.forget_task(uid)
        seen.memory.note(uid)
        uid = seen.world.task(uid=str(uuid.uuid4()))
        seen.memory.note(uid)
        assert await seen.memory.task("ns", "task") is not None


async def test_a_pool_s_demand_is_told_by_who_leads_and_knows_everything() -> None:
    seen = Seen()
    world = seen.world
    world.worker("pod-a", concurrency=3)
    world.worker("pod-b", concurrency=4, ready=False)
    world.task(schedule="@every 30s")
    world.task("other", schedule="@every 30s", pool="elsewhere")

    found = await seen.memory.demand("ns", "p", within=30)
    assert found
    assert (found.running, found.waiting, found.due) == (0, 0, 1)
    assert (found.ready_workers, found.capacity) == (1, 3)
    world.pass_time(30)
    found = await seen.memory.demand("ns", "p", within=0)
    assert found
    assert (found.running, found.due) == (1, 0)

    world.engine.follow()
    assert await seen.memory.demand("ns", "p", within=30) is None


async def test_a_worker_shows_the_version_that_it_says_and_when_it_started() -> None:
    seen = Seen()
    seen.world.worker("pod-a", started="2026-11-24T11:00:00Z")
    seen.world.engine.set_abilities("uid-pod-a", Abilities(frozenset({"h"}), 4, "1.4.2"))

    (row,) = await seen.memory.workers(None)

    assert (row.version, row.started, row.handlers) == ("1.4.2", times.epoch("2026-11-24T11:00:00Z"), ("h",))


async def test_labels_are_shown_and_kept_once_for_all_tasks_that_have_the_same() -> None:
    seen = Seen()
    first, second = seen.world.task(name="first"), seen.world.task(name="second")
    for uid in (first, second):
        seen.memory.label(uid, {"tier": "gold", "team": "billing"})
        seen.memory.note(uid)

    one, other = await seen.row("first"), await seen.row("second")
    assert one.labels == (("team", "billing"), ("tier", "gold"))
    assert one.labels is other.labels

    seen.memory.label(second, {})
    seen.memory.note(second)
    assert (await seen.row("second")).labels == ()


async def test_labels_that_nobody_has_any_more_are_forgotten() -> None:
    seen = Seen()
    uid = seen.world.task()
    for number in range(3 * SPARE):
        seen.memory.label(uid, {"build": str(number)})
    assert len(seen.memory._shared) <= SPARE + 2


async def test_rows_that_nobody_looks_at_are_given_up_and_made_again() -> None:
    seen = Seen()
    uids = [seen.world.task(name=f"task-{number}") for number in range(3 * memory.FEW)]
    assert len(await seen.memory.tasks(None)) == len(uids)
    for uid in [*uids, uids[0]]:
        seen.memory.note(uid)
    assert seen.memory._rows == {}
    assert len(await seen.memory.tasks(None)) == len(uids)
    assert await seen.memory.task("ns", "task-7") is not None


async def test_a_run_is_remembered_while_it_waits_while_it_goes_on_and_after_its_end() -> None:
    seen = Seen()
    world = seen.world
    world.worker()
    uid = world.task(schedule="@every 10s", concurrencyPolicy="Queue")
    world.pass_time(20)
    (first,), (waiting,) = world.sent(), _queued(seen, uid)

    going = await seen.memory.run(first.run_id)
    assert going
    assert (going.state, going.task, going.pod_name, going.attempts) == ("Running", "task", "pod-a", 1)
    queued = await seen.memory.run(waiting)
    assert queued
    assert (queued.state, queued.trigger, queued.scheduled, queued.started) == ("Pending", "Schedule", START + 20, None)

    world.succeed(first)
    ended = await seen.memory.run(first.run_id)
    assert ended
    assert (ended.state, ended.pod_name, ended.pool, ended.scheduled) == ("Succeeded", "pod-a", "p", START + 10)
    assert ended.finished is not None
    assert await seen.memory.run(str(uuid.uuid4())) is None


async def test_a_follower_remembers_the_runs_that_the_leader_wrote_down() -> None:
    world = World()
    world.worker()
    uid = world.task(schedule="@every 10s")
    world.pass_time(10)
    world.succeed(world.sent()[0])
    world.pass_time(10)
    follower = Seen(World(leading=False))
    follower.world.task(schedule="@every 10s", uid=uid, created=START, written=world.status(uid))

    ended, going = [await follower.memory.run(request.run_id) for request in world.sent()]

    assert ended
    assert going
    assert (ended.state, ended.attempts, ended.pod_name) == ("Succeeded", 1, "pod-a")
    assert (going.state, going.attempts, going.pod_name, going.finished) == ("Running", 1, "pod-a", None)


def _queued(seen: Seen, uid: str) -> list[str]:
    task = seen.world.engine.tasks.get(uid)
    return [ticket.run_id for ticket in task.queued] if task else []
