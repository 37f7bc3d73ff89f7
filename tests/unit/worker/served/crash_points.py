"""Handlers for the crash tests: WORKER_DIES_AT names the moment at which this process kills itself."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from warmworker import task, worker
from warmworker.journal import Journal

MOMENT = os.environ.get("WORKER_DIES_AT", "")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task("note")
def note(payload: dict[str, Any]) -> None:
    """Leaves a mark outside, so that a test can count how often it was called."""
    with Path(payload["file"]).open("a") as file:
        file.write("called\n")
    if MOMENT == "in the handler":
        die()


class DyingJournal(Journal):
    """Dies around the commit of the batch that holds the word in MOMENT."""

    def _write_batch(self, batch: Sequence[Any]) -> None:
        text = repr(batch)
        ours = bool(MOMENT) and MOMENT.rsplit(" ", 1)[-1] in text and "note" in text

        def before_commit(statement: str) -> None:
            if statement == "COMMIT":
                die()

        if ours and MOMENT.startswith("before the commit"):
            self._database.set_trace_callback(before_commit)
        super()._write_batch(batch)
        if ours and MOMENT.startswith("after the commit"):
            die()


if MOMENT:
    setattr(worker, "Journal", DyingJournal)  # noqa: B010 - this process is made to die, and mypy need not know
