"""The API and the dashboard of one replica in a cluster: Kubernetes says who asks, and its objects take the orders."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import kopf
from starlette.types import Scope

from warmcron.api.app import PREFIX, Sources, create
from warmcron.api.bounds import SAFE
from warmcron.api.serving import Server
from warmcron.config import Settings
from warmcron.engine import Engine
from warmcron.history.nothing import NothingKept
from warmcron.hub import Hub, WallClock
from warmcron.kube.callers import Callers
from warmcron.kube.client import KubeClient, nobody
from warmcron.kube.elector import Elector
from warmcron.kube.labels import KubeLabels
from warmcron.kube.orders import KubeOrders
from warmcron.web.app import app as dashboard

if TYPE_CHECKING:
    from warmcron.history.history import History

CALLER_SECONDS = 10.0
CALLERS_AT_ONCE = 20


class Port:
    """The port `api` of one replica. Nothing is answered before `start`."""

    def __init__(
        self,
        settings: Settings,
        *,
        connection: kopf.ConnectionInfo,
        hub: Hub,
        elector: Elector,
        history: "History | None",
    ) -> None:
        self._settings, self._elector = settings, elector
        self._shared = history is not None and history.shared
        self._client = KubeClient(nobody(connection), timeout=CALLER_SECONDS, limit=CALLERS_AT_ONCE)
        engine = hub.engine
        reader = history.reader if history else NothingKept()
        sources = Sources(
            live=hub.memory,
            reader=reader,
            orders=KubeOrders(client=self._client, reader=reader, known=engine),
            guard=Callers(client=self._client, namespaces=lambda: _namespaces(engine)),
            labels=KubeLabels(self._client),
        )
        pages = dashboard(
            live_source=sources.live,
            reader=reader,
            orders_to=sources.orders,
            guarded_by=sources.guard,
            clock=WallClock(),
            trace_url=settings.trace_url,
        )
        app = create(sources, pages=pages, leader=self._leader, alone=self._alone)
        self._server = Server(app, host=settings.bind_address, port=settings.api_port)

    def start(self) -> None:
        """Answers from now on."""
        self._server.start()

    async def close(self) -> None:
        """Ends what is under way."""
        await self._server.close()
        await self._client.close()

    def _leader(self) -> str:
        """Where a standby's questions are answered: it has neither next ticks nor runs; empty if this one leads."""
        if self._elector.may_send():
            return ""
        host = urlsplit(self._elector.leader_address).hostname or ""
        place = f"[{host}]" if ":" in host else host
        return f"http://{place}:{self._settings.api_port}" if host else ""

    def _alone(self, scope: Scope) -> bool:
        """Of a database that both replicas share, a standby reads runs and logs itself."""
        return self._shared and scope["method"] in SAFE and f"{scope['path']}/".startswith(f"{PREFIX}/runs/")


def _namespaces(engine: Engine) -> set[str]:
    """Those that have anything to see."""
    return {task.ref.namespace for task in engine.tasks} | {worker.pool.namespace for worker in engine.pool.all()}
