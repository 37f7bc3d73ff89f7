"""The tasks of YAML files: read, checked, and read anew when a file changes. A broken file keeps its last good form."""

import itertools
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import BinaryIO, Final

from warmcron.errors import LocalError
from warmcron.local import documents, manifests
from warmcron.local.documents import Fault
from warmcron.local.manifests import Manifest

SUFFIXES: Final = (".yaml", ".yml")
MAX_BYTES: Final = 4 * 1024 * 1024

Stamp = tuple[int, int, int]


def example() -> Path:
    """The folder of the built-in example."""
    return Path(str(resources.files("warmcron.local"))) / "example"


class Files:
    """The files of the paths that the command line names.

    Attributes:
        faults: what is wrong with them now.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)
        for path in self.paths:
            if not path.exists():
                raise LocalError(f"{path}: no such file or folder")
        if not list(self._files()):
            raise LocalError(
                f"{self.paths[0]}: no *.yaml or *.yml in it; subfolders are not read, as with kubectl apply -f"
            )
        self.faults: list[Fault] = []
        self._stamps: dict[Path, Stamp] = {}
        self._good: dict[Path, list[Manifest]] = {}

    def poll(self) -> list[Manifest] | None:
        """All tasks, if a file has changed since the last call; else None."""
        stamps = {path: stamp for path in self._files() if (stamp := _stamp(path))}
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        return self._read()

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that the paths are or are in."""
        return tuple(dict.fromkeys(path if path.is_dir() else path.parent for path in self.paths))

    def _files(self) -> Iterator[Path]:
        for path in self.paths:
            if path.is_dir():
                yield from sorted(found for found in path.iterdir() if found.suffix in SUFFIXES and found.is_file())
            else:
                yield path

    def _read(self) -> list[Manifest]:
        self.faults = []
        for path in self._good.keys() - self._stamps.keys():
            del self._good[path]
        for path in self._stamps:
            found, faults = read(path)
            self.faults += sorted(faults, key=lambda fault: fault.line)
            # A file that somebody is in the middle of writing must not delete the tasks that are in it.
            if not faults or path not in self._good:
                self._good[path] = found
        every = [manifest for path in sorted(self._good) for manifest in self._good[path]]
        self.faults += manifests.doubled(every)
        return list({manifest.key: manifest for manifest in reversed(every)}.values())[::-1]


def read(path: Path) -> tuple[list[Manifest], list[Fault]]:
    """The tasks of one file, and what is wrong with it."""
    text, fault = text_of(path)
    if fault:
        return [], [fault]
    found, faults = documents.read(text, str(path))
    tasks = []
    for document in itertools.chain.from_iterable(map(manifests.unpacked, found)):
        task, wrong = manifests.check(document)
        faults += wrong
        if task:
            tasks.append(task)
    return tasks, faults


def text_of(path: Path) -> tuple[str, Fault | None]:
    """What a file says, or why it cannot be read."""
    name = str(path)
    try:
        with path.open("rb") as file:
            return decoded(file, name)
    except OSError as error:
        return "", Fault(name, 1, f"cannot be read: {error.strerror}")


def decoded(file: BinaryIO, name: str) -> tuple[str, Fault | None]:
    """The text of an open file, or why it is none."""
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return "", Fault(name, 1, f"larger than {MAX_BYTES} bytes")
    try:
        return content.decode(), None
    except UnicodeDecodeError as error:
        return "", Fault(name, 1, f"not UTF-8: {error.reason} at byte {error.start}")


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
