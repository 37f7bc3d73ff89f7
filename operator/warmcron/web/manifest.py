"""A task's manifest as somebody would apply it: without what the cluster adds, and without orders. Pure."""

from typing import Any, Final

import yaml

from warmcron.spec.task import CANCEL_ANNOTATION, TRIGGER_ANNOTATION, TRIGGER_PAYLOAD_ANNOTATION

Json = dict[str, Any]

KEPT: Final = ("name", "namespace", "labels", "annotations")
# kubectl writes its own of these anew; those of orders would be obeyed anew.
DROPPED: Final = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration",
    TRIGGER_ANNOTATION,
    TRIGGER_PAYLOAD_ANNOTATION,
    CANCEL_ANNOTATION,
})  # fmt: skip


def applicable(raw: Json) -> str:
    """The object as YAML that `kubectl apply -f -` takes."""
    metadata = {key: raw.get("metadata", {}).get(key) for key in KEPT}
    annotations = metadata["annotations"] or {}
    metadata["annotations"] = {key: value for key, value in annotations.items() if key not in DROPPED}
    found = {
        "apiVersion": raw.get("apiVersion"),
        "kind": raw.get("kind"),
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": raw.get("spec", {}),
    }
    return str(yaml.dump(found, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: nobody who reads a manifest expects one."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
