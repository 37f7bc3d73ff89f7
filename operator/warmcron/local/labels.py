"""Label selectors of the embedded mode, where no API server reads them: the same grammar, the same answers."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from warmcron.local.objects import Objects
from warmcron.web.sources import OrderError, Viewer

KEY: Final = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_EQUALS: Final = re.compile(rf"(?P<key>{KEY})\s*(?P<sign>==?|!=)\s*(?P<value>{VALUE})")
_AMONG: Final = re.compile(rf"(?P<key>{KEY})\s+(?P<sign>in|notin)\s*\(\s*(?P<values>{VALUE}(?:\s*,\s*{VALUE})*)\s*\)")
_EXISTS: Final = re.compile(rf"(?P<sign>!?)\s*(?P<key>{KEY})")
# A comma parts requirements, but not inside the parentheses of a set.
_COMMA: Final = re.compile(r",(?![^(]*\))")

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements that must all hold."""

    requirements: tuple[Callable[[Labels], bool], ...]

    def chooses(self, labels: Labels) -> bool:
        """Whether an object with these labels is meant."""
        return all(holds(labels) for holds in self.requirements)


def parse(text: str) -> Selector:
    """A selector as kubectl's -l takes it; raises OrderError that names the part that makes no sense."""
    return Selector(tuple(_requirement(part.strip()) for part in _COMMA.split(text))) if text.strip() else Selector(())


def _requirement(text: str) -> Callable[[Labels], bool]:
    if found := _EQUALS.fullmatch(text):
        return _one_of(found["key"], [found["value"]], among=found["sign"] != "!=")
    if found := _AMONG.fullmatch(text):
        values = [value.strip() for value in found["values"].split(",")]
        return _one_of(found["key"], values, among=found["sign"] == "in")
    if found := _EXISTS.fullmatch(text):
        key, wanted = found["key"], not found["sign"]
        return lambda labels: (key in labels) is wanted
    raise OrderError(f"selector: {text!r} is no requirement such as team=billing, team in (a, b) or !team", status=400)


def _one_of(key: str, values: Iterable[str], *, among: bool) -> Callable[[Labels], bool]:
    known = frozenset(values)
    # As in a cluster, an object without the label is none of those that have one of the values.
    return lambda labels: (key in labels and labels[key] in known) is among


class FileLabels:
    """Fits `web.sources.Labels`: the labels that the files give their tasks."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def select(self, viewer: Viewer, selector: str, *, namespaces: tuple[str, ...] | None) -> frozenset[str]:  # noqa: ARG002
        """The uids of the tasks that the selector chooses."""
        wanted = parse(selector)
        return frozenset(
            self._objects.raw(key)["metadata"]["uid"]
            for key, manifest in self._objects.declared.items()
            if wanted.chooses(manifest.labels) and (namespaces is None or manifest.namespace in namespaces)
        )
