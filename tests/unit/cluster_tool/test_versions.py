import re
from pathlib import Path

import pytest

from cluster import programs, versions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("kind v0.33.0 go1.26.8 linux/amd64", (0, 33, 0)),  # the first version counts
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", (1, 32, 4)),
        ("v3.22.0+gabcdef", (3, 22, 0)),
        ("no version 7 here", None),  # a lone number is no version
        ("", None),
    ],
)
def test_the_first_dotted_version_in_a_text_is_found(text: str, expected: tuple[int, ...] | None) -> None:
    assert versions.parse(text) == expected


@pytest.mark.parametrize(
    ("have", "expected"),
    [
        ("go1.26.6", True),
        ("go1.26.10", True),  # numbers, not letters
        ("go1.27.0", True),
        ("go1.26.5", False),
        ("go1.19.8", False),
        ("devel", False),  # nothing to compare with is too old
    ],
)
def test_a_newer_version_is_enough_and_an_older_one_is_not(have: str, expected: bool) -> None:
    assert versions.at_least(have, "1.26.6") is expected


@pytest.mark.parametrize(
    ("have", "apart", "expected"),
    [
        ("v1.37.0", 0, True),
        ("v1.36.9", 0, False),
        ("v1.36.9", 1, True),
        ("v1.38.0", 1, True),
        ("v1.35.0", 1, False),
        ("v2.37.0", 1, False),  # another major version
        ("what?", 1, False),
    ],
)
def test_minor_versions_may_be_only_so_far_apart(have: str, apart: int, expected: bool) -> None:
    assert versions.same_minor(have, "1.37.2", apart=apart) is expected


def test_go_mod_requires_exactly_the_versions_that_the_tool_names(repo: Path) -> None:
    required = versions.required((repo / "tools/cluster/node/go.mod").read_text())
    assert {module: required.get(module) for module in versions.MODULES} == versions.MODULES


def test_the_staging_modules_of_kubernetes_are_replaced_by_the_same_version(repo: Path) -> None:
    text = (repo / "tools/cluster/node/go.mod").read_text()
    replaced = re.findall(r"^\t(k8s\.io/\S+) => (k8s\.io/\S+) v(\S+)$", text, re.MULTILINE)
    _, rest = versions.KUBERNETES.split(".", 1)
    assert replaced
    assert {(source == target, version) for source, target, version in replaced} == {(True, f"0.{rest}")}


def test_every_program_is_pinned_by_tools_go_or_is_our_own(repo: Path) -> None:
    pinned = (repo / "tools/cluster/node/tools.go").read_text()
    for program in programs.BY_NAME.values():
        if program.package.startswith("./"):
            assert (repo / "tools/cluster/node" / program.package / "main.go").is_file()
        else:
            assert f'_ "{program.package}"' in pinned


def test_go_mod_says_which_go_it_needs(repo: Path) -> None:
    assert versions.parse(versions.go_directive((repo / "tools/cluster/node/go.mod").read_text()))
    with pytest.raises(ValueError, match="no go directive"):
        versions.go_directive("module x\n")


def test_kind_takes_its_node_image_by_digest() -> None:
    assert re.fullmatch(r"kindest/node:v\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", versions.KIND_NODE_IMAGE)
