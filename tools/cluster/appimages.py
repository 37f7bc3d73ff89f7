"""Builds the operator's and the worker's image and loads them; it leaves an unchanged one alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cluster import engine, hashing, kindcluster, pipsettings, pulling, rootfs, toolbox, versions
from cluster.errors import CannotInstallError
from cluster.paths import CLUSTER, NODE_CONTAINER, Paths
from cluster.progress import Progress
from cluster.shell import Result, Runner, must

LABEL = "dev.warmcron.content"


@dataclass(frozen=True, slots=True)
class App:
    """One image of this project, and everything of the repository that goes into it."""

    name: str
    dockerfile: str
    inputs: tuple[str, ...]

    @property
    def image(self) -> str:
        """The name that charts and tests use."""
        return f"warmcron/{self.name}:dev"


COMMON = (".dockerignore", "requirements/build.lock", "tools/sbom.py")
APPS = (
    App(
        "operator",
        "operator/Dockerfile",
        (*COMMON, "operator", "pyproject.toml", "README.md", "LICENSE", "requirements/operator.lock"),
    ),
    App("worker", "worker_image/Dockerfile", (*COMMON, "worker_image", "requirements/worker.lock")),
)


def content(repo: Path, app: App, base: str) -> str:
    """Returns the key of what an image is made of: the files and the id of the image that it starts from."""
    return hashing.key({**hashing.files(repo, app.inputs), "base image": base})


def chosen(names: Sequence[str]) -> list[App]:
    """Returns the named images, or all of them."""
    known = {app.name: app for app in APPS}
    if unknown := [name for name in names if name not in known]:
        raise CannotInstallError(f"There is no image {', '.join(unknown)}: there are {', '.join(known)}.")
    return [known[name] for name in names] or list(APPS)


def images(paths: Paths, run: Runner, names: Sequence[str], *, force: bool) -> None:
    """Builds what has changed, and loads what the cluster does not hold yet."""
    if not engine.answers(run):
        raise CannotInstallError("No Docker engine answers: run `up` first, or start Docker.")
    apps = chosen(names)
    progress = Progress(total=2 + len(apps))
    with progress.step("find the base image"):
        base = base_image(paths, run)
        base_id = _id(run, base)
    builder, keys = "", {}
    for app in apps:
        keys[app] = content(paths.repo, app, base_id)
        if not force and _label(run, app.image) == keys[app]:
            progress.skip(f"build {app.image}", "nothing in it has changed")
            continue
        with progress.step(f"build {app.image}", expect="15 s, more at the first time"):
            builder = builder or builder_image(run, base, base_id)
            _build(paths, run, app, (base, builder, keys[app]))
    _load(paths, run, keys, progress)
    progress.finish("the images are ready")


def base_image(paths: Paths, run: Runner) -> str:
    """Returns the Python image to build on: the official one, or the stand-in where that cannot be pulled."""
    stand_in = f"warmcron/python-base:{hashing.python_root_key()}"
    if pulling.present(run, versions.PYTHON_IMAGE):
        return versions.PYTHON_IMAGE
    # A stand-in is there only because a pull has failed here before.
    if pulling.present(run, stand_in):
        return stand_in
    if pulling.pull(versions.PYTHON_IMAGE):
        return versions.PYTHON_IMAGE
    if not paths.python_root.exists() and (os.geteuid() != 0 or run.which("mmdebstrap") is None):
        raise CannotInstallError(
            f"{versions.PYTHON_IMAGE} cannot be pulled, and making a stand-in needs root and mmdebstrap: "
            "make that image available to Docker, or install mmdebstrap and run this as root."
        )
    rootfs.make_python(paths.python_root, run)
    must(run.run("docker", "import", str(paths.python_root), stand_in, timeout=300), "importing the base image")
    return stand_in


def builder_image(run: Runner, base: str, base_id: str) -> str:
    """Returns the image for the builder stage: the base, plus this machine's pip settings where it has any.

    They go into an image that never leaves this machine, not into build arguments, so that the final
    image's history knows nothing of them; the builder without BuildKit has no secrets to mount.
    """
    listing = run.run(sys.executable, "-m", "pip", "config", "list", timeout=60)
    found = pipsettings.settings(listing.out if listing.ok else "", os.environ)
    if found.are_plain:
        return base
    files = {"pip.conf": found.config().encode()}
    copies = "COPY pip.conf /etc/pip.conf\n"
    if found.certificates is not None:
        files["ca.crt"] = found.certificates
        copies += f"COPY ca.crt {pipsettings.CA_FILE}\n"
    name = f"warmcron/python-builder:{hashing.key({**files, 'base': base_id})}"
    if not pulling.present(run, name):
        with TemporaryDirectory() as scratch:
            for file, data in files.items():
                (Path(scratch) / file).write_bytes(data)
            (Path(scratch) / "Dockerfile").write_text(f"FROM {base}\n{copies}")
            must(_docker_build(run, "-t", name, scratch), "making the builder's base image")
    return name


def _build(paths: Paths, run: Runner, app: App, on: tuple[str, str, str]) -> None:
    base, builder, key = on
    done = _docker_build(
        run, "--network", "host", "-f", str(paths.repo / app.dockerfile),
        "-t", app.image, "-t", _by_content(app, key), "--label", f"{LABEL}={key}",
        "--build-arg", f"BASE_IMAGE={base}", "--build-arg", f"BUILDER_IMAGE={builder}", str(paths.repo),
    )  # fmt: skip
    log = paths.logs / f"image-{app.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.out + done.err)
    must(done, f"docker build of {app.image} (its log is {log})")
    # A day of building would otherwise leave a hundred names behind.
    for tag in run.run("docker", "images", "--format", "{{.Tag}}", f"warmcron/{app.name}").out.split():
        if tag.startswith("src-") and tag != f"src-{key}":
            run.run("docker", "rmi", f"warmcron/{app.name}:{tag}")


def _docker_build(run: Runner, *argv: str) -> Result:
    # Without the buildx plugin the client would first complain and then do this anyway.
    env = {} if run.run("docker", "buildx", "version").ok else {"DOCKER_BUILDKIT": "0"}
    return run.run("docker", "build", *argv, timeout=1800, env=env)


def _load(paths: Paths, run: Runner, keys: Mapping[App, str], progress: Progress) -> None:
    """Loads the images in one go, for they share most of their layers."""
    step = "load the images into the cluster"
    if kindcluster.node_image(run) is None:
        progress.skip(step, "no cluster is up")
        return
    listed = run.run("docker", "exec", NODE_CONTAINER, "ctr", "--namespace", "k8s.io", "images", "list")
    there = digests_by_name(listed.out)
    wanted = [app for app, key in keys.items() if not is_loaded(there, app, key)]
    if not wanted:
        progress.skip(step, "the cluster holds them")
        return
    # The second name says which content the node holds; `dev` alone would not.
    names = [name for app in wanted for name in (app.image, _by_content(app, keys[app]))]
    toolbox.link_built(paths, ["kind"])
    kind = str(paths.tools / "kind")
    with progress.step(step):
        loaded = run.run(kind, "load", "docker-image", "--name", CLUSTER, *names, timeout=600)
        must(loaded, "kind load docker-image")


def _by_content(app: App, key: str) -> str:
    return f"warmcron/{app.name}:src-{key}"


def is_loaded(there: Mapping[str, str], app: App, key: str) -> bool:
    """Says whether a node's `dev` image is the one with this content: both names have one digest."""
    return app.image in there and there[app.image] == there.get(_by_content(app, key))


def digests_by_name(listing: str) -> dict[str, str]:
    """Reads `ctr images list` into digests by name, the name without the registry in front."""
    found = {}
    for line in listing.splitlines():
        name, _, rest = line.partition(" ")
        digest = next((word for word in rest.split() if word.startswith("sha256:")), None)
        if digest:
            found["/".join(name.split("/")[-2:])] = digest
    return found


def _id(run: Runner, image: str) -> str:
    return must(run.run("docker", "image", "inspect", "--format", "{{.Id}}", image), f"looking at {image}").strip()


def _label(run: Runner, image: str) -> str:
    found = run.run("docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', image)
    return found.out.strip() if found.ok else ""
