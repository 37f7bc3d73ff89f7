"""Label selectors in questions: those of tasks are read by whoever has the labels, those of pods are read here."""

from typing import Annotated, Final

from fastapi import Query

from warmcron.api import problems
from warmcron.api.admission import Caller
from warmcron.api.sources import Sources
from warmcron.core import selector as selectors

LONGEST: Final = 2000
SAID: Final = "Label selector of the tasks, as kubectl's -l."

Selector = Annotated[str, Query(max_length=LONGEST, description=SAID)]
PodSelector = Annotated[str, Query(max_length=LONGEST, description="Label selector of the pods, as kubectl's -l.")]


def requirements(text: str) -> tuple[selectors.Requirement, ...]:
    """A selector that is read here, by the grammar of the API server."""
    try:
        return selectors.parse(text)
    except selectors.SelectorError as error:
        example = "app=reports, app in (a, b) or !app"
        raise problems.Problem(
            422, "invalid", f"selector: {str(error)!r} is no requirement such as {example}"
        ) from None


async def chosen(sources: Sources, who: Caller, selector: str, namespaces: list[str]) -> frozenset[str]:
    """The uids of the tasks that the selector chooses, of those that the caller may see. Raises OrderError."""
    return await sources.labels.select(who.viewer, selector, namespaces=who.within(namespaces))
