"""Sends news to one webhook: signed (Standard Webhooks), as CloudEvents, repeated, bounded. Nobody waits for it."""

import asyncio
import base64
import binascii
import hashlib
import heapq
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from prometheus_client import CollectorRegistry, Counter

from warmcron.core import runs, times
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.errors import ConfigError
from warmcron.history.nothing import Nothing
from warmcron.notify.news import Desk, Digest, News

log = structlog.get_logger("warmcron.notify")

MOST_WAITING: Final = 1000
# Requests at once: one that hangs holds up no other.
SENDERS: Final = 4
TRIES: Final = 8
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
TIMEOUT: Final = aiohttp.ClientTimeout(total=10, sock_connect=3)
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how Standard Webhooks marks a secret
MIN_SECRET: Final = 16
OK: Final = range(200, 300)
# Answers after which the same notification will not be wanted later either.
GONE: Final = (400, 401, 403, 404, 405, 410, 413, 422)


def secret(text: str) -> bytes:
    """The key in a secret as Standard Webhooks writes it: `whsec_` and base64, or just as it is."""
    text = text.strip()
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX)) if text.startswith(SECRET_PREFIX) else text.encode()
    except (binascii.Error, ValueError):
        raise ConfigError("WARMCRON_NOTIFY_SECRET_FILE: what follows whsec_ is no base64") from None
    if len(key) < MIN_SECRET:
        raise ConfigError(f"WARMCRON_NOTIFY_SECRET_FILE: {len(key)} bytes; at least {MIN_SECRET} are needed")
    return key


class Figures:
    """What is counted of notifications."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.counted = Counter("warmcron_notifications", "Notifications by their fate", ["result"], registry=registry)
        for result in ("sent", "failed", "dropped"):
            self.counted.labels(result)


@dataclass(order=True, slots=True)
class _Letter:
    """A notification on its way: from when it may be sent, and how often it was."""

    due: float
    number: int
    news: News = field(compare=False)
    tries: int = field(default=0, compare=False)


class Webhook(Nothing):
    """Listens to the engine as its journal does, and sends what is news.

    Args:
        key: signs every notification.
        source: whose news it is, such as the cluster's name; a URI for CloudEvents.
        monotonic: seconds, for pauses.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        url: str,
        key: bytes,
        source: str,
        desk: Desk,
        random: Random,
        registry: CollectorRegistry,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigError("WARMCRON_NOTIFY_URL: write an http:// or https:// address")
        if not source or not source.isascii() or not source.isprintable() or " " in source:
            raise ConfigError("WARMCRON_NOTIFY_SOURCE: write a URI such as /clusters/north, without blanks")
        self._url, self._key, self._source = url, key, source
        self._desk, self._random, self._now = desk, random, monotonic
        self._digest = Digest()
        self._waiting: list[_Letter] = []
        self._number = 0
        self._some = asyncio.Event()
        self._counted = Figures(registry).counted

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:
        """A run is over."""
        self._put(self._desk.ended(run, record, now))

    def skipped(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord, count: int, now: float) -> None:  # noqa: ARG002
        """Ticks were not started."""
        self._put(self._desk.skipped(task, record, count, now))

    async def run(self) -> None:
        """Sends until cancelled. A stop or a crash loses what waits: status and history have it all the same."""
        async with (
            aiohttp.ClientSession(
                timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            asyncio.TaskGroup() as senders,
        ):
            for _ in range(SENDERS):
                senders.create_task(self._send(session))

    async def _send(self, session: aiohttp.ClientSession) -> None:
        """One sender: takes what is due next, and puts back what was not taken, so that it holds up nothing else."""
        while True:
            now = self._now()
            for summary in self._digest.due(now):
                self._wait(_Letter(now, 0, summary))
            if self._waiting and self._waiting[0].due <= now:
                await self._deliver(session, heapq.heappop(self._waiting))
                continue
            self._some.clear()
            until = [letter.due for letter in self._waiting[:1]]
            until += [end] if (end := self._digest.next()) is not None else []
            try:
                async with asyncio.timeout(min(until) - now if until else None):
                    await self._some.wait()
            except TimeoutError:
                continue

    def _put(self, news: News | None) -> None:
        """A herd of failures becomes one notification, whatever its size."""
        now = self._now()
        if news and (single := self._digest.put(news, now)):
            self._wait(_Letter(now, 0, single))
        self._some.set()

    def _wait(self, letter: _Letter) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._counted.labels("dropped").inc()
            return
        self._number += 1
        letter.number = self._number  # of what is due at the same time, the first to come is the first to go
        heapq.heappush(self._waiting, letter)
        self._some.set()

    async def _deliver(self, session: aiohttp.ClientSession, letter: _Letter) -> None:
        news = letter.news
        status, later = await self._post(session, news, json.dumps(news.data).encode())
        letter.tries += 1
        if status in OK:
            self._counted.labels("sent").inc()
        elif status in GONE or letter.tries >= TRIES:
            self._counted.labels("failed").inc()
            log.warning("notification not delivered", kind=news.kind, subject=news.subject, status=status)
        else:
            longest = min(FIRST_PAUSE * 4.0 ** (letter.tries - 1), LONGEST_PAUSE)
            letter.due = self._now() + max(longest * self._random.uniform(0.5, 1.0), later)
            self._wait(letter)

    async def _post(self, session: aiohttp.ClientSession, news: News, body: bytes) -> tuple[int, float]:
        """The status, 0 for no answer, and the seconds after which the receiver wants to be asked again."""
        try:
            # A redirect would carry the news to an address that nobody configured. The answer's body is not read.
            async with session.post(
                self._url, data=body, headers=self.headers(news, body, now=int(time.time())), allow_redirects=False
            ) as answer:
                later = answer.headers.get("retry-after", "")
                short = later.isdecimal() and later.isascii() and len(later) < 6  # noqa: PLR2004 - a day
                return answer.status, min(float(later), LONGEST_PAUSE) if short else 0.0
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.debug("webhook did not answer", error=repr(error))
            return 0, 0.0

    def headers(self, news: News, body: bytes, *, now: int) -> dict[str, str]:
        """Those of Standard Webhooks and of CloudEvents in binary mode."""
        signed = b".".join((news.id.encode(), str(now).encode(), body))
        signature = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        subject = {"ce-subject": news.subject} if news.subject else {}
        return {
            "content-type": "application/json",
            "webhook-id": news.id,
            "webhook-timestamp": str(now),
            "webhook-signature": f"v1,{signature}",
            "ce-specversion": "1.0",
            "ce-id": news.id,
            "ce-type": news.kind,
            "ce-source": self._source,
            "ce-time": times.text_micro(news.time),
            **subject,
        }
