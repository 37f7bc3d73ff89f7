"""What a strip of runs says, bar by bar; the template only writes it. Nothing here knows HTML.

A list of tasks has two strips of twenty bars in each of fifty rows: worked out in a template, they took two thirds of
its time, most of it calls from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from warmcron.history.model import RunRow
from warmcron.web import marks, show
from warmcron.web.language import Language


@dataclass(frozen=True, slots=True)
class Strip:
    """The last runs of a task.

    Attributes:
        bars: tone and title of each run, oldest first; the title says what height and colour say, and when that was.
        missing: how many bars are empty, before the others.
        good, bad: how many succeeded and failed.
    """

    bars: tuple[tuple[str, str], ...]
    missing: int
    good: int
    bad: int


def strip(runs: Sequence[RunRow], *, slots: int, zone: str, language: Language) -> Strip:
    """The strip of these runs (newest first), with times in that zone; of so many slots, if there are no more runs."""
    states = [run.state for run in runs]
    kinds = {state: marks.run(state) for state in states}
    words = {state: language.text(mark.word) for state, mark in kinds.items()}
    return Strip(
        bars=tuple(
            (kinds[run.state].tone, f"{words[run.state]} · {show.full(run.scheduled, zone)}") for run in reversed(runs)
        ),
        missing=max(slots - len(runs), 0),
        good=states.count("Succeeded"),
        bad=states.count("Failed"),
    )
