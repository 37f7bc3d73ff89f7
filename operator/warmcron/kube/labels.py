"""Label selectors: the API server reads them, and is asked with the caller's own token. No labels are kept here."""

from typing import Final

from warmcron.errors import KubeError
from warmcron.kube import paths
from warmcron.kube.callers import Caller
from warmcron.kube.client import KubeClient
from warmcron.web.sources import OrderError, Viewer

# What the API server says of a selector that it cannot read, and of a caller who may not list.
REFUSALS: Final = (400, 401, 403)


class KubeLabels:
    """Fits `web.sources.Labels`.

    Args:
        client: a client of nobody's.
    """

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def select(self, viewer: Viewer, selector: str, *, namespaces: tuple[str, ...] | None) -> frozenset[str]:
        """The uids of the tasks that the selector chooses."""
        assert isinstance(viewer, Caller)  # noqa: S101 - they come from `Callers`
        found: set[str] = set()
        try:
            for namespace in ("",) if namespaces is None else namespaces:
                path = paths.tasks(namespace)
                async for page in self._client.names_as_caller(viewer.token, path, selector=selector):
                    found.update(item["metadata"]["uid"] for item in page.get("items") or ())
        except KubeError as error:
            if error.status in REFUSALS:
                raise OrderError(f"the cluster refused: {error}", status=error.status) from None
            raise
        return frozenset(found)
