"""The next ticks of a task and what the clocks do around them, by the scheduler's own code: previews cannot differ."""

from dataclasses import dataclass
from typing import Final

from warmcron.core import zones
from warmcron.core.schedule import Schedule
from warmcron.errors import SpecError
from warmcron.web import show
from warmcron.web.language import Language

SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Tick:
    """One due moment and, where the clocks change, what a reader should know of it."""

    at: int
    note: str = ""


def following(plan: Schedule, *, zone: str, now: float, language: Language) -> tuple[Tick, ...]:
    """The next ten."""
    found: list[Tick] = []
    before = int(now)
    for _ in range(SHOWN):
        try:
            tick = plan.next_after(before)
        except SpecError:
            break
        found.append(Tick(tick, _note(before, tick, zones.zone(zone), language)))
        before = tick
    return tuple(found)


def _note(before: int, tick: int, zone: zones.Zone, language: Language) -> str:
    change = zone.last_change(tick)
    if change is None or change.at + abs(change.after - change.before) <= before:
        return ""
    moved = change.after - change.before
    span = show.duration(abs(moved), language)
    if moved > 0 and tick == change.at:
        return language.text("the clocks go forward by {span} here; a time they jump over is due now", span=span)
    if moved < 0 and tick < change.at - moved:
        return language.text("the clocks went back by {span}: this reading comes for the second time", span=span)
    if before >= change.at:
        return ""
    if moved > 0:
        return language.text("the clocks go forward by {span} before this", span=span)
    return language.text("the clocks go back by {span} before this", span=span)
