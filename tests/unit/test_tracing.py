"""A run is one trace: the tick above, its attempts below, under the ids that the workers were sent."""

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from fakes.engine import World
from warmcron.core import trace
from warmcron.tracing import Spans


def test_a_run_and_its_attempts_are_spans_with_the_ids_that_workers_were_sent() -> None:
    exporter = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(exporter))
    world = World(journal=spans)
    world.worker("pod-a")
    world.worker("pod-b")
    world.task(backoffLimit=1, backoff={"initialSeconds": 1, "multiplier": 1, "maxSeconds": 1})
    world.pass_time(10)
    world.fail(world.sent()[0])
    world.pass_time(2)
    world.succeed(world.sent()[1])

    root = next(span for span in exporter.get_finished_spans() if span.parent is None)
    attempts = [span for span in exporter.get_finished_spans() if span.parent is not None]
    run_id = world.sent()[0].run_id
    assert f"{root.context.trace_id:032x}" == run_id.replace("-", "")
    assert root.name == "ns/task"
    assert root.attributes
    assert (root.attributes["faas.trigger"], root.attributes["warmcron.attempts"]) == ("timer", 2)
    assert root.status.status_code is not StatusCode.ERROR
    sent = [trace.attempt_span(run_id, each.attempt, f"uid-{each.pod}") for each in world.sent()]
    assert [f"{span.context.span_id:016x}" for span in attempts] == sent
    assert {span.parent.span_id for span in attempts if span.parent} == {root.context.span_id}
    assert [span.status.status_code for span in attempts] == [StatusCode.ERROR, StatusCode.UNSET]
    spans.close()


def test_a_failed_run_is_an_error_with_its_reason() -> None:
    exporter = InMemorySpanExporter()
    world = World(journal=Spans(SimpleSpanProcessor(exporter)))
    world.worker()
    world.task(backoffLimit=0)
    world.pass_time(10)
    world.fail(world.sent()[0], "boom")

    root = next(span for span in exporter.get_finished_spans() if span.parent is None)
    assert (root.status.status_code, root.status.description) == (StatusCode.ERROR, "boom")
