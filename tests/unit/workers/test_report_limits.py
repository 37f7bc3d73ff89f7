"""A run that reports without end is slowed down, counted, and harms neither other runs nor the operator's memory."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from unit.workers.test_callbacks import TOKENS, Reported
from warmcron.core import runs
from warmcron.observe import Metrics
from warmcron.workers import limits, reports
from warmcron.workers.callbacks import MAX_LINES, MAX_REPORT, _portion
from warmcron.workers.limits import BURST_BYTES, BYTES_PER_SECOND, POD_ROOM, ROOM, Rates, Room

NOISY, QUIET = ("run", "noisy-pod"), ("run", "quiet-pod")


# ---- the limits themselves -----------------------------------------------------------------------------------


def test_a_run_may_report_a_burst_then_at_its_rate_and_others_as_before() -> None:
    rates = Rates()
    rates.used(NOISY, 0, size=BURST_BYTES)
    assert rates.wait(NOISY, 0) > 0
    assert rates.wait(QUIET, 0) == 0, "an earlier pod of the same run is another"
    pause = rates.wait(NOISY, 0)
    assert rates.wait(NOISY, pause) == 0
    rates.used(NOISY, pause, size=BYTES_PER_SECOND)
    assert 0.9 < rates.wait(NOISY, pause) < 1.1


def test_small_reports_and_short_lines_cost_as_well() -> None:
    rates = Rates()
    taken = 0
    while not rates.wait(NOISY, 0):
        rates.used(NOISY, 0, size=2)
        taken += 1
    assert taken < 300
    rates.used(QUIET, 0, size=0, lines=BURST_BYTES // limits.LINE_COST)
    assert rates.wait(QUIET, 0) > 0


def test_what_a_run_did_not_use_does_not_add_up() -> None:
    rates = Rates()
    rates.used(NOISY, 0, size=1)
    rates.used(NOISY, 1e6, size=BURST_BYTES)
    assert rates.wait(NOISY, 1e6) > 0


def test_no_more_runs_are_remembered_than_fit_and_the_last_to_report_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST", 10)
    rates = Rates()
    rates.used(NOISY, 0, size=BURST_BYTES)
    for number in range(100):
        rates.used((f"run-{number}", "pod"), 0, size=1)
        rates.used(NOISY, 0, size=0)
    assert len(rates._levels) <= 10
    assert rates.wait(NOISY, 0) > 0


def test_a_pod_has_its_share_of_the_room_and_all_of_them_have_an_end() -> None:
    room = Room()
    assert room.take("a", POD_ROOM)
    assert not room.take("a", 1)
    pods = [f"pod-{number}" for number in range(ROOM // POD_ROOM - 1)]
    assert all(room.take(pod, POD_ROOM) for pod in pods)
    assert not room.take("late", 1)
    room.give_back("a", POD_ROOM)
    assert room.take("late", 1)
    for pod in [*pods]:
        room.give_back(pod, POD_ROOM)
    room.give_back("late", 1)
    assert (room._taken, room._by_pod) == (0, {})


def test_lines_over_a_limit_are_left_for_the_next_report_but_never_all() -> None:
    lines = [{"text": "x"}] * 600
    events = [{"type": "Log", "lines": lines} for _ in range(3)]
    assert _portion(events) == (events[:1], 600)
    huge = [{"type": "Log", "lines": [{}] * 5000}, {"type": "Finished"}]
    assert _portion(huge) == (huge, MAX_LINES)
    assert _portion([1, {"lines": 7}, {"type": "Finished"}])[1] == 0


# ---- the port ------------------------------------------------------------------------------------------------


class Clocked(Reported):
    """A world whose second run reports from another pod."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.callbacks._now = lambda: self.seconds
        self.worker("pod-b")
        self.task("other")
        self.pass_time(10)
        self.other = next(one for one in self.sent() if one.run_id != self.run_id)


@pytest.fixture
def world() -> Clocked:
    return Clocked()


@pytest.fixture
async def client(world: Clocked) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(world.callbacks.app())) as found:
        yield found


async def report(client: TestClient[Any, Any], run_id: str, pod_uid: str, *events: object, padding: int = 0) -> Any:
    body = {"attempt": 1, "podUID": pod_uid, "events": list(events), "padding": "x" * padding}
    headers = {"authorization": f"Bearer {TOKENS.make(run_id, 1, pod_uid)}"}
    return await client.post(
        f"/api/task/runs/{run_id}/events", data=io.BytesIO(json.dumps(body).encode()), headers=headers
    )


async def test_a_noisy_run_is_refused_for_a_while_and_the_other_is_not(
    client: TestClient[Any, Any], world: Clocked
) -> None:
    answers = [await report(client, world.run_id, "uid-pod-a", padding=MAX_REPORT - 1000) for _ in range(4)]
    assert answers[0].status == 200
    assert answers[-1].status == 429
    assert 1 <= int(answers[-1].headers["retry-after"]) < 60
    assert world.refused("too-fast") >= 1

    quiet = await report(client, world.other.run_id, world.other.about.pod_uid, {"seq": 1, "type": "Started"})
    assert (quiet.status, (await quiet.json())["lastSeq"]) == (200, 1)

    world.seconds += 60
    again = await report(client, world.run_id, "uid-pod-a", {"seq": 1, "type": "Finished", "outcome": "Succeeded"})
    assert again.status == 200, "nothing was lost: what was refused is repeated"


async def test_a_run_that_is_over_its_rate_is_refused_before_its_body_is_there(
    client: TestClient[Any, Any], world: Clocked
) -> None:
    world.callbacks._rates.used((world.run_id, "uid-pod-a"), 0, size=2 * BURST_BYTES)
    assert client.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    token = TOKENS.make(world.run_id, 1, "uid-pod-a")
    head = f"POST /api/task/runs/{world.run_id}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
    writer.write(f"{head}content-length: 2000000\r\n\r\n".encode())
    assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 429")
    writer.close()


async def test_bodies_that_come_slowly_take_their_own_pods_room_and_no_others(
    client: TestClient[Any, Any], world: Clocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hostile worker opens report after report and ends none of them."""
    monkeypatch.setattr(limits, "POD_ROOM", 256 * 1024)
    assert client.port is not None
    token = TOKENS.make(world.run_id, 1, "uid-pod-a")
    head = f"POST /api/task/runs/{world.run_id}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
    writers = []
    for _ in range(12):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(f"{head}content-length: 2000000\r\n\r\n".encode() + b"x" * 100_000)
        writers.append(writer)
    while not world.refused("no-room"):  # noqa: ASYNC110 - the server runs in this loop
        await asyncio.sleep(0.01)
    assert world.callbacks._room._taken <= 256 * 1024
    quiet = await report(client, world.other.run_id, world.other.about.pod_uid, {"seq": 1, "type": "Started"})
    assert quiet.status == 200
    for writer in writers:
        writer.close()
    while world.callbacks._room._taken:  # noqa: ASYNC110 - the server runs in this loop
        await asyncio.sleep(0.01)


# ---- the operator's own log ----------------------------------------------------------------------------------


def test_lines_over_the_limit_of_a_second_are_kept_but_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "ECHOED_PER_SECOND", 3)
    world, metrics = Reported(), Metrics()
    found = reports.Reports(
        archive=world.journal_kept,
        find=world.engine.runner.broadcasts.find,
        shard=world.engine.runner.broadcasts.number,
        now=world.clock.now,
        silenced=metrics.silenced,
    )
    found.lines(runs.Attempt(world.run_id, 1, "uid-pod-a"), 1, [{"text": f"line {number}"} for number in range(10)])
    assert len(world.written().lines) == 10
    assert metrics.registry.get_sample_value("warmcron_unlogged_lines_total") == 7
    world.clock.time += 1
    found.lines(runs.Attempt(world.run_id, 1, "uid-pod-a"), 2, [{"text": "another second"}])
    assert metrics.registry.get_sample_value("warmcron_unlogged_lines_total") == 7
