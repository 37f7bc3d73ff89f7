"""YAML text into documents that know the line of each of their fields. What the fields mean is not its concern."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

Path = tuple[str | int, ...]

# Aliases of aliases can say more in one line than a machine can hold.
MAX_FIELDS: Final = 200_000

_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a file: where, and what. Lines count from 1."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value, and where each field of it is written."""

    file: str
    value: Any
    lines: dict[Path, int]

    def fault(self, path: Path, message: str) -> Fault:
        """A fault of the field at `path`, or of the nearest field around it that is written out."""
        while path not in self.lines:
            path = path[:-1]
        return Fault(self.file, self.lines[path], message)


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: JSON's types, so a date stays the text that it is."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str, file: str) -> tuple[list[Document], list[Fault]]:
    """The documents of a file up to the first that is no YAML, and what is wrong."""
    documents: list[Document] = []
    faults: list[Fault] = []
    loader = None
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            lines: dict[Path, int] = {(): node.start_mark.line + 1}
            doubled = list(_walk(node, (), lines))
            faults += [Fault(file, line, f"{_text(path)}: written twice") for path, line in doubled]
            value = loader.construct_document(node)
            if value is not None and not doubled:
                documents.append(Document(file, value, lines))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        faults.append(Fault(file, mark.line + 1 if mark else 1, f"not YAML: {what}"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        faults.append(Fault(file, 1, f"not YAML: {error}"))
    finally:
        if loader:
            loader.dispose()
    return documents, faults


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Iterator[tuple[Path, int]]:
    """Notes the line of every field; yields the fields that are there twice."""
    if len(lines) > MAX_FIELDS:
        raise ValueError(f"more than {MAX_FIELDS:,} fields in one document")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            found = (*path, str(key.value))
            if found in lines:
                yield found, key.start_mark.line + 1
            lines[found] = key.start_mark.line + 1
            yield from _walk(value, found, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*path, index] = value.start_mark.line + 1
            yield from _walk(value, (*path, index), lines)


def _text(path: Path) -> str:
    return ".".join(str(part) for part in path)
