"""Label selectors as kubectl reads them: `team=billing,tier!=test,canary,!old,env in (dev,qa)`. Pure.

The one grammar for places where no API server reads them; tests ask a real one the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SHOWN: Final = 80
_KEY: Final = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_EQUALS: Final = re.compile(rf"(?P<key>{_KEY})\s*(?P<sign>==?|!=)\s*(?P<value>{_VALUE})")
_AMONG: Final = re.compile(
    rf"(?P<key>{_KEY})\s+(?P<sign>in|notin)\s*\(\s*(?P<values>{_VALUE}(?:\s*,\s*{_VALUE})*)\s*\)"
)
_EXISTS: Final = re.compile(rf"(?P<sign>!?)\s*(?P<key>{_KEY})")
# A comma parts requirements, but not inside the parentheses of a set.
_COMMA: Final = re.compile(r",(?![^(]*\))")


class SelectorError(ValueError):
    """What was asked for is no selector; the message is the part that is none, cut at `SHOWN`."""


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


def parts(text: str) -> list[str]:
    """What stands between the commas, without blanks around it."""
    return [part.strip() for part in _COMMA.split(text)]


def parse(text: str) -> tuple[Requirement, ...]:
    """The requirements, all of which must hold; none for a blank text. Raises SelectorError."""
    return tuple(requirement(part) for part in parts(text)) if text.strip() else ()


def requirement(text: str) -> Requirement:
    """One part; raises SelectorError."""
    if found := _EQUALS.fullmatch(text):
        return Requirement(found["key"], frozenset({found["value"]}), found["sign"] != "!=")
    if found := _AMONG.fullmatch(text):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], values, found["sign"] == "in")
    if found := _EXISTS.fullmatch(text):
        return Requirement(found["key"], None, not found["sign"])
    raise SelectorError(text[:SHOWN])


def holds(requirements: tuple[Requirement, ...], labels: Mapping[str, str]) -> bool:
    """Whether every requirement holds."""
    return all(each.holds(labels) for each in requirements)
