#!/usr/bin/env python3
"""An OCI runtime that hands every call to runc, less the capability that this host's bounding set lacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CAPABILITY = "CAP_SYS_RESOURCE"
CAPABILITY_BIT = 24


def lacks_capability(proc_status: str) -> bool:
    """Says whether the bounding set in a /proc/self/status text is without CAP_SYS_RESOURCE."""
    found = re.search(r"^CapBnd:\s*([0-9a-fA-F]+)", proc_status, re.MULTILINE)
    return found is not None and not int(found[1], 16) >> CAPABILITY_BIT & 1


def option(arguments: Sequence[str], *names: str) -> str | None:
    """Returns the value of the first option among the names, written as `--name value` or `--name=value`."""
    for index, argument in enumerate(arguments):
        if argument in names and index + 1 < len(arguments):
            return arguments[index + 1]
        for name in names:
            if argument.startswith(f"{name}="):
                return argument.partition("=")[2]
    return None


def without_capability(process: dict[str, Any]) -> dict[str, Any]:
    """Returns an OCI process description whose capability sets no longer hold CAP_SYS_RESOURCE."""
    held = process.get("capabilities") or {}
    kept = {name: [c for c in caps or [] if c != CAPABILITY] for name, caps in held.items()}
    return {**process, "capabilities": kept}


def rewrite(arguments: Sequence[str]) -> None:
    """Takes the capability out of the file that this runc call is about to read, where there is one."""
    if "create" in arguments or "run" in arguments:
        path = Path(option(arguments, "--bundle", "-b") or ".") / "config.json"
        if path.exists():
            spec = json.loads(path.read_text())
            path.write_text(json.dumps({**spec, "process": without_capability(spec.get("process", {}))}))
    elif "exec" in arguments and (name := option(arguments, "--process", "-p")):
        path = Path(name)
        path.write_text(json.dumps(without_capability(json.loads(path.read_text()))))


def main() -> None:
    """Becomes runc, after the rewrite."""
    arguments = sys.argv[1:]
    if lacks_capability(Path("/proc/self/status").read_text()):
        rewrite(arguments)
    runc = shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin") or "/usr/sbin/runc"
    os.execv(runc, [runc, *arguments])  # noqa: S606 - this program is meant to turn into runc


if __name__ == "__main__":
    main()
