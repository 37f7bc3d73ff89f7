"""Assembles the self-built node image as one tar file; only loading it needs an engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster import controlplane, layout, tarball, versions
from cluster.errors import ClusterError
from cluster.paths import Paths
from cluster.shell import Runner, must

READY_SECONDS = 30.0
# What containerd would start for pods; importing images needs none of it.
NOT_NEEDED = (
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.grpc.v1.cri",
    "io.containerd.nri.v1.nri",
    "io.containerd.internal.v1.opt",
)
KEPT_STATE = ("io.containerd.content.v1.content", "io.containerd.metadata.v1.bolt")


def image_name(paths: Paths) -> str:
    """Returns the name of the self-built node image."""
    return f"warmcron/node:v{versions.KUBERNETES}-{paths.node_key}"


def build(paths: Paths, run: Runner) -> None:
    """Writes the node image's tar file; a half-written one never has the final name."""
    names = must(
        run.run(
            str(paths.binaries / "kubeadm"), "config", "images", "list",
            "--kubernetes-version", f"v{versions.KUBERNETES}",
        ),
        "asking kubeadm for its images",
    ).split()  # fmt: skip
    spec = json.loads(must(run.run(str(paths.binaries / "ctr"), "oci", "spec"), "asking ctr for a container spec"))
    files = layout.from_kind(_kind_files(paths, run), controlplane.pause_image(names))
    files |= layout.our_own(paths.node, f"v{versions.KUBERNETES}", spec)
    paths.node_tar.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=paths.node_tar.parent) as scratch:
        folder = Path(scratch)
        archive = folder / "images.tar"
        controlplane.write_archive(archive, names, binaries=paths.binaries, root=paths.node_root)
        store = _import_images(paths, run, archive, folder)
        archive.unlink()
        _write(paths, folder / "node.tar", files, store)
        (folder / "node.tar").replace(paths.node_tar)
    for old in paths.node_tar.parent.glob("*.tar"):
        if old != paths.node_tar:
            old.unlink()


def _kind_files(paths: Paths, run: Runner) -> Path:
    """Finds the files of kind's base image in the module cache."""
    where = run.run("go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kind", cwd=paths.node)
    return Path(must(where, "looking for kind's module").strip()) / "images" / "base" / "files"


def _write(paths: Paths, target: Path, files: dict[str, layout.File], store: Path) -> None:
    with tarfile.open(target, "w") as node:
        tarball.copy_members(node, paths.node_root, lambda name: layout.is_kept(name) and name not in files)
        for name in layout.FOLDERS:
            tarball.add_folder(node, name)
        for name, file in files.items():
            tarball.add_bytes(node, name, file.data, mode=file.mode)
        for name, program in layout.PROGRAMS.items():
            tarball.add_file(node, name, paths.binaries / program, mode=0o755)
        for name, to in layout.LINKS.items():
            tarball.add_link(node, name, to)
        tarball.add_folder(node, "var/lib/containerd", mode=0o711)
        for name in KEPT_STATE:
            tarball.add_tree(node, f"var/lib/containerd/{name}", store / name)


def _import_images(paths: Paths, run: Runner, archive: Path, folder: Path) -> Path:
    """Fills a containerd store with the archive's images, by a containerd that lives only for that."""
    root = folder / "containerd"
    with _containerd(paths, folder, root) as address:
        must(
            run.run(
                str(paths.binaries / "ctr"), "--address", address, "--namespace", "k8s.io",
                "images", "import", "--label", "io.cri-containerd.pinned=pinned", "--all-platforms",
                "--no-unpack", "--digests", str(archive), timeout=300,
            ),
            "importing the control plane's images",
        )  # fmt: skip
    return root


@contextmanager
def _containerd(paths: Paths, folder: Path, root: Path) -> Iterator[str]:
    """Runs a containerd of our own on a socket of its own, and ends it afterwards."""
    socket, config = folder / "containerd.sock", folder / "containerd.toml"
    config.write_text(
        f"version = 3\nroot = {json.dumps(str(root))}\nstate = {json.dumps(str(folder / 'state'))}\n"
        f"disabled_plugins = {json.dumps(list(NOT_NEEDED))}\n"
        f"[grpc]\naddress = {json.dumps(str(socket))}\n[ttrpc]\naddress = {json.dumps(f'{socket}.ttrpc')}\n"
    )
    log = paths.logs / "containerd.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(paths.binaries / "containerd"), "--config", str(config)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ.copy(),
        )  # fmt: skip
    try:
        until = time.monotonic() + READY_SECONDS
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise ClusterError(f"containerd did not come up for the import; its log is {log}")
            time.sleep(0.1)
        yield str(socket)
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder / "state", ignore_errors=True)


def load(paths: Paths, run: Runner) -> None:
    """Brings the tar file into the engine; the stop signal is set by a build, for an import cannot."""
    base = f"warmcron/node-root:{paths.node_key}"
    must(run.run("docker", "import", str(paths.node_tar), base, timeout=600), "importing the node image")
    with TemporaryDirectory() as scratch:
        (Path(scratch) / "Dockerfile").write_text(
            f"FROM {base}\nENV container=docker\nSTOPSIGNAL SIGRTMIN+3\n"
            'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]\n'
        )
        must(
            run.run("docker", "build", "-t", image_name(paths), scratch, timeout=300),
            "labelling the node image",
        )
