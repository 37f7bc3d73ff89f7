"""What is in the images: no shell, nothing setuid, what the bill of materials says, and the same at each build."""

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing
from typing import IO, Any, NamedTuple, cast

import pytest

from cluster import appimages, paths
from cluster.shell import Shell
from e2e.cluster import ROOT, Cluster, measured

NAMES = ("operator", "worker")
# Docker makes these when a container is made.
OF_THE_CONTAINER = ("dev/", "proc/", "sys/", ".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/mtab")
SHELLS = {"sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "pip", "pip3", "perl", "curl", "wget", "gcc"}


class Entry(NamedTuple):
    """One file of an image; when it was written is left out."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    link: str
    content: str


def files(image: str) -> dict[str, Entry]:
    """Everything in an image."""
    name = subprocess.run(["docker", "create", image, "x"], capture_output=True, text=True, check=True).stdout.strip()
    found = {}
    try:
        with (
            subprocess.Popen(["docker", "export", name], stdout=subprocess.PIPE) as export,
            closing(cast("IO[bytes]", export.stdout)) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for one in tar:
                if not one.name.startswith(OF_THE_CONTAINER):
                    data = tar.extractfile(one) if one.isfile() else None
                    content = hashlib.sha256(data.read()).hexdigest() if data else ""
                    found[one.name] = Entry(one.type, one.mode, (one.uid, one.gid), one.linkname, content)
    finally:
        subprocess.run(["docker", "rm", name], capture_output=True, check=True)
    assert found, image
    return found


def inspected(image: str) -> dict[str, Any]:
    text = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = json.loads(text)[0]
    return found


@pytest.fixture(params=NAMES)
def image(request: pytest.FixtureRequest, cluster: Cluster) -> str:
    return f"warmcron/{request.param}:dev"


def test_an_image_is_small_and_runs_as_a_numeric_user(image: str) -> None:
    found = inspected(image)
    measured(f"{image}: {found['Size'] / 1e6:.0f} MB")
    user, _, group = found["Config"]["User"].partition(":")
    assert int(user) > 10_000
    assert int(group) > 10_000
    assert "Healthcheck" not in found["Config"], "Kubernetes has its own probes"
    assert not [one for one in found["Config"]["Env"] if "KEY" in one or "TOKEN" in one or "INDEX" in one]


def test_nothing_in_an_image_makes_its_caller_root(image: str) -> None:
    assert not [name for name, one in files(image).items() if one.kind == tarfile.REGTYPE and one.mode & 0o6000]


def test_the_operators_image_holds_no_shell_and_no_package_manager(cluster: Cluster) -> None:
    there = files("warmcron/operator:dev")
    programs = {
        name for name, one in there.items() if one.mode & 0o111 and one.kind in (tarfile.REGTYPE, tarfile.SYMTYPE)
    }
    assert not {name for name in programs if os.path.basename(name) in SHELLS}  # noqa: PTH119 - a name in a tar
    assert not [name for name in there if "/site-packages/pip/" in name]


def test_the_bill_of_materials_names_what_is_installed(image: str) -> None:
    code = (
        "import importlib.metadata as m, json, re; "
        "own = json.load(open('/opt/venv/sbom.cdx.json')); "
        "print(json.dumps([{(c['name'] + ' ' + c['version']): 1 for c in own['components']}, "
        "{re.sub(r'[-_.]+', '-', d.metadata['Name']).lower() + ' ' + d.version: 1 for d in m.distributions()}]))"
    )
    argv = ["docker", "run", "--rm", "--network=none", "--read-only", "--entrypoint=python", image, "-I", "-c", code]
    named, installed = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
    own = {name for name in installed if name.startswith(("warmcron ", "warmworker "))}
    assert set(named) == set(installed) - own
    assert len(own) == 1
    assert len(named) > 10


@pytest.fixture(scope="module")
def twice(cluster: Cluster) -> Iterator[dict[str, tuple[str, str]]]:
    """Each image built twice, without a cache."""
    run = Shell()
    base = appimages.base_image(paths.here(), run)
    builder = appimages.builder_image(run, base, inspected(base)["Id"])
    built = {name: (f"warmcron-twice/{name}:a", f"warmcron-twice/{name}:b") for name in NAMES}
    for app in appimages.chosen(NAMES):
        for tag in built[app.name]:
            argv = ["docker", "build", "--no-cache", "--network=host", "-f", app.dockerfile, "-t", tag]
            argv += ["--build-arg", f"BASE_IMAGE={base}", "--build-arg", f"BUILDER_IMAGE={builder}", "."]
            env = {**os.environ, "DOCKER_BUILDKIT": "0"}
            done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, env=env)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield built
    subprocess.run(
        ["docker", "rmi", *(tag for pair in built.values() for tag in pair)], capture_output=True, check=False
    )


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_two_builds_of_one_source_are_equal_file_by_file(twice: dict[str, tuple[str, str]], name: str) -> None:
    one, other = (files(tag) for tag in twice[name])
    assert not {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
