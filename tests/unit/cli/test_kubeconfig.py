"""The kubeconfig is read as kubectl reads it."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from warmcron.cli import kubeconfig
from warmcron.errors import UsageError


def write(path: Path, user: dict[str, Any], *, name: str = "a", current: str | None = "a", **context: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **context}}],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example"}}],
        "users": [{"name": name, "user": user}],
    }
    path.write_text(yaml.safe_dump({**found, **({"current-context": current} if current else {})}))
    return path


def test_a_context_names_server_token_and_namespace(tmp_path: Path) -> None:
    found = kubeconfig.load(write(tmp_path / "config", {"token": "t"}, namespace="team"), None)
    assert (found.connection.server, found.connection.token, found.namespace) == ("https://a.example", "t", "team")


def test_without_a_namespace_it_is_default(tmp_path: Path) -> None:
    assert kubeconfig.load(write(tmp_path / "config", {"token": "t"}), None).namespace == "default"


def test_several_files_are_merged_and_the_first_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path / "1", {"token": "first"})
    second = write(tmp_path / "2", {"token": "second"}, name="b", current="b")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(first), str(tmp_path / "gone"), str(second)]))
    assert kubeconfig.load(None, None).connection.token == "first"
    assert kubeconfig.load(None, "b").connection.token == "second"


def test_files_are_named_relative_to_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "token").write_text("from-a-file\n")
    config = write(tmp_path / "deep" / "config", {"tokenFile": "token"})
    assert kubeconfig.load(config, None).connection.token == "from-a-file"


def test_a_plugin_is_asked_for_credentials(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text('#!/bin/sh\necho "{\\"status\\": {\\"token\\": \\"$WHO-$1\\"}}"\n')
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    run = {"command": str(plugin), "args": ["x"], "env": [{"name": "WHO", "value": "ann"}]}
    assert kubeconfig.load(write(tmp_path / "config", {"exec": run}), None).connection.token == "ann-x"


def test_a_plugin_that_fails_is_named_with_its_last_word(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\necho 'log in first' >&2\nexit 1\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(UsageError, match=r"plugin failed: log in first"):
        kubeconfig.load(write(tmp_path / "config", {"exec": {"command": str(plugin)}}), None)


MISTAKES: list[tuple[str, str | None, str]] = [
    ("", None, "no current-context; choose one with --context"),
    ("[1]", None, "not a kubeconfig"),
    ("a: [", None, "not a kubeconfig"),
    ("current-context: gone", None, "no context 'gone'; known are none"),
    ("contexts: [{name: a, context: {cluster: gone}}]", "a", "no cluster 'gone'; known are none"),
    ("{contexts: [{name: a, context: {cluster: c}}], clusters: [{name: c}]}", "a", "has no server"),
]


@pytest.mark.parametrize(("content", "context", "words"), MISTAKES)
def test_a_kubeconfig_that_cannot_be_used_says_why(
    tmp_path: Path, content: str, context: str | None, words: str
) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        kubeconfig.load(path, context)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
