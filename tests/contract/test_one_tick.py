"""What happened to this tick: the trace, one question of SQL and one of the API tell the same, and as the docs say.

Everything is real but the cluster: engine, dispatcher, history, a worker process, and an exporter on each side.
"""

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry

from fakes import otlp
from fakes.asgi import Browser
from fakes.engine import FakeGate, FakeRecorder
from fakes.web import FakeGuard
from unit.worker import harness
from warmcron.api.app import Sources, create
from warmcron.core import times
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import PoolKey
from warmcron.errors import HistoryError
from warmcron.history.history import History
from warmcron.history.retention import Limits
from warmcron.history.several import Several
from warmcron.hub import Hub
from warmcron.observe import Metrics
from warmcron.tracing import Spans, processor
from warmcron.workers.signing import Signer

DOCS = Path(__file__).parents[2] / "docs"
UID = "6f1b2c3d-0000-4000-8000-000000000001"
LIMITS = Limits(seconds=1e9, runs=10_000, line_seconds=1e9, lines=10_000)


class Told(NamedTuple):
    """A tick that failed once and then succeeded, and who can be asked about it."""

    tick: int
    run_id: str
    file: Path
    api: Browser
    spans: list[otlp.Span]


async def eventually(ask: Callable[[], Any], what: str) -> None:
    try:
        async with asyncio.timeout(90):
            while not ask():  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited in vain for: {what}") from None


@pytest.fixture
async def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Told]:
    signer = Signer.made()
    with otlp.receiving() as receiver, harness.workers(tmp_path / "worker") as start:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        served = start(
            "traced",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_SERVICE_NAME="shop-workers",
            WARMWORKER_PUBLIC_KEYS=",".join(signer.public_keys),
        )
        spans, file = Spans(processor()), tmp_path / "history.db"
        history = History(
            url=f"sqlite:///{file}",
            limits=LIMITS,
            epoch=lambda: 1,
            leading=lambda: True,
            herd=lambda: False,
            registry=CollectorRegistry(),
        )
        hub = Hub(
            gate=FakeGate(),
            recorder=FakeRecorder(),
            leader_address=str,
            callback_url="http://127.0.0.1:9",
            callback_key=b"k" * 32,
            signer=signer,
            metrics=Metrics(),
            random=Random(1),
            journal=Several([history.journal, spans]),
        )
        works = [asyncio.create_task(work) for work in (history.run(), hub.engine.run())]
        tick = int(time.time()) + 2
        hub.task_seen(_task(created=tick - 3600))
        hub.worker_seen(Worker("uid-a", "pod-a", PoolKey("shop", "p"), Address("127.0.0.1", served._port), ready=True))
        hub.lead()
        task = hub.engine.tasks.get(UID)
        assert task
        await eventually(lambda: task.history.succeeded, "the run to succeed")
        run_id = task.history.recent[0].run_id
        await written(history, run_id)
        await asyncio.to_thread(spans.close)
        await eventually(lambda: len(receiver.spans) == 7, f"seven spans: {receiver.spans}")
        nobody: Any = None  # nothing is ordered, and nothing is chosen by labels
        sources = Sources(live=hub.memory, reader=history.reader, orders=nobody, labels=nobody, guard=FakeGuard())
        yield Told(tick, run_id, file, Browser(create(sources)), receiver.spans)
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        await history.close(10)
        await hub.close()


async def written(history: History, run_id: str) -> None:
    """Waits until the history has the run with all that was said of it."""
    async with asyncio.timeout(90):
        while True:
            try:
                run = await history.reader.run(run_id)
                if run and run.state == "Succeeded" and len(await history.reader.logs(run_id)) >= 2:
                    return
            except HistoryError:  # it is not open yet
                pass
            await asyncio.sleep(0.05)


def _task(*, created: int) -> dict[str, Any]:
    return {
        "metadata": {
            "uid": UID,
            "namespace": "shop",
            "name": "nightly-report",
            "generation": 1,
            "creationTimestamp": times.text(created),
        },
        "spec": {
            "schedule": "@every 1h",
            "pool": "p",
            "handler": "traced",
            "backoff": {"initialSeconds": 0.1},
        },
    }


def block(page: str, language: str, about: str) -> str:
    """The block of a page that speaks of that."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return next(text for text in found if about in text)


async def test_the_trace_the_api_and_sql_tell_the_same(told: Told) -> None:
    # The trace: the tick above, its attempts below it, the handler below the attempt, what it called below that.
    trace_id = told.run_id.replace("-", "")
    assert {span.trace_id for span in told.spans} == {trace_id}
    (root,) = [span for span in told.spans if not span.parent_id]
    assert (root.name, root.service, root.failed) == ("shop/nightly-report", "warmcron", False)
    attempts = [span for span in told.spans if span.parent_id == root.span_id]
    assert sorted((span.name, span.service, span.failed) for span in attempts) == [
        ("attempt 1", "warmcron", True),
        ("attempt 2", "warmcron", False),
    ]
    for attempt in attempts:
        (handler,) = [span for span in told.spans if span.parent_id == attempt.span_id]
        assert (handler.name, handler.service) == ("traced", "shop-workers")
        (called,) = [span for span in told.spans if span.parent_id == handler.span_id]
        assert (called.name, called.service) == ("query the database", "shop-workers")

    # One question to the API, as docs/observability.md has it.
    path = urlsplit(re.findall(r"http://\S+", block("observability.md", "bash", "/ticks/"))[0]).path
    reply = await told.api.get(re.sub(r"[^/]+$", times.text(told.tick), path))
    found = json.loads(reply.text)
    assert reply.status == 200, reply.text
    assert (found["run"]["runId"], found["run"]["state"], found["run"]["traceId"]) == (
        told.run_id,
        "Succeeded",
        trace_id,
    )
    assert [(one["attempt"], one["podName"], one["answer"]) for one in found["attempts"]] == [
        (1, "pod-a", "Finished"),
        (2, "pod-a", "Finished"),
    ]
    lines = [(line["attempt"], line["text"]) for line in found["lines"]]
    assert (1, "attempt 1 reads rows") in lines
    assert (2, "attempt 2 reads rows") in lines

    # One statement, as docs/history.md has it for another namespace.
    documented = block("history.md", "sql", "nightly-report").replace("'acme'", "'shop'")
    statement = re.sub(r"scheduled = \d+", f"scheduled = {told.tick}", documented)
    with closing(sqlite3.connect(told.file)) as database:
        database.row_factory = sqlite3.Row
        rows = [dict(row) for row in database.execute(statement)]
    assert {(row["run_id"], row["trace_id"], row["state"]) for row in rows} == {(told.run_id, trace_id, "Succeeded")}
    assert [(row["attempt"], row["text"]) for row in rows if row["text"] and "reads rows" in row["text"]] == [
        (1, "attempt 1 reads rows"),
        (2, "attempt 2 reads rows"),
    ]
    assert {(row["attempt"], row["pod_name"]) for row in rows} == {(1, "pod-a"), (2, "pod-a")}
