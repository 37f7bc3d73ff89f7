"""Metrics and the format of log lines. Nothing here decides anything."""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

import warmcron
from warmcron.core import runs, trace
from warmcron.core.bookkeeping import MISSED
from warmcron.core.tasks import RunRecord, Task, TaskRef
from warmcron.series import TaskSeries

log = structlog.get_logger("warmcron")

# A series beside each counter that says since when it counts, which Prometheus does not read.
disable_created_metrics()  # type: ignore[no-untyped-call]

# How long lines about runs that have ended are held back in a cluster, and how many are written in one go.
LINE_SECONDS: Final = 1.0
LINES: Final = 200

DELAYS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
DURATIONS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)
ANSWERS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# A run that was as late as this is worth a look at its trace: an exemplar on each of a herd's would cost the herd.
LATE_SECONDS: Final = 1.0


def configure_logging(level: str, style: str) -> None:
    """One JSON object a line on stdout, for our own lines and for those of libraries."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.MaybeTimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # kopf writes two lines for each event of each object; ours say what matters.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


class Metrics:
    """Everything that is counted, under the names of docs (base units, `_total`, no pod names, no run ids).

    Args:
        eager: lines about runs are logged as things happen. In a cluster a scheduled run gets one line, when it has
            ended, and up to a second later: a line costs as much as sending a run, and a herd would wait for it.
        named_tasks: how many tasks at most have series of their own.
    """

    def __init__(self, *, eager: bool = True, named_tasks: int = 0) -> None:
        self._eager = eager
        self._lines: list[dict[str, object]] = []
        self.registry = CollectorRegistry()
        self.leader = Gauge("warmcron_leader", "1 on the replica that leads", registry=self.registry)
        self.epoch = Gauge("warmcron_epoch", "Number of the current term", registry=self.registry)
        self.tasks = Gauge("warmcron_tasks", "ScheduledTasks that are known", registry=self.registry)
        self.workers = Gauge("warmcron_workers", "Worker pods", ["state"], registry=self.registry)
        self.pool_workers = Gauge(
            "warmcron_pool_workers", "Worker pods of a pool", ["namespace", "pool", "state"], registry=self.registry
        )
        self.pending = Gauge(
            "warmcron_runs_pending", "Runs that wait for a worker", ["namespace", "pool"], registry=self.registry
        )
        self.demand = Gauge(
            "warmcron_pool_demand",
            "Runs that go on, wait, or are due within a minute; broadcasts left out",
            ["namespace", "pool"],
            registry=self.registry,
        )
        self.capacity = Gauge(
            "warmcron_pool_capacity",
            "Runs that the ready workers of a pool take at once",
            ["namespace", "pool"],
            registry=self.registry,
        )
        self.failing = Gauge(
            "warmcron_task_consecutive_failures",
            "Failed runs in a row, of each of at most 500 tasks that fail",
            ["namespace", "task"],
            registry=self.registry,
        )
        self.lag = Gauge(
            "warmcron_tick_lag_seconds",
            "How long the most overdue task has waited for its turn",
            registry=self.registry,
        )
        self.build = Gauge("warmcron_build_info", "1, with the version", ["version"], registry=self.registry)
        self.build.labels(warmcron.__version__).set(1)
        self.leading = False
        self.active = Gauge("warmcron_runs_active", "Runs that go on or wait", registry=self.registry)
        self.delay = Histogram(
            "warmcron_schedule_delay_seconds",
            "From the tick to the first request",
            buckets=DELAYS,
            registry=self.registry,
        )
        self.dispatch = Histogram(
            "warmcron_dispatch_duration_seconds",
            "From handing a request to a worker's connection to its answer, by the answer's kind",
            ["answer"],
            buckets=ANSWERS,
            registry=self.registry,
        )
        self.duration = Histogram(
            "warmcron_run_duration_seconds",
            "From the first request to the end",
            buckets=DURATIONS,
            registry=self.registry,
        )
        self.runs = Counter("warmcron_runs", "Runs that ended", ["outcome"], registry=self.registry)
        self.attempts = Counter(
            "warmcron_attempts", "Requests to workers by answer", ["answer"], registry=self.registry
        )
        self.skips = Counter("warmcron_skipped_ticks", "Ticks not started", ["reason"], registry=self.registry)
        self.missed = Counter(
            "warmcron_missed_ticks", "Ticks that passed without a run", ["reason"], registry=self.registry
        )
        for reason in MISSED:
            self.missed.labels(reason)
        self.late = Counter("warmcron_ignored_reports", "Reports late, doubled or foreign", registry=self.registry)
        self.refused = Counter("warmcron_refused_callbacks", "Callbacks refused", ["reason"], registry=self.registry)
        self.forwarded = Counter(
            "warmcron_forwarded_callbacks", "Callbacks that a standby passed on to the leader", registry=self.registry
        )
        self.silenced = Counter(
            "warmcron_unlogged_lines",
            "Lines of handlers left out of the operator's log, because there were too many",
            registry=self.registry,
        )
        self.writes = Counter("warmcron_status_writes", "Status writes by answer", ["answer"], registry=self.registry)
        self.errors = Counter("warmcron_internal_errors", "Errors that are ours", ["where"], registry=self.registry)
        self.unnamed = Gauge(
            "warmcron_tasks_unnamed", "Tasks beyond the number that have series of their own", registry=self.registry
        )
        self.series = TaskSeries(most=named_tasks)
        # `labels` takes a lock and makes a key, and there are two of them for each request of a herd.
        self._answers: dict[str, tuple[Counter, Histogram]] = {}

    def answered(self, answer: str, seconds: float) -> None:
        """A worker answered a request to execute, or did not in time; `answer` is the kind of event."""
        found = self._answers.get(answer)
        if found is None:
            found = self._answers[answer] = self.attempts.labels(answer), self.dispatch.labels(answer)
        counter, histogram = found
        counter.inc()
        histogram.observe(seconds)

    def started(self, run: runs.Run, delay: float) -> None:
        """A run was first sent, this many seconds after its tick."""
        if run.trigger == "Schedule":
            late = delay >= LATE_SECONDS
            self.delay.observe(max(delay, 0.0), {"trace_id": trace.trace_id(run.id)} if late else None)
        if not self._eager and run.trigger == "Schedule":
            return
        log.info(
            "run started",
            namespace=run.task.namespace,
            task=run.task.name,
            run_id=run.id,
            attempt=run.attempt,
            pod=run.pod_name,
            delay_seconds=round(delay, 3),
        )

    def ended(self, run: runs.Run, record: RunRecord) -> None:
        """A run is over."""
        self.runs.labels(record.outcome).inc()
        if record.started is not None:
            self.duration.observe(record.duration)
        line: dict[str, object] = {
            "namespace": run.task.namespace,
            "task": run.task.name,
            "run_id": run.id,
            "outcome": record.outcome,
            "reason": record.reason,
            "attempts": record.attempts,
            "pod": record.pod_name,
            "delay_seconds": None if record.started is None else round(record.started - record.scheduled, 3),
            "duration_seconds": record.duration,
        }
        if self._eager:
            log.info("run ended", **line)
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(LINE_SECONDS, self.write_lines)
        self._lines.append({**line, "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z")})

    def write_lines(self, *, limit: int = LINES) -> None:
        """Logs what has been held back. A crash before this loses up to a second of lines, and nothing else."""
        lines, self._lines = self._lines[:limit], self._lines[limit:]
        if self._lines:
            asyncio.get_running_loop().call_later(0, self.write_lines)
        for line in lines:
            log.info("run ended", **line)

    def skipped(self, task: Task, reason: str, count: int) -> None:
        """Ticks were not started."""
        self.skips.labels(reason).inc(count)
        if reason in MISSED:
            self.missed.labels(reason).inc(count)
        log.info("ticks skipped", namespace=task.ref.namespace, task=task.ref.name, reason=reason, count=count)

    def ignored(self, event: runs.Event) -> None:
        """An answer or callback came too late, twice, or for a run that is not here."""
        self.late.inc()
        log.debug("report ignored", what=type(event).__name__)

    def broke(self, task: TaskRef, error: Exception) -> None:
        """An error of ours that nobody expected: the task is left alone, the others go on."""
        self.errors.labels("engine").inc()
        log.error("task left alone", namespace=task.namespace, task=task.name, exc_info=error)
