"""Label selectors in questions: they are read by whoever has the labels, and become the uids of tasks here."""

from typing import Annotated, Final

from fastapi import Query

from warmcron.api.admission import Caller
from warmcron.api.sources import Sources

LONGEST: Final = 2000
SAID: Final = "Label selector of the tasks, as kubectl's -l."

Selector = Annotated[str, Query(max_length=LONGEST, description=SAID)]


async def chosen(sources: Sources, who: Caller, selector: str, namespaces: list[str]) -> frozenset[str]:
    """The uids of the tasks that the selector chooses, of those that the caller may see. Raises OrderError."""
    return await sources.labels.select(who.viewer, selector, namespaces=who.within(namespaces))
