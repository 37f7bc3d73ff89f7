"""The folder `.warmcron`: who uses it, how often it was started, and the tasks with their statuses, in one file.

Every write replaces the file as a whole: a crash on any line leaves the state before or the state after, never half.
"""

import contextlib
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from warmcron.errors import LocalError

Json = dict[str, Any]

FORMAT: Final = 1
# Workers of a crashed process hold its lock until they have ended (`keeper` gives them 2 seconds).
WAIT_SECONDS: Final = 5.0


@dataclass(slots=True)
class Entry:
    """What is kept of one task beside its file: what the API server would have added.

    Attributes:
        spec: as last declared, by which an edit is noticed, also one made while nobody watched.
        suspend: set by `warmcron suspend` and `resume`; goes when the file's own `suspend` changes.
        trigger: value and payload of the last manual run that was asked for.
    """

    uid: str
    created: str
    spec: Json
    generation: int = 1
    suspend: bool | None = None
    trigger: Json = field(default_factory=dict)
    status: Json = field(default_factory=dict)


class Folder:
    """The folder, while this process holds it."""

    def __init__(self, path: Path, lock: IO[str], starts: int, entries: dict[str, Entry]) -> None:
        self.path = path
        self.starts = starts
        self.entries = entries
        self._lock = lock

    @property
    def lock_fd(self) -> int:
        """For worker processes to inherit: as long as one of them lives, nobody else starts here."""
        return self._lock.fileno()

    def content(self) -> bytes:
        """What is to be in the state's file."""
        tasks = {key: asdict(entry) for key, entry in sorted(self.entries.items())}
        return json.dumps({"format": FORMAT, "starts": self.starts, "tasks": tasks}, indent=1).encode()

    def write(self, content: bytes) -> None:
        """Replaces the state's file."""
        replace(self.path / "state.json", content)

    def close(self) -> None:
        """Leaves the folder to others."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / "server.json").unlink()
        self._lock.close()


def replace(path: Path, content: bytes) -> None:
    """Writes a file as a whole: readers, and whoever comes after a crash, see the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def claim(path: Path) -> Folder:
    """Takes the folder for this process, or raises LocalError that says who has it or what is wrong with it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        ignore = path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        lock = (path / "lock").open("a+")
    except OSError as error:
        raise LocalError(f"{path}: cannot be written to: {error.strerror}; name another folder with --state") from None
    _lock(path, lock)
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    try:
        starts, entries = _read(path / "state.json")
    except LocalError:
        lock.close()
        raise
    found = Folder(path, lock, starts + 1, entries)
    found.write(found.content())  # the number of this start is used up, whatever comes next
    return found


def _lock(path: Path, lock: IO[str]) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip()
            if _alive(holder) or time.monotonic() > until:
                lock.close()
                who = f"process {holder}" if holder else "another process"
                raise LocalError(
                    f"{path} is in use by {who}: stop it, or give this one a folder of its own with --state"
                ) from None
            time.sleep(0.1)
        else:
            return


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> tuple[int, dict[str, Entry]]:
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise LocalError(f"{path}: written by another version of warmcron; move it away to begin anew")
        return int(found["starts"]), {key: Entry(**entry) for key, entry in found["tasks"].items()}
    except FileNotFoundError:
        return 0, {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LocalError(f"{path}: cannot be read: {error}; move it away to begin anew") from None
