"""The bars of a strip of runs, written here and not by a template. It decides nothing that a page says elsewhere.

A list of tasks has two strips of twenty bars in each of fifty rows: as a template they took two thirds of its time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from warmcron.history.model import RunRow
from warmcron.web import marks, show
from warmcron.web.language import Language

EMPTY = "<i></i>"


@dataclass(frozen=True, slots=True)
class Strip:
    """The last runs of a task.

    Attributes:
        bars: elements, oldest first; a bar's title says what its height and its colour say, and when that was.
        plain: the same without titles, for where nothing can point at them.
        count, good, bad: how many there are, and how many of them succeeded and failed.
    """

    bars: Markup
    plain: Markup
    count: int
    good: int
    bad: int


def strip(runs: Sequence[RunRow], *, slots: int, zone: str, language: Language) -> Strip:
    """The strip of these runs (newest first), with times in that zone; it begins with what is missing of `slots`."""
    kinds: dict[str, tuple[str, Markup]] = {}
    bars, plain = [], []
    for run in reversed(runs):
        if run.state not in kinds:
            mark = marks.run(run.state)
            kinds[run.state] = f'<i class="{escape(mark.tone)}"', escape(show.clean(language.text(mark.word)))
        begun, word = kinds[run.state]
        bars.append(f'{begun} title="{word} · {escape(show.full(run.scheduled, zone))}"></i>')
        plain.append(f"{begun}></i>")
    missing = EMPTY * (slots - len(runs))
    states = [run.state for run in runs]
    return Strip(
        bars=Markup(missing + "".join(bars)),  # noqa: S704 - of parts that are escaped above
        plain=Markup(missing + "".join(plain)),  # noqa: S704
        count=len(runs),
        good=states.count("Succeeded"),
        bad=states.count("Failed"),
    )
