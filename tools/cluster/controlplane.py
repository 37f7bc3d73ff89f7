"""Writes the images of the control plane into one archive that containerd imports; it needs no engine."""

from __future__ import annotations

import hashlib
import json
import platform
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster import layout, tarball

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its name, and the program that it starts."""

    name: str
    program: str
    path: str
    on_iptables: bool = False

    def config(self, layers: list[str]) -> bytes:
        """Returns the image's configuration as JSON."""
        config: dict[str, object] = {"Env": [PATH], "Entrypoint": [f"/{self.path}"], "WorkingDir": "/"}
        return json.dumps(
            {
                "architecture": MACHINES.get(platform.machine(), platform.machine()),
                "os": "linux",
                "config": config,
                "rootfs": {"type": "layers", "diff_ids": layers},
            }
        ).encode()


def image_for(name: str) -> Image:
    """Returns what belongs into the image that kubeadm asks for by this name."""
    program = name.rpartition("/")[2].partition(":")[0]
    if program in {"coredns", "pause"}:
        return Image(name, program, program)
    return Image(name, program, f"usr/local/bin/{program}", on_iptables=program == "kube-proxy")


def pause_image(names: list[str]) -> str:
    """Picks the sandbox image out of kubeadm's list."""
    return next(name for name in names if image_for(name).program == "pause")


def write_archive(target: Path, names: list[str], *, binaries: Path, root: Path) -> None:
    """Writes all images into one `docker load` archive; layers stay uncompressed, for they are read once."""
    with TemporaryDirectory(dir=target.parent) as scratch, tarfile.open(target, "w") as archive:
        folder, manifest = Path(scratch), []
        for image in map(image_for, names):
            layers = []
            if image.on_iptables:
                tables = partial(tarball.copy_members, source=root, keep=layout.is_for_iptables)
                layers.append(_layer(archive, folder, tables))
            program = partial(tarball.add_file, name=image.path, source=binaries / image.program, mode=0o755)
            layers.append(_layer(archive, folder, program))
            config = image.config([f"sha256:{digest}" for digest in layers])
            name = f"{hashlib.sha256(config).hexdigest()}.json"
            tarball.add_bytes(archive, name, config)
            manifest.append(
                {"Config": name, "RepoTags": [image.name], "Layers": [f"{digest}.tar" for digest in layers]}
            )
        tarball.add_bytes(archive, "manifest.json", json.dumps(manifest).encode())


def _layer(archive: tarfile.TarFile, folder: Path, fill: Callable[[tarfile.TarFile], None]) -> str:
    """Writes one layer beside the archive, then into it under its own digest, which it returns."""
    path = folder / "layer.tar"
    with tarfile.open(path, "w") as layer:
        fill(layer)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    tarball.add_file(archive, f"{digest}.tar", path)
    return digest
