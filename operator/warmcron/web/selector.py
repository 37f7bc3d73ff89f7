"""Label selectors as people type them into the dashboard: bounded, and with commas too many. Pure."""

from typing import Final

from warmcron.core import selector
from warmcron.core.selector import Requirement, SelectorError

LONGEST: Final = 1000


def parse(text: str) -> tuple[Requirement, ...]:
    """The parts of a selector, all of which must hold; raises SelectorError."""
    if len(text) > LONGEST:
        raise SelectorError(text[:40])
    return tuple(selector.requirement(part) for part in selector.parts(text) if part)


def holds(requirements: tuple[Requirement, ...], labels: tuple[tuple[str, str], ...]) -> bool:
    """Whether every part holds."""
    return selector.holds(requirements, dict(labels))
