"""Finds Helm 3 and Helm 4, renders the chart with them, and reads what comes out as strictly as an API server does."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "warmcron"
CRD = ROOT / "crds" / "scheduledtasks.warmcron.dev.yaml"
GOLDEN = Path(__file__).parent / "golden" / "chart"
NAMESPACE = "warmcron-system"
KUBE_VERSION = "1.37.0"

Object = dict[str, Any]


class RenderError(Exception):
    """Helm refused; the message is what a user reads."""


class UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: plain YAML takes the last one, Helm 4 refuses it."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[object, object]:
    found: dict[object, object] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise yaml.constructor.ConstructorError(None, None, f"{key} stands twice", key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@dataclass(frozen=True, slots=True)
class Helm:
    """One Helm program."""

    program: str

    def run(self, *argv: str) -> str:
        """Runs one command and returns what it prints; raises RenderError with what it complains of."""
        done = subprocess.run([self.program, *argv], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise RenderError(done.stderr + done.stdout)
        return done.stdout

    def text(self, *argv: str) -> str:
        """Renders the release `warmcron` and returns the text."""
        fixed = ("--namespace", NAMESPACE, "--kube-version", KUBE_VERSION)
        return self.run("template", "warmcron", str(CHART), *fixed, *argv)

    def render(self, *argv: str) -> list[Object]:
        """Renders the release `warmcron` and returns its objects, hooks included."""
        return [one for one in yaml.load_all(self.text(*argv), Loader=UniqueKeyLoader) if one]


def find(name: str) -> Helm | None:
    """Looks for `helm3` or `helm4` by that name, or for a `helm` of that version; in WARMCRON_TOOLS, else on PATH."""
    where = os.environ.get("WARMCRON_TOOLS")
    if program := shutil.which(name, path=where):
        return Helm(program)
    if program := shutil.which("helm", path=where):
        plain = Helm(program)
        if plain.run("version", "--template", "{{.Version}}").startswith(f"v{name.removeprefix('helm')}."):
            return plain
    return None


def helm_or_skip(name: str) -> Helm:
    """Returns that Helm; without it the test fails in CI and is skipped elsewhere."""
    if helm := find(name):
        return helm
    reason = (
        f"{name} NOT FOUND, THE CHART IS NOT TESTED WITH IT: put it on PATH, "
        f"or set WARMCRON_TOOLS to the folder that holds it"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def ci_values() -> list[Path]:
    """The sets of values that are rendered: every file of the chart's folder ci."""
    found = sorted((CHART / "ci").glob("*-values.yaml"))
    assert found, "charts/warmcron/ci holds no *-values.yaml"
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object, Object]]:
    """Yields (name, pod metadata, pod spec) of everything that makes pods."""
    for one in objects:
        name = f"{one['kind']}/{one['metadata']['name']}"
        if one["kind"] == "Pod":
            yield name, one["metadata"], one["spec"]
        elif "template" in one.get("spec", {}):
            template = one["spec"]["template"]
            yield name, template["metadata"], template["spec"]


def containers(spec: Object) -> list[Object]:
    """All containers of a pod."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def only(objects: list[Object], kind: str, name: str) -> Object:
    """Returns the one object of that kind and name."""
    found = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{kind}/{name}: {len(found)} of them"
    return found[0]


def named(objects: list[Object]) -> list[str]:
    """Kind, namespace and name of every object, and of which hook it is."""
    return sorted(
        " ".join(
            filter(
                None,
                [
                    one["kind"],
                    f"{one['metadata'].get('namespace', '')}/{one['metadata']['name']}",
                    one["metadata"].get("annotations", {}).get("helm.sh/hook"),
                ],
            )
        )
        for one in objects
    )


def rights(objects: list[Object]) -> list[Object]:
    """Every role with its rules, and who is bound to it."""
    bindings = [one for one in objects if one["kind"].endswith("Binding")]
    return [
        {
            "role": f"{role['kind']} {role['metadata'].get('namespace', '')}/{role['metadata']['name']}",
            "bound": [
                f"{binding['kind']} {subject['namespace']}/{subject['name']}"
                for binding in bindings
                if binding["roleRef"]["kind"] == role["kind"]
                and binding["roleRef"]["name"] == role["metadata"]["name"]
                and binding["metadata"].get("namespace") == role["metadata"].get("namespace")
                for subject in binding["subjects"]
            ],
            "rules": role["rules"],
        }
        for role in objects
        if role["kind"] in {"Role", "ClusterRole"}
    ]


def assert_golden(name: str, found: object) -> None:
    """Compares with a committed file; WARMCRON_UPDATE_GOLDEN=1 writes it instead."""
    text = yaml.safe_dump(found, sort_keys=False, width=110)
    file = GOLDEN / name
    if os.environ.get("WARMCRON_UPDATE_GOLDEN") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    wanted = file.read_text() if file.exists() else "(no such file)"
    assert text == wanted, f"{file.relative_to(ROOT)} differs; if meant so, run again with WARMCRON_UPDATE_GOLDEN=1"
