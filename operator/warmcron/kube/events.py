"""Posts Kubernetes Events about tasks: later, a few a second, in nobody's way. What is news is `core.notices`' to say.

Core v1, as `kubectl describe` and `kubectl get events` read it: events.k8s.io/v1 refuses the count and the times that
tools sort by. Repeats are counted before they are posted, so the right to create is enough, and none is changed later.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter

from warmcron.core import notices, times
from warmcron.core.noticeboard import Fate, NoticeBoard, Waiting
from warmcron.core.tasks import NEVER, Task
from warmcron.errors import KubeError
from warmcron.kube.client import KubeClient
from warmcron.spec.task import GROUP, KIND, VERSION

log = structlog.get_logger("warmcron.events")

TIMEOUT_SECONDS: Final = 5.0
TRIES: Final = 3
# How often it is looked whether the herd is out, or whether we lead again; and how long a herd is waited for.
LOOK_SECONDS: Final = 0.2
HOLD_SECONDS: Final = 3.0
EXISTS, THROTTLED, SERVER_ERROR = 409, 429, 500
COMPONENT: Final = "warmcron"
CONTROLLER: Final = f"{GROUP}/operator"
# Of 253; a dot and 16 digits follow.
NAME_LIMIT: Final = 236
INSTANCE_LIMIT: Final = 128
RESULTS: Final = ("posted", "merged", "failed", "dropped")


class Figures:
    """What is counted of Events."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.counted = Counter("warmcron_events", "Kubernetes Events by their fate", ["result"], registry=registry)
        for result in RESULTS:
            self.counted.labels(result)


class Poster:
    """The Events of one replica, as long as it leads. `note` is all that others call, and it never waits.

    Args:
        client: connections of its own: a slow answer must not hold up a status.
        find: a task by its uid.
        leading: whether we lead.
        herd: whether runs wait to be sent, which comes first.
        reporter: name of this replica.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        *,
        client: KubeClient,
        find: Callable[[str], Task | None],
        leading: Callable[[], bool],
        herd: Callable[[], bool],
        reporter: str,
        registry: CollectorRegistry,
        random: Random,
        pause: Callable[[float], Any] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._find, self._leading, self._herd = client, find, leading, herd
        self._reporter, self._random, self._pause, self._clock = reporter, random, pause, clock
        self._counted = Figures(registry).counted
        self._board = NoticeBoard()
        self._changed: dict[str, None] = {}  # uids of tasks whose status has changed in this turn of the loop
        self._some = asyncio.Event()

    def note(self, uid: str) -> None:
        """The status of this task has changed. Read after this turn of the loop: a run changes it several times."""
        if not self._changed:
            asyncio.get_running_loop().call_soon(self._read)
        self._changed[uid] = None

    def follow(self) -> None:
        """Our term is over. What was not posted is in the statuses, and the next leader takes it for told."""
        self._read()
        self._counted.labels("dropped").inc(self._board.clear())

    async def run(self) -> None:
        """Posts until cancelled."""
        while True:
            self._some.clear()
            await self._hold()
            found = self._board.take(self._clock())
            if isinstance(found, Waiting):
                self._counted.labels(await self._post(found)).inc()
            else:
                await self._wait(found)

    async def close(self) -> None:
        """Ends the connection."""
        await self._client.close()

    def _read(self) -> None:
        """Puts on the board what has become news."""
        changed, self._changed = self._changed, {}
        for task in filter(None, map(self._find, changed)):
            for notice in notices.news(task.history):
                fate = self._board.put(task.ref, notice, at=time.time(), now=self._clock())
                if fate is Fate.WAITS:
                    self._some.set()
                else:
                    self._counted.labels(fate.value).inc()

    async def _hold(self) -> None:
        """Until it is ours to speak, and nothing more urgent is under way."""
        end = self._clock() + HOLD_SECONDS
        while len(self._board) and (  # noqa: ASYNC110 - neither has an event
            not self._leading() or (self._herd() and self._clock() < end)
        ):
            await asyncio.sleep(LOOK_SECONDS)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(None if seconds == NEVER else seconds):
                await self._some.wait()
        except TimeoutError:
            return

    async def _post(self, waiting: Waiting) -> str:
        """Says what became of it. A crash here loses one Event: the status says the same, and lasts."""
        # The same name at each try: one whose answer was lost is not there twice.
        event = body(waiting, name_of(waiting, self._random.randbytes(8)), self._reporter)
        path = f"/api/v1/namespaces/{waiting.ref.namespace}/events"
        for attempt in range(TRIES):
            if attempt:
                await self._pause(2.0**attempt * self._random.uniform(0.5, 1.0))
            try:
                await self._client.post(path, event)
            except KubeError as error:
                if error.status == EXISTS:
                    return "posted"
                log.debug("event not posted", error=str(error))
                if error.status not in (0, THROTTLED) and error.status < SERVER_ERROR:
                    return "failed"
            except Exception:  # one answer that makes no sense must not end the others
                log.exception("event not posted", namespace=waiting.ref.namespace, task=waiting.ref.name)
                return "failed"
            else:
                return "posted"
        return "failed"


def name_of(waiting: Waiting, drawn: bytes) -> str:
    """A name that no other Event has, and that shows whose it is."""
    return f"{waiting.ref.name[:NAME_LIMIT].rstrip('.-')}.{drawn.hex()}"


def body(waiting: Waiting, name: str, reporter: str) -> dict[str, Any]:
    """The Event as it is posted."""
    ref, notice = waiting.ref, waiting.notice
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": ref.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
        },
        "type": notice.kind,
        "reason": notice.reason,
        "action": notice.action,
        "message": notice.text,
        "eventTime": times.text_micro(waiting.first),
        "firstTimestamp": times.text(waiting.first),
        "lastTimestamp": times.text(waiting.last),
        "count": waiting.count,
        "source": {"component": COMPONENT},
        "reportingComponent": CONTROLLER,
        "reportingInstance": reporter[:INSTANCE_LIMIT],
    }
