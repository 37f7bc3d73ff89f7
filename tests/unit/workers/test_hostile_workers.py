"""The real dispatcher against workers that mean harm: bytes and seconds are bounded, and nobody else is delayed."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from fakes import dispatch
from fakes.dispatch import Sending, sending
from fakes.hostile_worker import (
    Behaviour,
    HostileWorker,
    answer,
    bomb,
    drip,
    flood,
    hostile,
    resets,
    says,
    silent,
)
from warmcron.core import runs
from warmcron.workers import protocol

OK = b"HTTP/1.1 200 OK\r\n"
GOOD = answer(b'{"outcome":"Succeeded"}')
# What the kernel's buffers on both sides hold beside what is read.
BYTES_AT_MOST = 16 << 20


@pytest.fixture
async def operator() -> AsyncIterator[Sending]:
    async with sending() as found:
        yield found


UNREADABLE = {
    "no http at all": says(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "an old http": says(b"<html>hello</html>\r\n"),
    "nothing": says(b""),
    "a reset": resets,
    "a status that is none": says(b"HTTP/1.1 wonderful\r\n\r\n"),
    "a length that is none": says(OK + b"content-length: -1\r\n\r\n{}"),
    "two lengths": says(OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    "a chunk that is none": says(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "a body that ends early": says(OK + b"content-length: 100\r\n\r\n{}"),
    "a header without an end": flood(OK + b"x: "),
    "headers without an end": flood(OK, b"x-a: b\r\n" * 4096),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_answer_that_cannot_be_read_is_no_answer(operator: Sending, name: str) -> None:
    async with hostile(UNREADABLE[name]) as worker:
        event = await operator.execute(dispatch.run(), dispatch.worker(worker.port))
        assert isinstance(event, runs.NoAnswer), event
        assert worker.sent < BYTES_AT_MOST


ENDLESS = {
    "a hundred megabytes": flood(OK + b"content-length: 104857600\r\n\r\n"),
    "a body without an end": flood(OK + b"\r\n"),
    "chunks without an end": flood(OK + b"transfer-encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(65536) + b"\r\n"),
    "one chunk of an exabyte": flood(OK + b"transfer-encoding: chunked\r\n\r\nfffffffffffffff\r\n"),
}


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("status", [b"200 OK", b"202 Accepted", b"409 Conflict", b"422 No", b"500 No"])
async def test_of_an_answer_without_an_end_little_is_read(operator: Sending, name: str, status: bytes) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        send = writer.send  # type: ignore[attr-defined]

        async def with_status(data: bytes) -> None:
            await send(data.replace(b"200 OK", status))

        writer.send = with_status  # type: ignore[attr-defined]
        await ENDLESS[name](reader, writer)

    async with hostile(behave) as worker:
        await operator.execute(dispatch.run(), dispatch.worker(worker.port))
        assert worker.sent < BYTES_AT_MOST


async def test_a_list_of_runs_without_an_end_is_not_believed(operator: Sending) -> None:
    async with hostile(flood(OK + b'content-length: 104857600\r\n\r\n{"podUID":"uid-a","runs":[')) as worker:
        assert not await operator.dispatcher.reports(dispatch.worker(worker.port))
        assert worker.sent < BYTES_AT_MOST + protocol.MAX_BODY * 256


async def test_nothing_is_decompressed(operator: Sending) -> None:
    packed = bomb(48)
    assert len(packed) < protocol.MAX_BODY
    async with hostile(says(answer(packed, "content-encoding: gzip"))) as worker:
        tracemalloc.start()
        await operator.execute(dispatch.run(), dispatch.worker(worker.port))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 << 20
        assert b"accept-encoding: identity" in worker.requests[0].lower()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(operator: Sending, status: int) -> None:
    async with hostile(says(GOOD)) as victim:
        where = f"location: http://127.0.0.1:{victim.port}/api/task/execute"
        async with hostile(says(answer(b"", where, status=f"{status} Elsewhere"))) as worker:
            seen = dispatch.worker(worker.port)
            assert isinstance(await operator.execute(dispatch.run(), seen), runs.Broke)
            await operator.ask(dispatch.run(), seen)
            await operator.dispatcher.reports(seen)
        assert victim.connections == 0


async def test_nothing_that_a_worker_says_is_said_to_another_or_again(operator: Sending) -> None:
    async with hostile(says(answer(b"{}", "set-cookie: canary=1; path=/"))) as worker:
        for _ in range(2):
            await operator.execute(dispatch.run(), dispatch.worker(worker.port))
        assert len(worker.requests) == 2
        assert not any(b"canary" in request for request in worker.requests)
        assert b"authorization" not in worker.requests[0].lower().split(b"\r\n\r\n")[0]


async def test_an_upgrade_or_a_row_of_announcements_ends_the_talk(operator: Sending) -> None:
    for data in (
        b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    ):
        async with hostile(says(data)) as worker:
            event = await operator.execute(dispatch.run(), dispatch.worker(worker.port))
            assert isinstance(event, runs.NoAnswer | runs.Broke), event


SLOW: dict[str, Behaviour] = {
    "says nothing": silent,
    "a head, byte by byte": drip(OK + b"x: " + b"y" * 1000),
    "a body, byte by byte": drip(OK + b"content-length: 1000\r\n\r\n" + b" " * 1000),
    "announcements without an end": flood(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


async def test_who_is_slow_is_waited_for_so_long_and_delays_nobody() -> None:
    """Ten of each kind are under way; whatever they do, runs to an honest worker come and go."""
    async with AsyncExitStack() as stack:
        operator, honest = await stack.enter_async_context(sending()), await stack.enter_async_context(sending())
        slow: list[HostileWorker] = [await stack.enter_async_context(hostile(SLOW[name])) for name in SLOW]
        good = await stack.enter_async_context(hostile(says(GOOD)))
        for worker in slow:
            for _ in range(10):
                operator.dispatcher.execute(dispatch.run(), dispatch.worker(worker.port))
        for _ in range(50):
            event = await honest.execute(dispatch.run(), dispatch.worker(good.port))
            assert event == runs.Finished(runs.Outcome.SUCCEEDED)
        assert operator.inbox.events.qsize() < 40, "all slow ones had ended before: nothing was tested"
        events = [await operator.inbox.event() for _ in range(40)]
        assert {type(event) for event in events} == {runs.NoAnswer}


async def test_who_is_asked_and_is_slow_is_given_up(operator: Sending) -> None:
    async with hostile(silent) as worker:
        seen = dispatch.worker(worker.port)
        said = await asyncio.gather(
            operator.ask(dispatch.run(), seen),
            operator.ask(dispatch.run(), seen, fence=True),
            operator.cancel(dispatch.run(), seen),
            operator.dispatcher.reports(seen),
            operator.dispatcher.abilities(seen),
        )
        assert list(said) == [runs.Unreachable(), runs.Unreachable(), runs.Unreachable(), None, None]


# ---- answers that are well formed and lie --------------------------------------------------------------------


def test_text_of_a_worker_is_one_short_printable_line() -> None:
    nasty = '\x1b[31mred\x1b[0m\r\n\x00\x07"><script>alert(1)</script>\u202etxt.exe\u2028\ud800' + "x" * 10_000_000
    for body in (
        {"outcome": "Failed", "error": nasty},
        {"outcome": "Failed", "error": {"type": nasty, "message": nasty}},
        {"outcome": "Interrupted", "error": nasty},
    ):
        event = protocol.read_answer(200, {}, json.dumps(body).encode())
        text = event.reason  # type: ignore[union-attr]
        assert text.isprintable(), text
        assert len(text) <= protocol.REASON_LIMIT + 40
    for status in (422, 500, 599):
        event = protocol.read_answer(status, {}, json.dumps({"detail": nasty}).encode())
        assert event.reason.isprintable()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "retry_after",
    ["nan", "inf", "-inf", "-1", "0", "1e400", "Wed, 21 Oct 2026 07:28:00 GMT", "", "9" * 4000, "0x10", "1_0"],
)
def test_no_worker_is_asked_again_at_once_or_never(retry_after: str) -> None:
    event = protocol.read_answer(503, {"retry-after": retry_after}, b"")
    assert isinstance(event, runs.Refused)
    assert 0.1 <= event.pause <= protocol.PAUSE_MAX


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"state":"Splendid"}', b"[" * 60_000, b'{"a":' + b"9" * 60_000, b"\xff\xfe"]
)
def test_a_conflict_that_makes_no_sense_leaves_no_run_waiting(body: bytes) -> None:
    assert isinstance(protocol.read_answer(409, {}, body), runs.NoAnswer)


def test_a_worker_speaks_for_its_own_pod_only() -> None:
    def said(**fields: object) -> bytes:
        return json.dumps(
            {"podUID": "uid-a", "runs": [{"runId": "r", "attempt": 1, "state": "Succeeded", **fields}]}
        ).encode()

    assert [report.run_id for report in protocol.read_reports(said(), "uid-a")] == ["r"]
    assert protocol.read_reports(said(), "uid-b") == []
    for wrong in (
        {"attempt": 0},
        {"attempt": -1},
        {"attempt": 10**15},
        {"attempt": True},
        {"runId": "x" * 200},
        {"runId": 7},
    ):
        assert protocol.read_reports(said(**wrong), "uid-a") == []
