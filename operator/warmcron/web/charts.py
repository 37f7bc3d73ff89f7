"""Where the marks of a chart go: numbers for the SVG that a template writes. Nothing is drawn here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from warmcron.history.model import RunRow
from warmcron.web import marks
from warmcron.web.marks import Mark

WIDTH, HEIGHT = 1240, 170
LEFT, BOTTOM = 52, 18
GAP: Final = 0.24
STEPS: Final = (0.001, 0.01, 0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)


@dataclass(frozen=True, slots=True)
class Bar:
    """One run, oldest on the left; lengths in the units of the SVG's view box."""

    x: float
    y: float
    width: float
    height: float
    run: RunRow
    seconds: float


@dataclass(frozen=True, slots=True)
class Durations:
    """A chart of how long runs took, on a logarithmic scale: a second and an hour fit into one picture."""

    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    lines: tuple[tuple[float, float], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    floor: int = HEIGHT - BOTTOM


def durations(runs: Sequence[RunRow], *, slots: int) -> Durations | None:
    """The chart of these runs (newest first, as the history tells them); None if none of them took any time."""
    timed = [
        (run, run.finished - run.started)
        for run in reversed(runs)
        if run.started is not None and run.finished is not None and run.finished > run.started
    ]
    if not timed:
        return None
    longest, shortest = max(took for _, took in timed), min(took for _, took in timed)
    high = next((step for step in STEPS if step >= longest), longest)
    low = next((step for step in reversed(STEPS) if step < shortest), shortest / 2)
    scale = (HEIGHT - BOTTOM - 8) / (math.log(high) - math.log(low))
    floor = HEIGHT - BOTTOM
    slot = (WIDTH - LEFT) / max(slots, len(timed))
    bars = []
    for place, (run, took) in enumerate(timed):
        height = max(3.0, (math.log(took) - math.log(low)) * scale)
        x = WIDTH - (len(timed) - place) * slot
        bars.append(Bar(round(x, 1), round(floor - height, 1), round(slot * (1 - GAP), 1), round(height, 1), run, took))
    lines = tuple(
        (round(floor - (math.log(step) - math.log(low)) * scale, 1), step) for step in STEPS if low < step <= high
    )
    shown = dict.fromkeys(marks.run(run.state) for run, _ in timed)
    return Durations(tuple(bars), tuple(shown), lines)


def heights(values: Sequence[int], *, most: int) -> tuple[int, ...]:
    """Each value as a height of at most `most`; what is not zero can be seen."""
    top = max(values, default=0)
    return tuple(max(2, round(value * most / top)) if value else 0 for value in values)
