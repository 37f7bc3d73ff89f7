"""What /metrics says: pools and tasks as they are, a bounded number of series, and turns for others meanwhile."""

import asyncio
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read

from fakes.engine import START, World
from warmcron import exposition, gauges
from warmcron.exposition import Exposition
from warmcron.observe import Metrics

OPEN = "application/openmetrics-text; version=1.0.0"


class Scraped:
    """A world that is scraped; its engine counts into real metrics."""

    def __init__(self, *, named_tasks: int = 100) -> None:
        self.metrics = Metrics(named_tasks=named_tasks)
        self.metrics.leading = True
        self.world = World()
        self.exposition = Exposition(self.metrics, self._refresh)

    async def _refresh(self) -> None:
        await gauges.refresh(self.metrics, self.world.engine, self.world.clock.now())

    async def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        body, _ = await self.exposition.text("")
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in read(body.decode())
            for sample in family.samples
        }

    async def value(self, name: str, **labels: str) -> float | None:
        return (await self.samples()).get((name, frozenset(labels.items())))


async def test_pools_are_told_with_their_demand_and_their_room() -> None:
    scraped = Scraped()
    world = scraped.world
    world.worker("pod-a", concurrency=3)
    world.worker("pod-b", ready=False)
    for number in range(4):
        world.task(f"task-{number}", schedule="@every 60s")
    pool = {"namespace": "ns", "pool": "p"}

    assert await scraped.value("warmcron_pool_demand", **pool) == 4
    assert await scraped.value("warmcron_pool_capacity", **pool) == 3
    assert await scraped.value("warmcron_pool_workers", **pool, state="not_ready") == 1
    assert await scraped.value("warmcron_workers", state="ready") == 1
    world.pass_time(60)
    assert await scraped.value("warmcron_runs_pending", **pool) == 1
    assert await scraped.value("warmcron_pool_demand", **pool) == 4

    world.engine.follow()
    scraped.metrics.leading = False
    assert await scraped.value("warmcron_pool_demand", **pool) is None  # a standby knows none, and says none


async def test_tasks_have_series_of_their_own_that_outlive_a_leader() -> None:
    scraped = Scraped()
    world = scraped.world
    world.worker()
    world.task("good", schedule="@every 60s", backoffLimit=0)
    uid = world.task("idle", suspend=True)
    task = {"namespace": "ns", "task": "good"}
    assert await scraped.value("warmcron_next_schedule_time_seconds", **task) == START + 60
    assert await scraped.value("warmcron_last_success_time_seconds", **task) is None
    assert await scraped.value("warmcron_next_schedule_time_seconds", namespace="ns", task="idle") is None

    world.pass_time(60)
    world.succeed(world.sent()[0])
    world.pass_time(60)
    world.fail(world.sent()[1])

    assert await scraped.value("warmcron_last_schedule_time_seconds", **task) == START + 120
    assert await scraped.value("warmcron_last_success_time_seconds", **task) == START + 60
    assert await scraped.value("warmcron_task_runs_total", **task, outcome="Succeeded") == 1
    assert await scraped.value("warmcron_task_runs_total", **task, outcome="Failed") == 1
    assert await scraped.value("warmcron_task_consecutive_failures", **task) == 1

    written = world.status(world.task("good", generation=1, schedule="@every 60s", backoffLimit=0))
    other = Scraped()
    other.world.task("good", schedule="@every 60s", written=written, created=START)
    assert await other.value("warmcron_task_runs_total", **task, outcome="Succeeded") == 1
    world.engine.forget_task(uid)
    assert await scraped.value("warmcron_task_runs_total", namespace="ns", task="idle", outcome="Failed") is None


@pytest.mark.parametrize(("most", "named"), [(0, 0), (3, 3), (100, 10)])
async def test_no_more_tasks_are_named_than_was_allowed(most: int, named: int) -> None:
    scraped = Scraped(named_tasks=most)
    for number in range(10):
        scraped.world.task(f"task-{number}")

    found = await scraped.samples()

    assert len([name for name, _ in found if name == "warmcron_next_schedule_time_seconds"]) == named
    assert await scraped.value("warmcron_tasks_unnamed") == 10 - named


async def test_those_that_were_created_first_are_named_whoever_leads() -> None:
    made = [("new", 300), ("old", 100), ("b", 200), ("a", 200), ("newest", 400)]
    named = []
    for order in (made, made[::-1]):
        scraped = Scraped(named_tasks=2)
        for name, created in order:
            scraped.world.task(name, created=START - 1000 + created)
        found = await scraped.samples()
        named.append({dict(labels)["task"] for name, labels in found if name == "warmcron_next_schedule_time_seconds"})
    assert named == [{"old", "a"}, {"old", "a"}]


async def test_ten_thousand_tasks_are_looked_at_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "SLICE", 10)
    scraped = Scraped(named_tasks=1000)
    for number in range(100):
        scraped.world.task(f"task-{number}")
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    watching = asyncio.create_task(other())
    await gauges.refresh(scraped.metrics, scraped.world.engine, scraped.world.clock.now())
    watching.cancel()
    assert turns >= 10


async def test_who_asks_for_openmetrics_gets_the_trace_of_a_late_run() -> None:
    scraped = Scraped()
    world = scraped.world
    uid = world.task()
    world.pass_time(10)
    (run,) = world.engine.runner.runs.values()
    scraped.metrics.started(run, 0.2)
    scraped.metrics.started(run, 7.0)
    assert uid == run.task.uid

    body, content_type = await scraped.exposition.text(OPEN)

    assert content_type.startswith("application/openmetrics-text")
    exemplars: list[Any] = [
        sample.exemplar
        for family in read_open(body.decode())  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.name == "warmcron_schedule_delay_seconds_bucket" and sample.exemplar
    ]
    assert [(found.labels, found.value) for found in exemplars] == [({"trace_id": run.id.replace("-", "")}, 7.0)]


async def test_two_readers_at_once_see_the_same() -> None:
    scraped = Scraped()
    scraped.world.worker()
    scraped.world.task()

    one, two = await asyncio.gather(scraped.samples(), scraped.samples())

    assert one == two


def test_answers_are_counted_and_timed() -> None:
    metrics = Metrics()
    metrics.answered("Accepted", 0.004)
    metrics.answered("Accepted", 3)
    assert metrics.registry.get_sample_value("warmcron_attempts_total", {"answer": "Accepted"}) == 2
    found = {"answer": "Accepted", "le": "0.005"}
    assert metrics.registry.get_sample_value("warmcron_dispatch_duration_seconds_bucket", found) == 1


@pytest.mark.parametrize(("accept", "reader"), [("", read), (OPEN, read_open)])
async def test_what_is_written_in_pieces_reads_as_one(
    monkeypatch: pytest.MonkeyPatch, accept: str, reader: Any
) -> None:
    scraped = Scraped(named_tasks=1000)
    for number in range(50):
        scraped.world.task(f"task-{number}", pool=f"pool-{number}", schedule="@every 60s")
    whole, _ = await scraped.exposition.text(accept)
    monkeypatch.setattr(exposition, "SLICE", 7)

    pieces, _ = await scraped.exposition.text(accept)

    def samples(body: bytes) -> list[Any]:
        families = list(reader(body.decode()))
        assert len({family.name for family in families}) == len(families)
        return sorted((one.name, sorted(one.labels.items()), one.value) for each in families for one in each.samples)

    assert samples(pieces) == samples(whole)
    assert sum(name == "warmcron_task_runs_total" for name, _, _ in samples(pieces)) == 150
