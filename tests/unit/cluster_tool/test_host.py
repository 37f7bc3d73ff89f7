from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cluster import host
from cluster.errors import CannotInstallError
from cluster.shell import Result

BARE = host.Host(root=True, apt=True, engine=False, docker=False, dockerd=False, iptables=False, mmdebstrap=False)
FULL = host.Host(root=True, apt=True, engine=True, docker=True, dockerd=True, iptables=True, mmdebstrap=True)


@pytest.mark.parametrize(
    ("found", "building", "expected"),
    [
        (BARE, True, ("docker.io", "iptables", "mmdebstrap", "debian-archive-keyring")),
        (BARE, False, ("docker.io", "iptables")),
        (FULL, True, ()),
        (replace(FULL, mmdebstrap=False), True, ("mmdebstrap", "debian-archive-keyring")),
        # somebody's running engine needs nothing of ours
        (replace(BARE, engine=True, docker=True), False, ()),
        # a client without an engine
        (replace(FULL, engine=False, dockerd=False), False, ("docker.io",)),
    ],
)
def test_only_what_is_missing_is_installed(found: host.Host, building: bool, expected: tuple[str, ...]) -> None:
    assert host.packages(found, building=building) == expected


@pytest.mark.parametrize(
    ("found", "building", "words"),
    [
        (replace(BARE, root=False), False, "only root may start one"),
        (replace(FULL, root=False), True, "only root may build a node image"),
        (replace(BARE, apt=False), False, "no apt-get to install docker.io and iptables"),
        (replace(FULL, apt=False, mmdebstrap=False), True, "mmdebstrap"),
    ],
)
def test_what_cannot_be_installed_gets_one_clear_sentence(found: host.Host, building: bool, words: str) -> None:
    sentence = host.complaint(found, building=building)
    assert sentence is not None
    assert words in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("found", "building"),
    [(BARE, True), (FULL, True), (replace(FULL, root=False), False), (replace(FULL, apt=False), True)],
)
def test_a_host_that_can_make_the_cluster_gets_no_complaint(found: host.Host, building: bool) -> None:
    assert host.complaint(found, building=building) is None


def test_one_package_source_that_does_not_answer_is_no_obstacle(scripted: Callable[..., Any]) -> None:
    runner = scripted({"apt-get update": Result(100, "", "E: no release file"), "apt-get install": ""})
    host.install(("mmdebstrap",), runner)
    assert runner.calls[-1][-1] == "mmdebstrap"


def test_a_package_that_cannot_be_had_is_named(scripted: Callable[..., Any]) -> None:
    runner = scripted(
        {"apt-get update": "", "apt-get install": Result(100, "", "E: Unable to locate package docker.io")}
    )
    with pytest.raises(CannotInstallError, match=r"could not install docker\.io: E: Unable to locate"):
        host.install(("docker.io",), runner)
