"""Labels of the embedded mode, where no API server reads selectors: the same grammar, the same answers."""

from warmcron.core import selector as selectors
from warmcron.core.selector import Requirement
from warmcron.local.objects import Objects
from warmcron.web.sources import OrderError, Viewer


def parse(text: str) -> tuple[Requirement, ...]:
    """A selector as kubectl's -l takes it; raises OrderError that names the part that makes no sense."""
    try:
        return selectors.parse(text)
    except selectors.SelectorError as error:
        example = "team=billing, team in (a, b) or !team"
        raise OrderError(f"selector: {str(error)!r} is no requirement such as {example}", status=400) from None


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
            if selectors.holds(wanted, manifest.labels) and (namespaces is None or manifest.namespace in namespaces)
        )
