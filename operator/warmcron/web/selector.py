"""Label selectors as kubectl reads them: `team=billing,tier!=test,canary,!old,env in (dev,qa)`. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 1000
_KEY: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_VALUE: Final = r"[A-Za-z0-9._-]*"
_EQUALS: Final = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_SET: Final = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EXISTS: Final = re.compile(rf"(!?)\s*({_KEY})")
_COMMA: Final = re.compile(r",(?![^(]*\))")


class SelectorError(ValueError):
    """What was asked for is no selector; the message is the part that is none."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One part of a selector. `values` None asks only whether the label is there."""

    key: str
    values: frozenset[str] | None
    wanted: bool

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is meant. As in Kubernetes, `!=` and `notin` hold without the label."""
        found = labels.get(self.key)
        meant = found is not None and (self.values is None or found in self.values)
        return meant is self.wanted


def parse(text: str) -> tuple[Requirement, ...]:
    """The parts of a selector, all of which must hold; raises SelectorError."""
    if len(text) > LONGEST:
        raise SelectorError(text[:40])
    return tuple(_requirement(part.strip()) for part in _COMMA.split(text) if part.strip())


def holds(requirements: tuple[Requirement, ...], labels: tuple[tuple[str, str], ...]) -> bool:
    """Whether every part holds."""
    found = dict(labels)
    return all(each.holds(found) for each in requirements)


def _requirement(text: str) -> Requirement:
    if found := _EQUALS.fullmatch(text):
        return Requirement(found[1], frozenset({found[3]}), found[2] != "!=")
    if found := _SET.fullmatch(text):
        values = frozenset(value.strip() for value in found[3].split(","))
        if all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(found[1], values, found[2] == "in")
    if found := _EXISTS.fullmatch(text):
        return Requirement(found[2], None, not found[1])
    raise SelectorError(text[:80])
