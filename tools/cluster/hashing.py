"""Turns what goes into a thing into its cache key; it reads files and never writes one."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster import programs, versions

KEY_LENGTH = 16
# The modules whose code decides what the node image holds.
LAYOUT_CODE = ("layout.py", "controlplane.py", "nodeimage.py", "tarball.py")
# Left out of every hash: made by running things, not by writing them.
IGNORED = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})


def key(parts: Mapping[str, str | bytes]) -> str:
    """Returns a short key of named parts; the order in which they are given does not matter."""
    digest = hashlib.sha256()
    for name in sorted(parts):
        value = parts[name]
        data = value.encode() if isinstance(value, str) else value
        # Lengths keep "ab"+"c" and "a"+"bc" apart.
        digest.update(f"{len(name)}:{name}:{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:KEY_LENGTH]


def files(root: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Reads files and whole folders under a root into parts; a name that does not exist is left out."""
    parts: dict[str, bytes] = {}
    for name in names:
        start = root / name
        found = sorted(start.rglob("*")) if start.is_dir() else [start]
        for path in found:
            relative = path.relative_to(root)
            if path.is_file() and not IGNORED.intersection(relative.parts) and path.suffix != ".pyc":
                parts[relative.as_posix()] = path.read_bytes()
    return parts


def go_key(node: Path) -> str:
    """Returns the key of the Go programs: what they are built from, and with which flags."""
    flags = {name: repr(program) for name, program in programs.BY_NAME.items()}
    return key({**files(node, ["go.mod", "go.sum", "coredns", "pause"]), **flags})


def node_root_key() -> str:
    """Returns the key of the node's root file system."""
    return _root_key(versions.NODE_SUITE, versions.NODE_PACKAGES)


def python_root_key() -> str:
    """Returns the key of the stand-in for the Python base image."""
    return _root_key(versions.PYTHON_SUITE, versions.PYTHON_PACKAGES)


def _root_key(suite: str, packages: Iterable[str]) -> str:
    return key({"suite": suite, "packages": " ".join(packages), "options": "\n".join(versions.ROOT_OPTIONS)})


def node_key(tool: Path) -> str:
    """Returns the key of the node image: the programs, the root file system and the code that lays them out."""
    code = {name: meaning((tool / name).read_text()) for name in LAYOUT_CODE}
    return key({**files(tool, ["node"]), **code, "programs": go_key(tool / "node"), "root": node_root_key()})


def meaning(source: str) -> str:
    """Returns what Python code does, without how it is laid out: a comment must not cost anybody a new cluster."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.dump(tree)
