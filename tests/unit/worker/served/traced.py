"""A worker that exports its spans, as one would be written by somebody who traces."""

# ruff: noqa: T201 - what it prints is looked for

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from warmworker import Run, task

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)


@task("traced")
def traced(payload: object, run: Run) -> None:
    """Fails the first time."""
    with trace.get_tracer("user").start_as_current_span("query the database"):
        print(f"attempt {run.attempt} reads rows")
    if run.attempt == 1:
        raise RuntimeError("the database is away")
