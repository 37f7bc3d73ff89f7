"""A job of another scheduler as a ScheduledTask, checked as if it had been written by hand."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from warmcron.core.tasks import Problem
from warmcron.kube import translate
from warmcron.local import documents, manifests
from warmcron.local.manifests import API_VERSION
from warmcron.spec.task import KIND

Json = dict[str, Any]

CREATED: Final = "2026-01-01T00:00:00Z"


@dataclass(slots=True)
class Converted:
    """One job.

    Attributes:
        source: what it was called.
        notes: what is different or could not be carried over.
        problem: why it cannot be a task at all; empty if it can.
    """

    source: str
    task: Json = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problem: str = ""


def checked(source: str, *, name: str, namespace: str | None, labels: Json, spec: Json, notes: list[str]) -> Converted:
    """The task, or why it is none."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {}) | ({"labels": labels} if labels else {})
    task = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    manifest, faults = manifests.check(documents.Document(source, task, {(): 1}))
    problem = "; ".join(fault.message for fault in faults)
    if manifest and isinstance(found := translate.task_spec(_raw(manifest)), Problem):
        problem = found.message
    return Converted(source, task, notes, problem)


def slug(text: str, fallback: str) -> str:
    """A name that Kubernetes takes, as near to the text as can be."""
    found = re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).lower()).strip("-")[:63].strip("-")
    return found or fallback


def _raw(manifest: manifests.Manifest) -> Json:
    return manifests.raw(manifest, uid="", created=CREATED, generation=1)
