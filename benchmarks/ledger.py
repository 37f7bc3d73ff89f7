"""What arrived at the workers against what should have: lost, doubled, early, and how late. It changes no ledger.

A ledger has a line of JSON for each arrival: `at` (epoch seconds), `tick` (ISO 8601), `task`, `run`, `pod`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arrival:
    """A run that a worker was given. `at` and `tick` are epoch seconds."""

    at: float
    tick: int
    task: str
    run: str
    pod: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """How ticks were served; delays are milliseconds from the tick to the arrival at a worker.

    Attributes:
        doubled: runs that a worker began although one had begun them before.
        early: arrivals before their tick.
    """

    expected: int
    lost: int
    doubled: int
    early: int
    foreign: int
    delays: tuple[float, ...]

    def clean(self) -> bool:
        """Nothing lost, doubled, early or never asked for."""
        return not (self.lost or self.doubled or self.early or self.foreign)


def read(files: Iterable[Path]) -> list[Arrival]:
    """All arrivals that are written down."""
    return [arrival for file in files for arrival in _arrivals(file.read_bytes())[0]]


class Tail:
    """What is written into ledgers from now on."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._read = {file: file.stat().st_size for file in files}

    def read(self) -> list[Arrival]:
        """What has been written since it was asked last."""
        found = []
        for file, offset in self._read.items():
            with file.open("rb") as lines:
                lines.seek(offset)
                arrivals, length = _arrivals(lines.read())
            self._read[file] = offset + length
            found += arrivals
        return found


def _arrivals(text: bytes) -> tuple[list[Arrival], int]:
    """The whole lines of a text, and how many bytes they are: somebody may be writing the last one."""
    length = text.rfind(b"\n") + 1
    entries = map(json.loads, text[:length].splitlines())
    return [
        Arrival(
            entry["at"],
            int(datetime.fromisoformat(entry["tick"]).timestamp()),
            entry["task"],
            entry["run"],
            entry["pod"],
            entry.get("repeated", False),
        )
        for entry in entries
    ], length


def write(file: Path, arrivals: Iterable[Arrival]) -> None:
    """Writes a ledger as the workers do, for what has been seen otherwise."""
    with file.open("w") as out:
        for arrival in arrivals:
            entry = {
                "at": arrival.at,
                "pod": arrival.pod,
                "run": arrival.run,
                "tick": datetime.fromtimestamp(arrival.tick, UTC).isoformat(),
                "task": arrival.task,
                "repeated": arrival.repeated,
            }
            out.write(json.dumps(entry) + "\n")


def judge(arrivals: Iterable[Arrival], *, tasks: Iterable[str], ticks: Iterable[int]) -> Verdict:
    """Compares with what was due: every task at every tick, once."""
    wanted = {(task, tick) for tick in ticks for task in tasks}
    times = {tick for _, tick in wanted}
    first: dict[tuple[str, int], float] = {}
    doubled = early = foreign = 0
    for arrival in sorted(arrivals, key=lambda arrival: arrival.at):
        key = (arrival.task, arrival.tick)
        if arrival.tick not in times:
            continue  # a tick of another measurement
        early += arrival.at < arrival.tick
        if key not in wanted:
            foreign += 1
        elif key not in first:
            first[key] = arrival.at
        elif not arrival.repeated:
            doubled += 1
    delays = sorted((at - tick) * 1000 for (_, tick), at in first.items())
    return Verdict(len(wanted), len(wanted) - len(first), doubled, early, foreign, tuple(delays))


def percentile(ordered: tuple[float, ...] | list[float], share: float) -> float:
    """The value below which this share lies; of a sorted sequence."""
    if not ordered:
        return float("nan")
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
