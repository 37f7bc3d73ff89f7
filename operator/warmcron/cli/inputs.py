"""What stands on a command line, into values: instants, windows of time, the tasks of a file. Nothing is done here."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from warmcron.core import times
from warmcron.errors import UsageError
from warmcron.local import documents, files, manifests
from warmcron.local.manifests import Manifest
from warmcron.spec.task import KIND

STDIN: Final = "-"
YEARS: Final = range(1900, 9000)


class Window(NamedTuple):
    """From an instant to before another; UTC epoch seconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class TaskInput:
    """A task of a file, with what only an object that has been in a cluster carries."""

    manifest: Manifest
    uid: str | None
    created: int | None


def instant(text: str, *, option: str) -> float:
    """RFC 3339 to UTC epoch seconds; without an offset it is nobody's time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.year not in YEARS:
        raise UsageError(f"{option}: {text!r} is not an instant; expected RFC 3339 such as 2026-11-24T14:00:00Z")
    return found.timestamp()


def now() -> float:
    """The present, in UTC epoch seconds."""
    return datetime.now(UTC).timestamp()


def windows(texts: Iterable[str], *, option: str) -> list[Window]:
    """`A/B` texts as windows, in order of time."""
    found = []
    for text in texts:
        start, slash, end = text.partition("/")
        if not slash:
            raise UsageError(f"{option}: {text!r} is not a window; expected two instants as START/END")
        window = Window(instant(start, option=option), instant(end, option=option))
        if window.start >= window.end:
            raise UsageError(f"{option}: {text!r} ends before it begins")
        found.append(window)
    return sorted(found)


def text(instant: float) -> str:
    """RFC 3339 in UTC; milliseconds only where there are any."""
    rounded = round(instant, 3)
    if rounded == int(rounded):
        return times.text(rounded)
    return times.text(rounded)[:-1] + f"{rounded % 1:.3f}"[1:] + "Z"


def tasks(paths: Iterable[Path]) -> list[TaskInput]:
    """The tasks of files and folders, `-` for standard input; raises UsageError with a line for each fault."""
    found: list[TaskInput] = []
    faults: list[documents.Fault] = []
    paths = list(paths)
    for name, content, fault in texts(paths):
        if fault:
            faults.append(fault)
            continue
        read, wrong = documents.read(content, name)
        faults += wrong
        for document in read:
            manifest, wrong = manifests.check(document)
            faults += wrong
            if manifest:
                found.append(_task(manifest, document.value["metadata"]))
    faults += manifests.doubled([task.manifest for task in found])
    if faults:
        raise UsageError("\n".join(map(str, faults)))
    if not found:
        raise UsageError(f"{', '.join(map(str, paths))}: no {KIND} in it")
    return found


def _task(manifest: Manifest, metadata: Any) -> TaskInput:
    uid, created = metadata.get("uid"), metadata.get("creationTimestamp")
    moment = int(instant(created, option="metadata.creationTimestamp")) if isinstance(created, str) else None
    return TaskInput(manifest, uid if isinstance(uid, str) else None, moment)


def texts(paths: Iterable[Path]) -> Iterable[tuple[str, str, documents.Fault | None]]:
    """Name and content of each file, or why it cannot be read; the YAML files of a folder; `-` for standard input."""
    for path in paths:
        if str(path) == STDIN:
            yield "standard input", sys.stdin.read(files.MAX_BYTES), None
            continue
        inside = (
            sorted(found for found in path.iterdir() if found.suffix in files.SUFFIXES) if path.is_dir() else [path]
        )
        for file in inside:
            yield str(file), *files.text_of(file)
