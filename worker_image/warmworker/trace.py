"""Makes a run's trace current while its handler runs, where OpenTelemetry is installed; exports nothing itself."""

import contextlib
from collections.abc import Iterator
from typing import Final

from warmworker.run import Run

try:
    from opentelemetry import trace as _api
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:  # nobody here traces
    _api = None  # type: ignore[assignment]

# The names of OpenTelemetry's conventions for functions that a timer starts.
TRIGGERS: Final = {"Schedule": "timer", "Manual": "other"}


@contextlib.contextmanager
def handling(run: Run) -> Iterator[None]:
    """A span for the handler, child of the operator's for the attempt; current for all that the handler calls."""
    if _api is None or run.traceparent is None:
        yield
        return
    parent = TraceContextTextMapPropagator().extract({"traceparent": run.traceparent})
    attributes: dict[str, str | int] = {
        "faas.trigger": TRIGGERS.get(run.trigger, "other"),
        "faas.time": run.scheduled_time.isoformat(),
        "faas.invocation_id": run.run_id,
        "warmcron.run.id": run.run_id,
        "warmcron.attempt": run.attempt,
        "warmcron.task": f"{run.task.namespace}/{run.task.name}",
    }
    tracer = _api.get_tracer("warmworker")
    with tracer.start_as_current_span(run.handler, context=parent, kind=_api.SpanKind.SERVER, attributes=attributes):
        yield
