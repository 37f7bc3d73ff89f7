"""Where ScheduledTasks are in the Kubernetes API. Nothing is called here."""

from warmcron.spec.task import GROUP, PLURAL, VERSION


def tasks(namespace: str = "") -> str:
    """The collection of a namespace, or of all namespaces."""
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{place}/{PLURAL}"


def task(namespace: str, name: str) -> str:
    """One object."""
    return f"{tasks(namespace)}/{name}"
