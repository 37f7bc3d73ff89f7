"""Exports a span for each run and one for each attempt by OpenTelemetry, when a run has ended. Decides nothing.

An extra (`otel`), on where the environment names an exporter's endpoint. The ids are those that workers were sent, so
that a handler's spans hang below its attempt, whichever replica exports it.
"""

import os
from dataclasses import dataclass
from typing import Any, Final

from warmcron.core import runs, times, trace
from warmcron.core.tasks import RunRecord
from warmcron.errors import ConfigError
from warmcron.history.nothing import Nothing
from warmcron.history.rows import ANSWERS

try:
    from opentelemetry import trace as api
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator
except ImportError as missing:
    raise ConfigError("OTEL_EXPORTER_OTLP_ENDPOINT is set: install warmcron with the extra otel") from missing

NANO: Final = 1_000_000_000
# Runs under way of which attempts are remembered; beyond it a run is exported without them.
MOST_OPEN: Final = 20_000


@dataclass(slots=True)
class _Attempt:
    number: int
    pod_name: str
    pod_uid: str
    sent: float
    ended: float | None = None
    answer: str = ""
    reason: str = ""


class _Given(IdGenerator):
    """Gives the ids that it was told, instead of random ones."""

    def __init__(self) -> None:
        self.trace, self.span = "", ""

    def generate_trace_id(self) -> int:
        return int(self.trace, 16)

    def generate_span_id(self) -> int:
        return int(self.span, 16)


def processor() -> SpanProcessor:
    """What sends spans to the endpoint of the environment, from a thread of its own."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - of the extra, too
    except ImportError as missing:
        raise ConfigError("OTEL_EXPORTER_OTLP_ENDPOINT is set: install warmcron with the extra otel") from missing
    return BatchSpanProcessor(OTLPSpanExporter())


class Spans(Nothing):
    """Listens to the engine as its journal does."""

    def __init__(self, processor: SpanProcessor) -> None:
        os.environ.setdefault("OTEL_SERVICE_NAME", "warmcron")
        self._ids = _Given()
        self._provider = TracerProvider(id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("warmcron")
        self._open: dict[str, list[_Attempt]] = {}

    def sent(self, run: runs.Run, filtered: tuple[tuple[str, str], ...], now: float) -> None:  # noqa: ARG002
        """An attempt goes to a worker."""
        if run.id in self._open or len(self._open) < MOST_OPEN:
            attempt = _Attempt(run.attempt, run.pod_name, run.pod_uid, now)
            self._open.setdefault(run.id, []).append(attempt)

    def answered(self, run: runs.Run, attempt: int, pod_uid: str, event: runs.Event, now: float) -> None:
        """Something was heard of an attempt."""
        if not isinstance(event, ANSWERS) or isinstance(event, runs.Accepted):
            return
        for each in self._open.get(run.id, ()):
            if (each.number, each.pod_uid) == (attempt, pod_uid):
                each.ended, each.answer = now, type(event).__name__
                each.reason = getattr(event, "reason", "")

    def ended(self, run: runs.Run, record: RunRecord, now: float) -> None:
        """A run is over: it and its attempts are handed to the exporter."""
        attempts = self._open.pop(run.id, [])
        trace_id = trace.trace_id(run.id)
        if not trace_id:
            return
        self._ids.trace, self._ids.span = trace_id, trace.root_span(run.id)
        name = f"{run.task.namespace}/{run.task.name}"
        begun = min(float(run.scheduled), run.created)
        root = self._tracer.start_span(
            name, kind=api.SpanKind.PRODUCER, start_time=_nano(begun), attributes=_attributes(run, record)
        )
        below = api.set_span_in_context(root)
        for each in attempts:
            self._ids.span = trace.attempt_span(run.id, each.number, each.pod_uid)
            span = self._tracer.start_span(
                f"attempt {each.number}",
                context=below,
                kind=api.SpanKind.CLIENT,
                start_time=_nano(each.sent),
                attributes={
                    "warmcron.attempt": each.number,
                    "warmcron.answer": each.answer,
                    "k8s.pod.name": each.pod_name,
                    "k8s.pod.uid": each.pod_uid,
                },
            )
            if each.reason:
                span.set_status(api.StatusCode.ERROR, each.reason)
            span.end(_nano(each.ended or now))
        if record.outcome not in ("Succeeded", "Skipped"):
            root.set_status(api.StatusCode.ERROR, record.reason)
        root.end(_nano(now))

    def follow(self) -> None:
        """Our term is over: the next leader exports what goes on."""
        self._open.clear()

    def close(self) -> None:
        """Sends what is left, for as long as the exporter allows itself."""
        self._provider.shutdown()


def _attributes(run: runs.Run, record: RunRecord) -> dict[str, Any]:
    # OpenTelemetry has no names for cron yet; these are of its conventions for functions.
    return {
        "faas.trigger": "timer" if run.trigger == "Schedule" else "other",
        "faas.cron": run.spec.schedule_text.rpartition(" ")[0],
        "faas.time": times.text(run.scheduled),
        "faas.invocation_id": run.id,
        "warmcron.run.id": run.id,
        "warmcron.task": f"{run.task.namespace}/{run.task.name}",
        "warmcron.handler": run.spec.handler,
        "warmcron.pool": run.spec.pool.name,
        "warmcron.outcome": record.outcome,
        "warmcron.attempts": record.attempts,
    }


def _nano(instant: float) -> int:
    return int(instant * NANO)
