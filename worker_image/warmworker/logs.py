"""The worker's own log on the container's stderr; never what handlers print, which stays as they print it."""

import io
import json
import logging
import sys
from typing import Final

from warmworker import run, times

FORMATS: Final = ("text", "json")


class JsonFormatter(logging.Formatter):
    """One JSON object a line; of a handler's lines it names the run."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        found = {
            "time": times.text(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := run.running_or_none()) is not None:
            found |= {"runId": current.run_id, "attempt": str(current.attempt), "task": current.task.name}
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return json.dumps(found)


def set_up(log_format: str) -> None:
    """Log to stderr from INFO on, unless the user's module has set up logging itself."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # a line that is kept back is lost in a crash
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == "json" else text)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
