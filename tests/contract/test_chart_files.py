"""What the chart's own files promise each other: values, schema, README and the hook's script. Needs no Helm."""

import ast
import copy
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from contract import chart_readme
from contract.chart_helm import CHART, ci_values

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
HOOK = (CHART / "files" / "hook.py").read_text()
FROM_A_PARENT_CHART = {"global", "enabled"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    found = schema
    while "$ref" in found:
        found = SCHEMA["definitions"][found["$ref"].rsplit("/", 1)[1]]
    return found


def closed_objects(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every place of the values that has named fields."""
    here = resolved(schema)
    if "properties" in here:
        yield path
        for name, below in here["properties"].items():
            yield from closed_objects(below, (*path, name))


def errors(values: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(values)]


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


def test_the_schema_is_one_and_takes_the_defaults() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert errors(VALUES) == []


@pytest.mark.parametrize("path", ci_values(), ids=lambda path: path.stem)
def test_the_schema_takes_every_set_of_values(path: Any) -> None:
    assert errors(merged(VALUES, yaml.safe_load(path.read_text()) or {})) == []


@pytest.mark.parametrize("path", list(closed_objects(SCHEMA)), ids=".".join)
def test_a_typo_is_refused_at_every_level(path: tuple[str, ...]) -> None:
    values = copy.deepcopy(VALUES)
    place = values
    for name in path:
        place = place.setdefault(name, {})
    place["tpyo"] = 1
    assert any("'tpyo' was unexpected" in message for message in errors(values))


@pytest.mark.parametrize(
    "wrong",
    [
        {"logLevel": "verbose"},
        {"replicaCount": "two"},
        {"leaseDurationSeconds": 1},
        {"watchNamespaces": ["Team_A"]},
        {"watchNamespaces": ["a", "a"]},
        {"image": {"digest": "sha256:short"}},
        {"image": {"repository": ""}},
        {"callbackKey": {"value": "a-key-in-values"}},
        {"service": {"httpPort": 0}},
        {"resources": {"limits": {"cpu": 1}, "requests": None}},
        {"serviceMonitor": {"renderMode": "maybe"}},
        {"extraEnv": [{"value": "nameless"}]},
        {"demo": {"modules": []}},
    ],
    ids=json.dumps,
)
def test_a_wrong_value_is_refused(wrong: dict[str, Any]) -> None:
    assert errors(merged(VALUES, wrong))


def test_every_value_that_the_schema_allows_has_a_default() -> None:
    missing = []
    for path in closed_objects(SCHEMA):
        if set(path) & (FROM_A_PARENT_CHART | {"resources"}):
            continue
        place, schema = VALUES, SCHEMA
        for name in path:
            place, schema = place[name], resolved(schema)["properties"][name]
        missing += [
            ".".join((*path, name))
            for name in resolved(schema)["properties"]
            if name not in place and name not in FROM_A_PARENT_CHART
        ]
    assert missing == []


def test_the_readmes_table_is_fresh() -> None:
    readme = (CHART / "README.md").read_text()
    wanted = chart_readme.rendered(readme, (CHART / "values.yaml").read_text())
    assert readme == wanted, "stale: run python tests/contract/chart_readme.py"


def test_a_value_without_a_comment_is_named() -> None:
    with pytest.raises(ValueError, match=r"line 4: b\.c has no comment"):
        chart_readme.table("# -- One.\na: 1\nb:\n  c: 2")


def test_the_hooks_script_needs_the_standard_library_only() -> None:
    imported = set()
    for node in ast.walk(ast.parse(HOOK, feature_version=(3, 11))):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported <= sys.stdlib_module_names


def test_the_hooks_script_survives_being_an_argument_of_a_container() -> None:
    # Kubernetes replaces $(NAME) in arguments.
    assert "$(" not in HOOK


def test_the_versions_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = (CHART.parents[1] / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    assert version
    assert chart["version"] == chart["appVersion"] == version[1]
    assert chart["kubeVersion"] == ">=1.29.0-0"
