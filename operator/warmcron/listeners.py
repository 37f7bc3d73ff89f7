"""Whoever wants to know what happens: history, webhook, traces, Kubernetes Events. Built from the settings."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from random import Random
from typing import TYPE_CHECKING, Any, Final

import kopf
from prometheus_client import CollectorRegistry

from warmcron.config import Settings
from warmcron.core.tasks import Task
from warmcron.history.several import Listener, Several
from warmcron.kube import client, events
from warmcron.notify.news import Desk
from warmcron.notify.webhook import Webhook, secret

if TYPE_CHECKING:
    from warmcron.history.history import History
    from warmcron.history.strays import Follower

DAY: Final = 86_400
# What the history gets at the end to write what it still has.
CLOSE_SECONDS: Final = 2.0
TRACES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Listeners:
    """Those of one replica in a cluster.

    Args:
        epoch: the number of our term.
        leading: whether we lead.
        herd: whether so many requests are still to be sent that writing is better put off.
        find: a task by its uid.
        follower: says which runs go on.
        connection: to the cluster whose users read Events.
    """

    def __init__(  # noqa: PLR0913 - what they are wired to, each by name
        self,
        settings: Settings,
        *,
        epoch: Callable[[], int],
        leading: Callable[[], bool],
        herd: Callable[[], bool],
        find: Callable[[str], Task | None],
        follower: "Follower",
        registry: CollectorRegistry,
        random: Random,
        connection: kopf.ConnectionInfo,
    ) -> None:
        self.history = self._history(settings, epoch, leading, herd, follower, registry)
        self._webhook = self._notifier(settings, find, registry, random)
        self._spans = self._exporter()
        self._poster: events.Poster | None = None
        if settings.events:
            self._poster = events.Poster(
                client=client.KubeClient(connection, timeout=events.TIMEOUT_SECONDS, limit=1),
                find=find,
                leading=leading,
                herd=herd,
                reporter=settings.pod_name,
                registry=registry,
                random=random,
            )
        self._all: list[Listener] = []
        if self.history:
            self._all.append(self.history.journal)
        self._all += [each for each in (self._webhook, self._spans) if each is not None]

    @property
    def listener(self) -> Listener | None:
        """All of them as one; None if there are none."""
        return self._all[0] if len(self._all) == 1 else Several(self._all) if self._all else None

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """What is to run until cancelled."""
        return [each.run() for each in (self.history, self._webhook, self._poster) if each is not None]

    def note(self, uid: str) -> None:
        """The status of this task has changed."""
        if self._poster:
            self._poster.note(uid)

    def follow(self) -> None:
        """Our term is over."""
        if self._poster:
            self._poster.follow()

    async def close(self) -> None:
        """Hands over what is left."""
        if self._poster:
            await self._poster.close()
        if self.history:
            await self.history.close(CLOSE_SECONDS)
        if self._spans:
            await asyncio.to_thread(self._spans.close)

    @staticmethod
    def _history(
        settings: Settings,
        epoch: Callable[[], int],
        leading: Callable[[], bool],
        herd: Callable[[], bool],
        follower: "Follower",
        registry: CollectorRegistry,
    ) -> "History | None":
        url = settings.history()
        if not url:
            return None
        # SQLAlchemy and what comes with it are 40 MiB, which nobody pays who keeps no history.
        from warmcron.history.history import History  # noqa: PLC0415
        from warmcron.history.retention import Limits  # noqa: PLC0415

        limits = Limits(
            seconds=settings.history_days * DAY,
            runs=settings.history_runs,
            line_seconds=settings.history_log_days * DAY,
            lines=settings.history_log_lines,
            megabytes=settings.history_sqlite_megabytes,
        )
        return History(
            url=url, limits=limits, epoch=epoch, leading=leading, herd=herd, registry=registry, follower=follower
        )

    @staticmethod
    def _notifier(
        settings: Settings, find: Callable[[str], Task | None], registry: CollectorRegistry, random: Random
    ) -> Webhook | None:
        if not settings.notify_url:
            return None

        def failures(uid: str) -> int:
            task = find(uid)
            return task.history.consecutive_failures if task else 0

        return Webhook(
            url=settings.notify_url,
            key=secret(settings.notify_secret()),
            source=settings.notify_source,
            desk=Desk(failures=failures, silence=settings.notify_silence_seconds),
            random=random,
            registry=registry,
        )

    @staticmethod
    def _exporter() -> Any:
        if not any(os.environ.get(name) for name in TRACES):
            return None
        from warmcron import tracing  # noqa: PLC0415 - an extra: most installs have none of it

        return tracing.Spans(tracing.processor())
