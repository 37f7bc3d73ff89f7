"""Notifications arrive signed, once they can; a webhook that is away, slow or hostile holds nobody up."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from warmcron.errors import ConfigError
from warmcron.notify import webhook
from warmcron.notify.news import FAILED, MINUTE, MOST_SINGLE, Desk, News
from warmcron.notify.webhook import Webhook, secret

KEY = b"k" * 32
NEWS = News("run-1.Failed", FAILED, "ns/nightly", 1_800_000_000.25, {"task": "nightly"})


class Receiver:
    """A webhook that answers what the test says, in turn; the last answer stays."""

    def __init__(self) -> None:
        self.answers = [204]
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.some = asyncio.Event()
        self.hold: asyncio.Event | None = None
        self.later = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        self.some.set()
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.hold:
            await self.hold.wait()
        later = {"retry-after": self.later} if self.later else {}
        return web.Response(status=status, headers=later | ({"location": "/elsewhere"} if status == 307 else {}))


class Sending:
    """A sender whose clock moves only when it is told to."""

    def __init__(self, url: str) -> None:
        self.registry = CollectorRegistry()
        self.time = 1000.0
        desk = Desk(failures=lambda _: 0, silence=0)
        self.webhook = Webhook(
            url=url,
            key=KEY,
            source="/clusters/one",
            desk=desk,
            random=Random(1),
            registry=self.registry,
            monotonic=lambda: self.time,
        )

    def skip(self, seconds: float) -> None:
        """So much time has passed."""
        self.time += seconds
        self.webhook._some.set()

    async def kept(self, tries: int) -> float:
        """When what was not taken so many times is sent again: seconds from now."""
        async with asyncio.timeout(60):
            while not (found := [each.due for each in self.webhook._waiting if each.tries == tries]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found[0] - self.time

    async def skip_until(self, result: str, count: int) -> None:
        """Lets time pass until so many notifications have had that fate."""
        async with asyncio.timeout(60):
            while self.counted(result) < count:
                self.skip(webhook.LONGEST_PAUSE)
                await asyncio.sleep(0.01)

    def counted(self, result: str) -> float:
        return self.registry.get_sample_value("warmcron_notifications_total", {"result": result}) or 0.0

    async def until(self, result: str, count: int) -> None:
        async with asyncio.timeout(60):
            while self.counted(result) < count:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def sending(receiver: Receiver) -> AsyncIterator[Sending]:
    async with TestServer(receiver.app()) as server:
        found = Sending(str(server.make_url("/hook")))
        work = asyncio.create_task(found.webhook.run())
        yield found
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_a_notification_is_signed_and_a_cloud_event(sending: Sending, receiver: Receiver) -> None:
    sending.webhook._put(NEWS)
    await sending.until("sent", 1)

    ((headers, body),) = receiver.got
    found = {name.lower(): value for name, value in headers.items()}
    signed = b".".join((found["webhook-id"].encode(), found["webhook-timestamp"].encode(), body))
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert found["webhook-signature"] == f"v1,{expected}"
    assert body == b'{"task": "nightly"}'
    assert {name: value for name, value in found.items() if name.startswith("ce-")} == {
        "ce-specversion": "1.0",
        "ce-id": "run-1.Failed",
        "ce-type": "dev.warmcron.run.failed",
        "ce-source": "/clusters/one",
        "ce-subject": "ns/nightly",
        "ce-time": "2027-01-15T08:00:00.250000Z",
    }


async def test_what_was_not_taken_is_sent_again_after_growing_pauses(sending: Sending, receiver: Receiver) -> None:
    receiver.answers = [500, 503, 429, 204]
    sending.webhook._put(NEWS)
    for tries, longest in enumerate((1, 4, 16), 1):
        assert 0.5 <= await sending.kept(tries) / longest <= 1
        sending.skip(longest)
    await sending.until("sent", 1)

    assert len(receiver.got) == 4
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {"run-1.Failed"}


@pytest.mark.parametrize(("status", "tries"), [(410, 1), (401, 1), (307, 8), (500, 8)])
async def test_a_webhook_that_never_takes_it_is_given_up_and_the_next_is_sent(
    sending: Sending, receiver: Receiver, status: int, tries: int
) -> None:
    receiver.answers = [status] * tries + [204]
    sending.webhook._put(NEWS)
    await sending.skip_until("failed", 1)
    sending.webhook._put(NEWS)
    await sending.until("sent", 1)

    assert sending.counted("failed") == 1
    assert len(receiver.got) == tries + 1


async def test_one_that_is_not_taken_holds_up_no_other(sending: Sending, receiver: Receiver) -> None:
    receiver.answers = [500, 204]
    sending.webhook._put(NEWS)
    await sending.kept(1)
    sending.webhook._put(replace(NEWS, id="run-2.Failed"))
    await sending.until("sent", 1)

    assert [headers["webhook-id"] for headers, _ in receiver.got] == ["run-1.Failed", "run-2.Failed"]
    await sending.skip_until("sent", 2)


async def test_one_that_is_answered_slowly_holds_up_no_other(sending: Sending, receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    for number in range(webhook.SENDERS - 1):
        sending.webhook._put(replace(NEWS, id=f"run-{number}"))
    async with asyncio.timeout(60):
        while len(receiver.got) < webhook.SENDERS - 1:
            await receiver.some.wait()
            receiver.some.clear()
    held, receiver.hold = receiver.hold, None
    sending.webhook._put(replace(NEWS, id="run-9"))
    await sending.until("sent", 1)

    held.set()
    await sending.until("sent", webhook.SENDERS)


async def test_a_receiver_says_when_it_wants_to_be_asked_again(sending: Sending, receiver: Receiver) -> None:
    receiver.answers, receiver.later = [429, 204], "120"
    sending.webhook._put(NEWS)
    assert await sending.kept(1) == 120
    sending.skip(120)
    await sending.until("sent", 1)


async def test_a_herd_is_one_notification_beside_the_first_ones(sending: Sending, receiver: Receiver) -> None:
    for number in range(5000):
        sending.webhook._put(replace(NEWS, id=f"run-{number}.Failed"))
    await sending.until("sent", MOST_SINGLE)
    sending.skip(MINUTE)
    await sending.until("sent", MOST_SINGLE + 1)

    headers, body = receiver.got[-1]
    assert (headers["ce-type"], json.loads(body)["count"]) == ("dev.warmcron.runs.failed", 5000 - MOST_SINGLE)
    assert "ce-subject" not in headers
    assert sending.counted("dropped") == 0


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MOST_WAITING", 3)
    sending = Sending("http://127.0.0.1:9/hook")
    for _ in range(5):
        sending.webhook._put(NEWS)

    assert sending.counted("dropped") == 2


@pytest.mark.parametrize("source", ["", "two words", "/a\r\nx: y", "/über"])
def test_a_source_that_is_no_uri_is_the_installers_fault(source: str) -> None:
    with pytest.raises(ConfigError, match="WARMCRON_NOTIFY_SOURCE"):
        Webhook(
            url="http://host/x",
            key=KEY,
            source=source,
            desk=Desk(failures=lambda _: 0, silence=0),
            random=Random(1),
            registry=CollectorRegistry(),
        )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("whsec_" + base64.b64encode(KEY).decode() + "\n", KEY),  # as Standard Webhooks writes it
        ("a secret of more than 16 bytes", b"a secret of more than 16 bytes"),
    ],
)
def test_a_secret_is_read_as_standard_webhooks_writes_it(text: str, key: bytes) -> None:
    assert secret(text) == key


@pytest.mark.parametrize("text", ["", "short", "whsec_c2hvcnQ=", "whsec_!"])
def test_a_secret_that_protects_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        secret(text)


@pytest.mark.parametrize("url", ["", "ftp://host/x", "host/path", "http://"])
def test_an_address_that_is_none_is_the_installers_fault(url: str) -> None:
    arguments: dict[str, Any] = {
        "key": KEY,
        "source": "/",
        "desk": Desk(failures=lambda _: 0, silence=0),
        "random": Random(1),
        "registry": CollectorRegistry(),
    }
    with pytest.raises(ConfigError, match="WARMCRON_NOTIFY_URL"):
        Webhook(url=url, **arguments)
