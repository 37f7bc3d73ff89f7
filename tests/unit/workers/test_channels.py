"""The connections to workers, against real sockets that say what no decent server would."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from fakes.worker_socket import OK, Server, answering, ask, black_hole
from warmcron.core.pool import Address
from warmcron.workers import channels as module
from warmcron.workers.channel import Answer, Failure
from warmcron.workers.channels import Channels


@pytest.fixture
async def channels() -> AsyncIterator[Channels]:
    made = Channels()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("parts", "close", "status", "body"),
    [
        ((OK,), False, 200, b"{}"),
        # in pieces, down to the middle of a header
        ((b"HTTP/1.1 20", b"0 OK\r\ncontent-le", b"ngth: 2\r\n\r\n{", b"}"), False, 200, b"{}"),
        (
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n"),
            False,
            200,
            b"{}",
        ),
        # a plain server that does not say how long its answer is, and closes when it has said it
        ((b"HTTP/1.0 200 OK\r\n\r\n", b"{", b"}"), True, 200, b"{}"),
        # announcements come before the answer
        ((b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK,), False, 200, b"{}"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", OK), False, 200, b"{}"),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), False, 204, b""),
        # nobody follows it
        ((b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",), False, 302, b""),
        # over the limit: the status counts, nothing of the body is believed
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n" + b"x" * 2000,), False, 200, b""),
        # a second answer to the same request is not ours
        ((OK + b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",), False, 200, b"{}"),
    ],
)
async def test_an_answer_is_read_however_it_comes(
    channels: Channels, parts: tuple[bytes, ...], close: bool, status: int, body: bytes
) -> None:
    async with Server(answering(*parts, close=close)) as server:
        answer = await ask(channels, server.address)
        assert isinstance(answer, Answer)
        assert (answer.status, answer.body) == (status, body)
        # and whatever came after it does not become the answer to the next request
        again = await ask(channels, server.address)
        assert isinstance(again, Answer)
        assert (again.status, again.body) == (status, body)


@pytest.mark.parametrize(
    ("parts", "close", "reason"),
    [
        ((b"SSH-2.0-OpenSSH_9.6\r\n",), False, "BadAnswer"),
        ((b"HTTP/1.1 200 OK\r\nx: " + b"y" * 40_000,), False, "BadAnswer"),
        ((b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",), False, "BadAnswer"),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",), True, "ConnectionLost"),
        ((), True, "ConnectionLost"),
        ((b"HTTP/1.1 200 OK\r\n",), False, "AnswerTimeout"),
    ],
)
async def test_what_is_no_answer_leaves_the_fate_of_the_request_open(
    channels: Channels, parts: tuple[bytes, ...], close: bool, reason: str
) -> None:
    async with Server(answering(*parts, close=close)) as server:
        seconds = 0.2 if reason == "AnswerTimeout" else 30
        assert await ask(channels, server.address, seconds=seconds) == Failure(unsent=False, reason=reason)


async def test_where_nobody_listens_the_request_was_not_sent(channels: Channels) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = Address(*unused.getsockname())
        answers = await asyncio.gather(*(ask(channels, address) for _ in range(20)))
    assert answers == [Failure(unsent=True, reason="ConnectionRefused")] * 20


async def test_a_leader_of_the_past_sends_nothing(channels: Channels) -> None:
    async with Server(answering(OK)) as server:
        assert await ask(channels, server.address, allowed=False) == Failure(unsent=True, reason="NotLeading")
        await ask(channels, server.address)
        assert len(server.requests) == 1


async def test_a_herd_takes_few_connections(channels: Channels) -> None:
    async with Server(answering(OK)) as server:
        answers = await asyncio.gather(*(ask(channels, server.address) for _ in range(100)))
        assert all(isinstance(answer, Answer) for answer in answers)
        assert len(server.requests) == 100
        assert len(channels) == 0


async def test_slow_handlers_do_not_hold_up_the_others(channels: Channels) -> None:
    reached, everybody = 0, asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        nonlocal reached
        reached = max(reached, number)
        if reached == 60:  # nobody is answered before all have arrived, so each needs a connection of its own
            everybody.set()
        await everybody.wait()
        writer.write(OK)

    async with Server(script) as server:
        answers = await asyncio.gather(*(ask(channels, server.address, seconds=60) for _ in range(60)))
        assert all(isinstance(answer, Answer) for answer in answers)
        assert server.connections == 60


async def test_a_herd_for_workers_that_are_gone_without_a_word_holds_up_no_other(
    channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 600.0)  # on no machine is it the dead ones' end that lets others go
    monkeypatch.setattr(module, "QUEUE_SECONDS", 600.0)
    with black_hole() as one, black_hole() as other:
        async with Server(answering(OK)) as server:
            lost = [asyncio.create_task(ask(channels, address)) for address in (one, other) for _ in range(200)]
            await asyncio.sleep(0)  # all of them wait for a connection before the first request to the living
            assert len(channels) == 400
            answers = await asyncio.gather(*(ask(channels, server.address, seconds=60) for _ in range(200)))
            assert all(isinstance(answer, Answer) for answer in answers)
            assert not any(task.done() for task in lost)
            await channels.close()
            assert {(await task) for task in lost} == {Failure(unsent=True, reason="Closed")}


async def test_what_was_meant_for_a_worker_that_is_gone_without_a_word_was_not_sent(
    channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.1)
    with black_hole() as address:
        answers = await asyncio.gather(*(ask(channels, address) for _ in range(50)))
    assert answers == [Failure(unsent=True, reason="ConnectionRefused")] * 50


async def test_connections_are_used_again_and_closed_when_idle(
    channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Server(answering(OK)) as server:
        for _ in range(5):
            await ask(channels, server.address)
        assert server.connections == 1
        monkeypatch.setattr(module, "KEEP_ALIVE_SECONDS", 0.0)
        while server.open:  # noqa: ASYNC110 - the server's end of a close
            await asyncio.sleep(0.01)
        await ask(channels, server.address)
        assert server.connections == 2


async def test_closing_answers_everybody() -> None:
    channels = Channels()
    async with Server(answering()) as server:
        asked = [asyncio.create_task(ask(channels, server.address)) for _ in range(20)]
        while len(server.requests) < module.EAGER:  # noqa: ASYNC110 - another task's progress
            await asyncio.sleep(0.01)
        await channels.close()
        answers = await asyncio.gather(*asked)
    unsent = [answer.unsent for answer in answers if isinstance(answer, Failure)]
    assert len(unsent) == 20
    assert unsent.count(False) == len(server.requests)
