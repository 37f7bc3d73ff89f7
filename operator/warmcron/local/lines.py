"""What happens, in sentences: turns the engine's log into lines for people. The engine logs the same in a cluster."""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import structlog

Event = dict[str, Any]

KEPT: Final = 200
_NOISE: Final = ("timestamp", "level", "logger", "event", "exception")


class Lines(logging.Handler):
    """Keeps the last lines and hands each new one on.

    Attributes:
        out: takes a line as it comes; None while the live view shows them.
    """

    def __init__(self, out: Callable[[str], None] | None) -> None:
        super().__init__()
        self.out = out
        self.kept: deque[tuple[str, str]] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one log record."""
        try:
            line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {self.format(record)}"
            self.kept.append((record.levelname, line))
            if self.out:
                self.out(line)
        except Exception:  # noqa: BLE001 - a line that cannot be shown must not stop what it tells of
            self.handleError(record)


def install(lines: Lines, *, name_of: Callable[[str], str]) -> None:
    """Sends every log line of this process there. `name_of` knows the task of a run id."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )

    def render(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        return sentence(dict(event), name_of=name_of)

    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [lines]
    root.setLevel(logging.INFO)
    for library in ("aiohttp.access", "uvicorn", "asyncio", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)


def sentence(event: Event, *, name_of: Callable[[str], str]) -> str:
    """One log event as a sentence."""
    what = str(event.get("event"))
    if what == "task output":
        return f"{name_of(event['run_id'])} | {event['text']}"
    if known := _SENTENCES.get(what):
        return known(event)
    more = " ".join(f"{key}={value}" for key, value in event.items() if key not in _NOISE)
    exception = f"\n{event['exception']}" if event.get("exception") else ""
    return f"{what} {more}".rstrip() + exception


def _started(event: Event) -> str:
    attempt = f", attempt {event['attempt']}" if event.get("attempt", 1) > 1 else ""
    return f"{_task(event)}: started on {event['pod']}{attempt}"


def _skipped(event: Event) -> str:
    count = event["count"]
    return f"{_task(event)}: {count} {'tick' if count == 1 else 'ticks'} skipped: {event['reason']}"


def _worker_ready(event: Event) -> str:
    return f"worker {event['worker']} is ready (process {event['pid']}, port {event['port']})"


def _worker_not_ready(event: Event) -> str:
    return f"worker {event['worker']} is not ready: {event['reason']}"


def _worker_ended(event: Event) -> str:
    return f"worker {event['worker']} (process {event['pid']}) {event['reason']}{_moved(event['runs'])}"


def _worker_failed(event: Event) -> str:
    said = f"\n{event['said']}" if event["said"] else ""
    return f"worker {event['worker']} did not become ready: {event['reason']}{said}"


def _ended(event: Event) -> str:
    where = f" on {event['pod']}" if event.get("pod") else ""
    took = f" in {event['duration_seconds']:.2f} s"
    attempts = f" at attempt {event['attempts']}" if event["attempts"] > 1 else ""
    reason = f": {event['reason']}" if event.get("reason") else ""
    return f"{_task(event)}: {event['outcome']}{where}{took}{attempts}{reason}"


def _task(event: Event) -> str:
    namespace = event.get("namespace")
    return str(event["task"]) if namespace in (None, "default") else f"{namespace}/{event['task']}"


def _moved(runs: int) -> str:
    return f"; {runs} {'run goes' if runs == 1 else 'runs go'} elsewhere" if runs else ""


_SENTENCES: Final[dict[str, Callable[[Event], str]]] = {
    "run started": _started,
    "run ended": _ended,
    "ticks skipped": _skipped,
    "worker ready": _worker_ready,
    "worker not ready": _worker_not_ready,
    "worker ended": _worker_ended,
    "worker failed": _worker_failed,
    "worker not started": lambda event: f"worker {event['worker']} was not started: {event['reason']}",
}
