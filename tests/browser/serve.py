"""Serves the dashboard over a made-up cluster: for the browser tests, the screenshots, and to look at by hand.

usage: python tests/browser/serve.py [TASKS] [PORT]
"""

import contextlib
import sys
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn

from fakes.web import FakeCluster, FakeGuard, cluster
from warmcron.web.app import app


class Served:
    """The dashboard on a free loopback port, in a thread of its own."""

    def __init__(self, source: FakeCluster, guard: FakeGuard | None = None, port: int = 0) -> None:
        self.source = source
        pages = app(
            live_source=source,
            reader=source.history,
            orders_to=source,
            guarded_by=guard or FakeGuard(),
            clock=source.clock,
        )
        config = uvicorn.Config(pages, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server ended before it had started")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)

    @property
    def url(self) -> str:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    tasks, port = (int(word) for word in (sys.argv[1:] + ["10", "8090"][len(sys.argv) - 1 :]))
    with Served(cluster(tasks), port=port) as served:
        sys.stdout.write(f"{served.url}\n")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
