"""What has been measured so far: each row is on disk as soon as it is there. It measures nothing itself."""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.processes import StartError

Record = dict[str, Any]


class Notebook:
    """The record of one call of the benchmark.

    Args:
        out: where it goes; its tables go beside it.
        about: the machine, once described.
    """

    def __init__(self, out: Path, about: Record) -> None:
        self._out = out
        self.record: Record = {"machine": about}

    def add(self, name: str, row: Record) -> None:
        """One more row of a scenario; an interrupted benchmark has all that were added."""
        self.record.setdefault(name, []).append(row)
        print(json.dumps({name: row}), flush=True)
        self._write()

    def fail(self, name: str, error: Exception) -> None:
        """A scenario broke off. What it has measured stays, and others may go on."""
        if not isinstance(error, StartError):  # which says what to do about it
            traceback.print_exception(error, file=sys.stderr)
        self.record.setdefault("failures", []).append({"scenario": name, "error": f"{type(error).__name__}: {error}"})
        self._write()

    def conclude(self, faults: list[str]) -> None:
        """All has been measured; `faults` says what should not be."""
        self.record["faults"] = faults
        self._write()

    def _write(self) -> None:
        self.record["machine"]["load_average_after"] = machine.load()
        report.write(self.record, self._out)
