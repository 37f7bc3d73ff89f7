"""What stands on a command line, into values: instants, windows of time, the tasks of a file. Nothing is done here."""

import itertools
import math
import re
import sys
import uuid
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
# Python's calendar ends with the year 9999, and a tick may be 292 years away.
LATEST: Final = datetime(YEARS.stop, 1, 1, tzinfo=UTC).timestamp() - 1
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PART: Final = re.compile(r"([0-9]{1,6})([smhd])")
AGO: Final = re.compile(rf"(?:{PART.pattern})+")


class Window(NamedTuple):
    """From an instant to before another; UTC epoch seconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class TaskInput:
    """A task of a file, with what only an object that has been in a cluster carries.

    Attributes:
        created: its creation, in UTC epoch seconds.
        last: the last tick that its status calls decided, in UTC epoch seconds.
    """

    manifest: Manifest
    uid: str | None
    created: int | None
    last: int | None


def instant(text: str, *, option: str, also: str = "") -> float:
    """RFC 3339 to UTC epoch seconds; without an offset it is nobody's time. `also` says what would have done, too."""
    try:
        found = datetime.fromisoformat(text.upper())  # RFC 3339 has a small t and z too
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.year not in YEARS:
        expected = f"expected RFC 3339 such as 2026-11-24T14:00:00Z{also}"
        raise UsageError(f"{option}: {text!r} is not an instant; {expected}")
    return found.timestamp()


def moment(text: str, *, option: str) -> float:
    """An instant, or how long ago (`90m`, `2h`, `1d12h`), to UTC epoch seconds."""
    if AGO.fullmatch(text):
        return max(now() - sum(int(count) * UNITS[unit] for count, unit in PART.findall(text)), 0.0)
    return instant(text, option=option, also=", or how long ago, such as 90m, 2h or 1d12h")


def second(text: str, *, option: str) -> int:
    """The same in whole seconds, those of a fraction dropped."""
    return math.floor(instant(text, option=option))


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
        for document in itertools.chain.from_iterable(map(manifests.unpacked, read)):
            manifest, wrong = manifests.check(document)
            faults += wrong
            if manifest:
                found.append(_task(manifest, document.value))
    faults += manifests.doubled([task.manifest for task in found])
    if faults:
        raise UsageError("\n".join(map(str, faults)))
    if not found:
        raise UsageError(f"{', '.join(map(str, paths))}: no {KIND} in it")
    return found


def _task(manifest: Manifest, value: Any) -> TaskInput:
    metadata, status = value["metadata"], value.get("status")
    uid = metadata.get("uid")
    return TaskInput(
        manifest,
        uid=_uid(uid) if uid is not None else None,
        created=_moment(metadata, "metadata", "creationTimestamp"),
        last=_moment(status, "status", "lastScheduleTime") if isinstance(status, dict) else None,
    )


def _moment(found: dict[str, Any], where: str, key: str) -> int | None:
    value = found.get(key)
    return second(str(value), option=f"{where}.{key}") if value is not None else None


def _uid(text: Any) -> str:
    try:
        return str(uuid.UUID(str(text)))
    except ValueError:
        raise UsageError(f"metadata.uid: {text!r:.80} is not a UUID") from None


def texts(paths: Iterable[Path]) -> Iterable[tuple[str, str, documents.Fault | None]]:
    """Name and content of each file, or why it cannot be read; the YAML files of a folder; `-` for standard input."""
    for path in paths:
        if str(path) == STDIN:
            yield "standard input", *files.decoded(sys.stdin.buffer, "standard input")
            continue
        try:
            inside = sorted(path.iterdir()) if path.is_dir() else [path]
        except OSError as error:
            yield str(path), "", documents.Fault(str(path), 1, f"cannot be read: {error.strerror}")
            continue
        for file in inside:
            if file == path or file.suffix in files.SUFFIXES:
                yield str(file), *files.text_of(file)
