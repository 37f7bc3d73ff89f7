from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import toolbox, versions
from cluster.paths import Paths

BY_NAME = {tool.name: tool for tool in toolbox.TOOLS}


@pytest.mark.parametrize(
    ("name", "said", "will_do"),
    [
        ("kind", f"kind v{versions.KIND} go1.26 linux/amd64", True),
        ("kind", "kind v0.33.1 go1.26 linux/amd64", False),  # its node image is another one
        ("kubectl", "Client Version: v1.36.0", True),
        ("kubectl", "Client Version: v1.32.4-dispatcher", False),
        ("helm3", "v3.22.4+g1234", True),
        ("helm3", "v4.3.1", False),  # the helm of this machine is the other one
        ("helm4", "v4.3.1", True),
    ],
)
def test_an_installed_tool_is_taken_in_the_right_version_only(name: str, said: str, will_do: bool) -> None:
    assert BY_NAME[name].will_do(said) is will_do


def test_one_helm_is_linked_under_the_name_of_its_major_version(paths: Paths, scripted: Callable[..., Any]) -> None:
    runner = scripted({"helm version --short": f"v{versions.HELM4}"}, helm="/usr/bin/helm")
    toolbox.link_installed(paths, runner, ["helm3", "helm4"])
    assert [path.name for path in paths.tools.iterdir()] == ["helm4"]
    assert (paths.tools / "helm4").readlink() == Path("/usr/bin/helm")


def test_a_link_to_nothing_counts_as_absent_and_is_replaced(paths: Paths) -> None:
    paths.tools.mkdir(parents=True)
    (paths.tools / "kind").symlink_to("/nowhere/kind")
    assert toolbox.absent(paths, ["kind"]) == ["kind"]
    paths.binaries.mkdir(parents=True)
    (paths.binaries / "kind").touch()
    toolbox.link_built(paths, ["kind"])
    assert toolbox.absent(paths, ["kind"]) == []


def test_the_folder_is_not_searched_for_its_own_tools(paths: Paths, scripted: Callable[..., Any]) -> None:
    runner = scripted({"kind version": f"kind v{versions.KIND}"}, kind=str(paths.tools / "kind"))
    toolbox.link_installed(paths, runner, ["kind"])
    assert not paths.tools.exists()
