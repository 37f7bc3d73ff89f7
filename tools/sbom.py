"""Writes the bill of materials of the environment it runs in (CycloneDX JSON), the same bytes for the same environment.

usage: python sbom.py NAME LOCK   inside the environment; fails on a distribution that the lock does not pin.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import uuid
from pathlib import Path


def normal(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lock: str) -> dict[str, str]:
    """Versions by name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.MULTILINE)
    return {normal(name): version for name, version in found}


def component(found: importlib.metadata.Distribution) -> dict[str, object]:
    """One library."""
    name = normal(found.metadata["Name"])
    reference = f"pkg:pypi/{name}@{found.version}"
    named: dict[str, object] = {"type": "library", "bom-ref": reference, "name": name}
    if said := found.metadata.json.get("license_expression"):
        named["licenses"] = [{"expression": said}]
    return named | {"version": found.version, "purl": reference}


def document(name: str, lock: str) -> dict[str, object]:
    """The bill of materials; raises ValueError when what is installed is not what was locked."""
    locked = pinned(lock)
    installed = {normal(one.metadata["Name"]): one for one in importlib.metadata.distributions()}
    version = installed.pop(name).version
    if strange := {key: one.version for key, one in installed.items() if locked.get(key) != one.version}:
        raise ValueError(f"installed and not locked: {strange}")
    components = [component(installed[key]) for key in sorted(installed)]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([name, version, components]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": name, "name": name, "version": version}},
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": [one["bom-ref"] for one in components]}],
    }


if __name__ == "__main__":
    print(json.dumps(document(sys.argv[1], Path(sys.argv[2]).read_text()), indent=1))
