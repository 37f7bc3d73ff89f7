"""Sends what a handler prints or logs to its run as well; never keeps anything from the container's own output."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from warmworker import run


class Tee:
    """Stands in for sys.stdout or sys.stderr: writes through, and copies to the run of the calling context."""

    def __init__(self, real: TextIO, stream: str) -> None:
        self._real = real
        self._stream = stream

    def write(self, text: str) -> int:
        """Write through, then copy: a failing container stream fails the print, as it would without us."""
        written = self._real.write(text)
        if (current := run.running_or_none()) is not None:
            current._sink.write(self._stream, text)  # noqa: SLF001 - the sink is the worker's side of the run
        return written

    def writelines(self, lines: list[str]) -> None:
        """Write each; line ends are the caller's."""
        for each in lines:
            self.write(each)

    def __getattr__(self, name: str) -> Any:
        # Everything else (fileno, encoding, isatty, flush, buffer) is the real stream's.
        return getattr(self._real, name)


class RunLogHandler(logging.Handler):
    """Copies records of the logging module to the run of the calling context."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: a log line is not worth a run."""
        current = run.running_or_none()
        if current is None:
            return
        try:
            current._sink.log(record.levelname, self.format(record))  # noqa: SLF001 - as above
        except Exception:  # noqa: BLE001 - any formatting error of any library
            self.handleError(record)


@contextlib.contextmanager
def capturing() -> Iterator[None]:
    """Capture while this is open.

    Open it after the user's modules are imported: a log handler made earlier holds the real stderr, so its lines
    are not captured twice.
    """
    out, err = sys.stdout, sys.stderr
    handler = RunLogHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    sys.stdout, sys.stderr = Tee(out, "stdout"), Tee(err, "stderr")
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        sys.stdout, sys.stderr = out, err
