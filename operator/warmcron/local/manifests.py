"""Documents into checked ScheduledTasks, refused for what the API server and the operator would refuse. Pure."""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as part
from typing import Any, Final

from pydantic import ValidationError

from warmcron.core.tasks import Problem
from warmcron.kube import translate
from warmcron.local.documents import Document, Fault, Path
from warmcron.spec import rules
from warmcron.spec.task import GROUP, KIND, VERSION, Backoff, ScheduledTaskSpec

Json = dict[str, Any]

API_VERSION: Final = f"{GROUP}/{VERSION}"
DEFAULT_NAMESPACE: Final = "default"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_TOP: Final = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A ScheduledTask as a file has it."""

    namespace: str
    name: str
    annotations: dict[str, str]
    spec: Json
    file: str
    line: int
    labels: dict[str, str] = part(default_factory=dict)

    @property
    def key(self) -> str:
        """Namespace and name, which name the task."""
        return f"{self.namespace}/{self.name}"


def check(document: Document) -> tuple[Manifest | None, list[Fault]]:
    """A document's task, or why it is none. A document of another kind is neither: the cluster needs it, we do not."""
    value = document.value
    ours, fault = _is_task(document, value)
    if not ours:
        return None, [fault] if fault else []
    if faults := [*_envelope(document, value), *_spec(document, value)]:
        return None, faults
    found = _manifest(document, value)
    problem = translate.task_spec(raw(found, uid="", created="2026-01-01T00:00:00Z", generation=1))
    if isinstance(problem, Problem):
        path: Path = tuple(problem.message.split(":", 1)[0].split("."))
        return None, [document.fault(path, problem.message)]
    return found, []


def unpacked(document: Document) -> Iterator[Document]:
    """The objects of a `kind: List`, as `kubectl get -o yaml` writes several; else the document itself."""
    value = document.value
    items = value.get("items") if isinstance(value, dict) and value.get("kind") == "List" else None
    if not isinstance(items, list):
        yield document
        return
    lines: list[dict[Path, int]] = [{} for _ in items]
    for path, line in document.lines.items():
        match path:
            case ("items", int(index), *below):
                lines[index][tuple(below)] = line
    for item, found in zip(items, lines, strict=True):
        yield Document(document.file, item, found)


def _is_task(document: Document, value: Any) -> tuple[bool, Fault | None]:
    """Whether a document is a ScheduledTask; if it is one gone wrong, what is wrong."""
    if not isinstance(value, dict):
        return False, document.fault((), "expected an object with apiVersion, kind, metadata and spec")
    version, kind = value.get("apiVersion"), value.get("kind")
    if not kind or not version:
        absent = "kind" if not kind else "apiVersion"
        return False, document.fault((absent,), f"{absent}: missing; a task has {API_VERSION} and {KIND}")
    if str(version).split("/", maxsplit=1)[0] != GROUP:
        return False, None
    if (version, kind) == (API_VERSION, KIND):
        return True, None
    at = "kind" if version == API_VERSION else "apiVersion"
    return False, document.fault((at,), f"{version} {kind} is unknown; expected {API_VERSION} {KIND}")


def raw(manifest: Manifest, *, uid: str, created: str, generation: int) -> Json:
    """The object as the API server would hand it out."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "namespace": manifest.namespace,
            "name": manifest.name,
            "labels": manifest.labels,
            "annotations": manifest.annotations,
            "uid": uid,
            "creationTimestamp": created,
            "generation": generation,
        },
        "spec": manifest.spec,
    }


def doubled(manifests: list[Manifest]) -> list[Fault]:
    """Tasks that are written more than once: of the later ones nothing is believed."""
    first: dict[str, Manifest] = {}
    faults = []
    for manifest in manifests:
        known = first.setdefault(manifest.key, manifest)
        if known is not manifest:
            place = f"{known.file}:{known.line}"
            faults.append(Fault(manifest.file, manifest.line, f"{manifest.key} is written in {place} already"))
    return faults


def _manifest(document: Document, value: Json) -> Manifest:
    metadata = value["metadata"]
    return Manifest(
        namespace=metadata.get("namespace") or DEFAULT_NAMESPACE,
        name=metadata["name"],
        annotations=dict(metadata.get("annotations") or {}),
        spec=without_null(value["spec"]),
        file=document.file,
        line=document.lines[()],
        labels=dict(metadata.get("labels") or {}),
    )


def _envelope(document: Document, value: Json) -> Iterator[Fault]:
    for key in value:
        if key not in _TOP:
            yield document.fault((key,), f"{key}: unknown field{_meant(key, _TOP)}")
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        yield document.fault(("metadata",), "metadata: missing; it holds the task's name")
        return
    name, namespace = metadata.get("name"), metadata.get("namespace", DEFAULT_NAMESPACE)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > 253:  # noqa: PLR2004 - Kubernetes' bound
        yield document.fault(
            ("metadata", "name"), "metadata.name: expected lower-case letters, digits, '-' and '.', such as nightly"
        )
    if namespace and (not isinstance(namespace, str) or not _LABEL.fullmatch(namespace) or len(namespace) > 63):  # noqa: PLR2004
        yield document.fault(
            ("metadata", "namespace"), "metadata.namespace: expected lower-case letters, digits and '-'"
        )
    for name in ("annotations", "labels"):
        yield from _texts(document, name, metadata.get(name) or {})


def _texts(document: Document, name: str, found: Any) -> Iterator[Fault]:
    if not isinstance(found, dict):
        yield document.fault(("metadata", name), f"metadata.{name}: expected an object of texts")
        return
    for key, text in found.items():
        if not isinstance(text, str):
            yield document.fault(("metadata", name, key), f"metadata.{name}.{key}: expected text; put it in quotes")


def _spec(document: Document, value: Json) -> Iterator[Fault]:
    spec = value.get("spec")
    if not isinstance(spec, dict):
        yield document.fault(("spec",), "spec: missing; it says when to run what, and where")
        return
    try:
        text = json.dumps(without_null(spec))
        # As JSON and strictly: the API server takes no "3" for a number and no snake_case for a name.
        model = ScheduledTaskSpec.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        for fault in error.errors():
            yield _fault(document, ("spec", *fault["loc"]), dict(fault))
        return
    except (TypeError, ValueError) as error:
        yield document.fault(("spec",), f"spec: not JSON: {error}")
        return
    for place, message in rules.broken(model):
        path = ("spec", *place.split("."))
        yield document.fault(path, f"{'.'.join(path)}: {message.removeprefix('.'.join(path)).strip()}")


def _fault(document: Document, path: Path, fault: Json) -> Fault:
    name = ".".join(str(part) for part in path)
    if fault["type"] == "extra_forbidden":
        model = Backoff if path[1] == "backoff" else ScheduledTaskSpec
        known = [str(info.alias) for info in model.model_fields.values()]
        return document.fault(path, f"{name}: unknown field{_meant(str(path[-1]), known)}")
    if fault["type"] == "missing":
        return document.fault(path, f"{name}: missing")
    message = str(fault["msg"])
    return document.fault(path, f"{name}: {message[:1].lower()}{message[1:]}, not {json.dumps(fault['input'])[:80]}")


def _meant(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""


def without_null(spec: Json) -> Json:
    """A spec as the API server keeps it: a field that is null is not there, and 3.0 is a whole number."""
    found: Json = {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in spec.items()
        if value is not None
    }
    if isinstance(found.get("backoff"), dict):
        found["backoff"] = {key: value for key, value in found["backoff"].items() if value is not None}
    return found
