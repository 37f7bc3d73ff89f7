"""What a worker reports is taken once, from the worker it was given to, in the size that was agreed on."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from fakes.kept import Journaled
from warmcron.observe import Metrics
from warmcron.workers.callbacks import MAX_REPORT, Callbacks
from warmcron.workers.reports import Reports
from warmcron.workers.tokens import Tokens

TOKENS = Tokens(b"k" * 32)


class Reported(Journaled):
    """A world with one run under way, and the port its worker reports to."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = Metrics()
        self.worker()
        self.task()
        self.pass_time(10)
        self.run_id = self.sent()[0].run_id
        self.callbacks = Callbacks(
            inbox=self.engine,
            reports=Reports(
                archive=self.journal_kept,
                find=self.engine.runner.broadcasts.find,
                shard=self.engine.runner.broadcasts.number,
                now=self.clock.now,
                echo=False,
            ),
            known=lambda run_id: run_id in self.engine.runner.runs,
            ready=lambda: True,
            leader=lambda: "",
            tokens=TOKENS,
            metrics=self.metrics,
        )

    def refused(self, reason: str) -> float:
        found = self.metrics.registry.get_sample_value("warmcron_refused_callbacks_total", {"reason": reason})
        return found or 0.0


@pytest.fixture
def world() -> Reported:
    return Reported()


@pytest.fixture
async def client(world: Reported) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(world.callbacks.app())) as found:
        yield found


def log(seq: int, text: str) -> dict[str, Any]:
    return {"seq": seq, "type": "Log", "lines": [{"stream": "stdout", "text": text}]}


async def report(client: TestClient[Any, Any], world: Reported, *events: object, **other: Any) -> tuple[int, Any]:
    token = other.pop("token", TOKENS.make(world.run_id, 1, "uid-pod-a"))
    answer = await client.post(
        f"/api/task/runs/{other.pop('run_id', world.run_id)}/events",
        data=io.BytesIO(json.dumps({"attempt": 1, "podUID": "uid-pod-a", "events": list(events), **other}).encode()),
        headers={"authorization": f"Bearer {token}"},
    )
    return answer.status, await answer.json()


async def test_everything_a_worker_says_arrives_and_is_acknowledged(
    client: TestClient[Any, Any], world: Reported
) -> None:
    status, body = await report(
        client,
        world,
        {"seq": 1, "type": "Started"},
        log(2, "hello"),
        {"seq": 3, "type": "Progress", "fraction": 0.5, "text": "half"},
        {"seq": 4, "type": "Finished", "outcome": "Succeeded", "result": 42},
    )

    assert (status, body) == (200, {"lastSeq": 4})
    batch = world.written()
    (row,) = batch.runs.values()
    assert (row.state, row.progress, row.result) == ("Succeeded", 0.5, 42)
    assert [line.text for _, line in batch.lines] == ["hello"]


async def test_what_is_repeated_is_taken_once_and_counted(client: TestClient[Any, Any], world: Reported) -> None:
    await report(client, world, log(1, "a"), log(2, "b"))
    status, body = await report(client, world, log(2, "b"), log(3, "c"))

    assert (status, body) == (200, {"lastSeq": 3})
    assert [line.text for _, line in world.written().lines] == ["a", "b", "c"]
    assert world.metrics.registry.get_sample_value("warmcron_ignored_reports_total") == 1


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"token": "forged"}, 401, "unauthorized"),
        ({"podUID": "uid-other"}, 401, "unauthorized"),  # another pod with this pod's token
        ({"attempt": 2}, 401, "unauthorized"),  # another attempt
        ({"run_id": "other"}, 401, "unauthorized"),  # another run
        ({"attempt": "1"}, 400, "malformed"),
        ({"events": "none"}, 400, "malformed"),
        ({"padding": "x" * MAX_REPORT}, 413, "oversized"),
    ],
)
async def test_foreign_malformed_and_oversized_reports_are_refused_and_counted(
    client: TestClient[Any, Any], world: Reported, change: dict[str, Any], status: int, reason: str
) -> None:
    found, _ = await report(client, world, log(1, "a"), **change)

    assert (found, world.refused(reason)) == (status, 1)
    assert world.written().lines == []


async def test_a_report_after_the_end_of_its_run_is_refused_for_good(
    client: TestClient[Any, Any], world: Reported
) -> None:
    world.succeed(world.sent()[0])

    status, _ = await report(client, world, log(1, "late"))

    assert (status, world.refused("unknown-run")) == (410, 1)
