"""Writes tar files piece by piece, from other tar files and from folders; it runs no program."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

# One fixed moment, so that the same inputs give the same bytes.
EPOCH = 1767225600


def clean(name: str) -> str:
    """Returns a member's name without the leading `./` and `/` that tar writers differ in."""
    while name.startswith("./"):
        name = name[2:]
    return name.strip("/")


def add_bytes(target: tarfile.TarFile, name: str, data: bytes, *, mode: int = 0o644) -> None:
    """Adds a file with the given content, owned by root."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), mode, EPOCH
    target.addfile(info, io.BytesIO(data))


def add_file(target: tarfile.TarFile, name: str, source: Path, *, mode: int = 0o644) -> None:
    """Adds a file from disk, owned by root."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = source.stat().st_size, mode, EPOCH
    with source.open("rb") as file:
        target.addfile(info, file)


def add_folder(target: tarfile.TarFile, name: str, *, mode: int = 0o755) -> None:
    """Adds an empty folder."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = tarfile.DIRTYPE, mode, EPOCH
    target.addfile(info)


def add_link(target: tarfile.TarFile, name: str, to: str) -> None:
    """Adds a symbolic link."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = tarfile.SYMTYPE, to, 0o777, EPOCH
    target.addfile(info)


def add_tree(target: tarfile.TarFile, name: str, source: Path) -> None:
    """Adds a folder with everything in it; owners become root, modes stay."""

    def as_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        return info

    target.add(source, arcname=name, filter=as_root)


def copy_members(target: tarfile.TarFile, source: Path, keep: Callable[[str], bool]) -> None:
    """Copies the members of another tar file whose cleaned name is to be kept."""
    with tarfile.open(source, "r:") as archive:
        for info in archive:
            name = clean(info.name)
            if not name or not keep(name):
                continue
            info.name = name
            if info.islnk():
                info.linkname = clean(info.linkname)
            target.addfile(info, archive.extractfile(info) if info.isreg() else None)
