"""Events on their way to an API server in memory: what is posted, who waits for it (nobody), and what is dropped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fakes.engine import FakeGate, World
from fakes.kube import FakeKube, until
from warmcron.core.noticeboard import MOST_OF_ONE
from warmcron.kube.events import HOLD_SECONDS, LOOK_SECONDS, NAME_LIMIT, TRIES, Poster

PATH = "/api/v1/namespaces/ns/events"


class Bench:
    """An engine whose tasks a poster tells of."""

    def __init__(self) -> None:
        self.world, self.kube, self.gate = World(), FakeKube(), FakeGate()
        self.herding = False
        self.now = 1000.0
        self.pauses: list[float] = []
        self.registry = CollectorRegistry()
        client: Any = self.kube
        self.poster = Poster(
            client=client,
            find=self.world.engine.tasks.get,
            leading=self.gate.may_send,
            herd=lambda: self.herding,
            reporter="warmcron-0",
            registry=self.registry,
            random=Random(1),
            pause=self._pause,
            clock=lambda: self.now,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @property
    def posted(self) -> list[dict[str, Any]]:
        return [found for path, found in self.kube.objects.items() if path.startswith(PATH)]

    def counted(self, result: str) -> float:
        return self.registry.get_sample_value("warmcron_events_total", {"result": result}) or 0.0

    def invalid(self, name: str = "task", schedule: str = "0 0 30 2 *") -> str:
        uid = self.world.task(name, schedule=schedule)
        self.poster.note(uid)
        return uid

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        work = asyncio.create_task(self.poster.run())
        try:
            yield
            assert not work.done(), "it has ended by itself"
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_an_event_names_its_task_and_who_speaks(bench: Bench) -> None:
    async with bench.running():
        uid = bench.invalid()
        await until(lambda: bench.counted("posted"))
    (found,) = bench.posted
    assert found["metadata"]["namespace"] == "ns"
    assert found["metadata"]["name"].startswith("task.")
    assert found["involvedObject"] == {
        "apiVersion": "warmcron.dev/v1alpha1",
        "kind": "ScheduledTask",
        "namespace": "ns",
        "name": "task",
        "uid": uid,
    }
    assert (found["type"], found["reason"], found["count"]) == ("Warning", "InvalidSchedule", 1)
    assert "spec.schedule" in found["message"]
    assert (found["reportingComponent"], found["reportingInstance"]) == ("warmcron.dev/operator", "warmcron-0")
    assert found["source"] == {"component": "warmcron"}
    assert found["firstTimestamp"] == found["lastTimestamp"]


async def test_what_has_not_changed_is_not_posted_again(bench: Bench) -> None:
    async with bench.running():
        uid = bench.invalid()
        await until(lambda: bench.counted("posted"))
        for _ in range(10):
            bench.poster.note(uid)
        bench.invalid("another")
        await until(lambda: bench.counted("posted") == 2)
    assert [found["involvedObject"]["name"] for found in bench.posted] == ["task", "another"]
    assert bench.counted("merged") == 0


@pytest.mark.parametrize("fault", ["lost request", "lost answer", "429", "500"])
async def test_what_may_go_better_later_is_tried_again_and_is_there_once(bench: Bench, fault: str) -> None:
    bench.kube.faults = [fault]
    async with bench.running():
        bench.invalid()
        await until(lambda: bench.counted("posted"))
    assert len(bench.posted) == 1
    assert len(bench.kube.calls) == 2
    assert len(bench.pauses) == 1


async def test_an_api_server_that_is_away_costs_the_event_and_nothing_else(bench: Bench) -> None:
    bench.kube.faults = ["500"] * TRIES
    async with bench.running():
        bench.invalid()
        await until(lambda: bench.counted("failed"))
        bench.invalid("another")
        await until(lambda: bench.counted("posted"))
    assert [found["involvedObject"]["name"] for found in bench.posted] == ["another"]


async def test_a_refusal_is_final_and_an_answer_without_sense_ends_nothing(bench: Bench) -> None:
    def refuse(_: str, __: str) -> None:
        if len(bench.kube.calls) == 1:
            raise ValueError("no JSON at all")

    bench.kube.before = refuse
    bench.kube.faults = ["403"]
    async with bench.running():
        bench.invalid("first")
        bench.invalid("second")
        bench.invalid("third")
        await until(lambda: bench.counted("posted"))
    assert bench.counted("failed") == 2
    assert len(bench.kube.calls) == 3


async def test_only_the_leader_speaks(bench: Bench) -> None:
    bench.gate.open = False
    async with bench.running():
        bench.invalid()
        await asyncio.sleep(2 * LOOK_SECONDS)
        assert bench.kube.calls == []
        bench.poster.follow()
        bench.gate.open = True
        bench.invalid("another")
        await until(lambda: bench.counted("posted"))
    assert [found["involvedObject"]["name"] for found in bench.posted] == ["another"]
    assert bench.counted("dropped") == 1


async def test_a_herd_goes_first(bench: Bench) -> None:
    bench.herding = True
    async with bench.running():
        bench.invalid()
        await asyncio.sleep(LOOK_SECONDS)
        assert bench.kube.calls == []
        bench.herding = False
        await until(lambda: bench.counted("posted"))


async def test_a_herd_without_an_end_is_waited_for_so_long(bench: Bench) -> None:
    bench.herding = True
    async with bench.running():
        bench.invalid()
        await asyncio.sleep(LOOK_SECONDS)
        bench.now += HOLD_SECONDS
        await until(lambda: bench.counted("posted"))


async def test_whoever_notes_a_change_waits_for_nothing_and_too_many_are_dropped(bench: Bench) -> None:
    bench.kube.faults = ["500"] * 10_000  # nothing gets through
    async with bench.running():
        for number in range(MOST_OF_ONE + 50):
            bench.invalid(f"task-{number}")
        assert bench.kube.calls == [], "the loop has not had a turn: nobody was waited for"
        await asyncio.sleep(0)  # after which the changes are read
        assert bench.counted("dropped") == 50


async def test_a_task_that_is_gone_says_nothing(bench: Bench) -> None:
    bench.poster.note("nobody")
    assert bench.counted("dropped") == 0


async def test_the_longest_name_of_a_task_still_makes_a_name(bench: Bench) -> None:
    async with bench.running():
        bench.invalid("-".join(["a" * 60] * 4) + "-abcdefgh")
        bench.invalid("b" * (NAME_LIMIT - 1) + ".b")
        await until(lambda: bench.counted("posted") == 2)
    for found in bench.posted:
        name = found["metadata"]["name"]
        assert len(name) <= 253
        assert all(part and part.strip("-") == part for part in name.split("."))
