"""A handler runs inside a span of its run's trace; without a traceparent nothing is made up."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from warmworker import execute, run, times
from warmworker.output import Output
from warmworker.registry import Handler, Kind
from warmworker.wire import TaskRef

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RUN = run.Run(
    run_id="0af76519-16cd-43dd-8448-eb211c80319c",
    attempt=2,
    epoch=7,
    scheduled_time=times.moment(0),
    deadline=times.moment(1),
    trigger="Schedule",
    handler="report",
    task=TaskRef("ns", "nightly", "uid"),
    shard=None,
    traceparent=f"00-{TRACE}-{SPAN}-01",
    _sink=Output(),
)
_once = threading.Lock()


@pytest.fixture(scope="module")
def spans() -> InMemorySpanExporter:
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    with _once:  # a process has one provider for good
        api.set_tracer_provider(provider)
    return found


def current() -> Any:
    return api.get_current_span().get_span_context()


def handler(function: Any, kind: Kind) -> Handler:
    return Handler("report", function, kind, 0)


@pytest.mark.parametrize("kind", [Kind.THREAD, Kind.COROUTINE])
async def test_a_handler_runs_in_a_span_below_the_attempts(spans: InMemorySpanExporter, kind: Kind) -> None:
    spans.clear()
    executor = execute.Executor(concurrency=1, log_format="text")
    seen: list[Any] = []

    def note() -> None:
        seen.append(current())

    async def note_too() -> None:
        seen.append(current())

    used = note if kind is Kind.THREAD else note_too
    await executor.start(handler(used, kind), None, RUN).future
    executor.close()

    (span,) = spans.get_finished_spans()
    assert span.parent
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert span.name == "report"
    assert span.attributes
    assert (span.attributes["faas.trigger"], span.attributes["warmcron.attempt"]) == ("timer", 2)
    assert seen[0].span_id == span.context.span_id


@pytest.mark.parametrize("traceparent", [None, "nonsense"])
async def test_without_a_trace_the_handler_runs_all_the_same(
    spans: InMemorySpanExporter, traceparent: str | None
) -> None:
    spans.clear()
    executor = execute.Executor(concurrency=1, log_format="text")

    called: list[bool] = []
    await executor.start(
        handler(lambda: called.append(True), Kind.THREAD), None, replace(RUN, traceparent=traceparent)
    ).future
    executor.close()

    assert called == [True]
    assert len(spans.get_finished_spans()) == (0 if traceparent is None else 1)
