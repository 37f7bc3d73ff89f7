"""Finds the Python modules with handlers that lie beside the tasks, and notices when they change."""

import re
from collections.abc import Iterable
from importlib import util
from pathlib import Path
from typing import Final

from warmcron.errors import LocalError

DEMO: Final = "warmworker.demo"
_USES_SDK: Final = re.compile(r"^\s*(?:from|import)\s+warmworker\b", re.MULTILINE)


def beside(folders: Iterable[Path]) -> tuple[str, ...]:
    """The names of the modules in these folders that import the SDK."""
    return tuple(path.stem for folder in folders for path in sorted(folder.glob("*.py")) if _handles(path))


def check_sdk() -> None:
    """Raises LocalError if the SDK is not installed where we are."""
    if util.find_spec("warmworker") is None:
        raise LocalError("the worker SDK is not installed here: pip install warmworker, or name a worker by --command")


def stamps(folders: Iterable[Path]) -> dict[Path, int]:
    """When each Python file in these folders was last changed."""
    return {path: path.stat().st_mtime_ns for folder in folders for path in folder.glob("*.py") if path.is_file()}


def _handles(path: Path) -> bool:
    try:
        return bool(_USES_SDK.search(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return False
