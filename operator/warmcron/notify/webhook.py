"""Sends news to one webhook: signed (Standard Webhooks), as CloudEvents, repeated, bounded. Nobody waits for it."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from prometheus_client import CollectorRegistry, Counter

from warmcron.core import runs, times
from warmcron.core.tasks import RunRecord, TaskRef, TaskSpec
from warmcron.errors import ConfigError
from warmcron.history.nothing import Nothing
from warmcron.notify.news import Desk, News

log = structlog.get_logger("warmcron.notify")

MOST_WAITING: Final = 1000
TRIES: Final = 8
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
TIMEOUT: Final = aiohttp.ClientTimeout(total=10, sock_connect=3)
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how Standard Webhooks marks a secret
MIN_SECRET: Final = 16
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


class Webhook(Nothing):
    """Listens to the engine as its journal does, and sends what is news.

    Args:
        key: signs every notification.
        source: whose news it is, such as the cluster's name; a URI for CloudEvents.
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
        pause: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigError("WARMCRON_NOTIFY_URL: write an http:// or https:// address")
        self._url, self._key, self._source = url, key, source
        self._desk, self._random, self._pause = desk, random, pause
        self._waiting: deque[News] = deque()
        self._some = asyncio.Event()
        self._counted = Figures(registry).counted

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:
        """A run is over."""
        self._put(self._desk.ended(run, record, now))

    def skipped(self, task: TaskRef, spec: TaskSpec | None, record: RunRecord, count: int, now: float) -> None:  # noqa: ARG002
        """Ticks were not started."""
        self._put(self._desk.skipped(task, record, count, now))

    async def run(self) -> None:
        """Sends until cancelled."""
        async with aiohttp.ClientSession(
            timeout=TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as session:
            while True:
                await self._some.wait()
                self._some.clear()
                while self._waiting:
                    await self._deliver(session, self._waiting.popleft())

    def _put(self, news: News | None) -> None:
        if news is None:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._counted.labels("dropped").inc()
            return
        self._waiting.append(news)
        self._some.set()

    async def _deliver(self, session: aiohttp.ClientSession, news: News) -> None:
        body = json.dumps(news.data).encode()
        for attempt in range(TRIES):
            if attempt:
                longest = min(FIRST_PAUSE * 4.0 ** (attempt - 1), LONGEST_PAUSE)
                await self._pause(longest * self._random.uniform(0.5, 1.0))
            status = await self._post(session, news, body)
            if 200 <= status < 300:  # noqa: PLR2004 - the 2xx of HTTP
                self._counted.labels("sent").inc()
                return
            if status in GONE:
                break
        self._counted.labels("failed").inc()
        log.warning("notification not delivered", kind=news.kind, subject=news.subject, status=status)

    async def _post(self, session: aiohttp.ClientSession, news: News, body: bytes) -> int:
        try:
            # A redirect would carry the news to an address that nobody configured.
            async with session.post(
                self._url, data=body, headers=self.headers(news, body, now=int(time.time())), allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.debug("webhook did not answer", error=repr(error))
            return 0

    def headers(self, news: News, body: bytes, *, now: int) -> dict[str, str]:
        """Those of Standard Webhooks and of CloudEvents in binary mode."""
        signed = b".".join((news.id.encode(), str(now).encode(), body))
        signature = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        return {
            "content-type": "application/json",
            "webhook-id": news.id,
            "webhook-timestamp": str(now),
            "webhook-signature": f"v1,{signature}",
            "ce-specversion": "1.0",
            "ce-id": news.id,
            "ce-type": news.kind,
            "ce-source": self._source,
            "ce-subject": news.subject,
            "ce-time": times.text_micro(news.time),
        }
