import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import appimages
from cluster.errors import CannotInstallError
from cluster.paths import Paths

LISTING = """\
REF                                              TYPE         DIGEST                SIZE  PLATFORMS  LABELS
some.host/warmcron/operator:dev                  application  sha256:aaaa           1 MiB linux      -
some.host/warmcron/operator:src-1                application  sha256:aaaa           1 MiB linux      -
some.host/warmcron/operator:src-0                application  sha256:bbbb           1 MiB linux      -
"""
OPERATOR, WORKER = appimages.APPS


def test_images_in_a_node_are_known_without_their_registry() -> None:
    assert appimages.digests_by_name(LISTING) == {
        "warmcron/operator:dev": "sha256:aaaa",
        "warmcron/operator:src-1": "sha256:aaaa",
        "warmcron/operator:src-0": "sha256:bbbb",
    }


@pytest.mark.parametrize(
    ("app", "key", "loaded"),
    [
        (OPERATOR, "1", True),
        (OPERATOR, "0", False),  # it was loaded once, and then another one was
        (OPERATOR, "2", False),
        (WORKER, "1", False),
    ],
)
def test_an_image_is_loaded_when_dev_has_this_content(app: appimages.App, key: str, loaded: bool) -> None:
    assert appimages.is_loaded(appimages.digests_by_name(LISTING), app, key) is loaded


def test_the_content_changes_with_the_code_and_with_the_base(tmp_path: Path) -> None:
    code = tmp_path / "operator" / "warmcron" / "app.py"
    code.parent.mkdir(parents=True)
    code.write_text("1")
    first = appimages.content(tmp_path, OPERATOR, "base")
    assert appimages.content(tmp_path, OPERATOR, "other base") != first
    (tmp_path / "README.md").write_text("new")
    second = appimages.content(tmp_path, OPERATOR, "base")
    assert second != first
    code.write_text("2")
    assert appimages.content(tmp_path, OPERATOR, "base") != second
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("not in the image")
    assert appimages.content(tmp_path, WORKER, "base") == appimages.content(tmp_path, WORKER, "base")


def test_both_images_are_meant_when_none_is_named() -> None:
    assert appimages.chosen([]) == [OPERATOR, WORKER]
    assert appimages.chosen(["worker"]) == [WORKER]
    with pytest.raises(CannotInstallError, match="There is no image wroker: there are operator, worker"):
        appimages.chosen(["wroker"])


def test_without_an_engine_there_is_one_sentence(paths: Paths, scripted: Callable[..., Any]) -> None:
    with pytest.raises(CannotInstallError, match="No Docker engine answers"):
        appimages.images(paths, scripted(), [], force=False)


@pytest.mark.parametrize("app", appimages.APPS, ids=lambda app: app.name)
def test_a_dockerfile_copies_only_what_its_content_key_covers(repo: Path, app: appimages.App) -> None:
    text = (repo / app.dockerfile).read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert copied
    for name in copied:
        assert any(name == known or name.startswith(f"{known}/") for known in app.inputs), name


@pytest.mark.parametrize("app", appimages.APPS, ids=lambda app: app.name)
def test_the_final_stage_starts_from_the_plain_base_and_runs_as_a_number(repo: Path, app: appimages.App) -> None:
    text = (repo / app.dockerfile).read_text()
    assert "ARG BASE_IMAGE=python:3.13-slim\n" in text
    builder, root, final = re.split(r"^FROM (?=\$\{BASE_IMAGE\} AS root$|scratch$|root$)", text, flags=re.MULTILINE)
    assert "--require-hashes" in builder
    assert "COPY" not in root, "nothing of the builder's is in there"
    assert "\nUSER 65532:65532\n" in final
    assert "RUN " not in final
    assert "pip" not in final


def test_the_build_context_lets_in_everything_that_is_copied(repo: Path) -> None:
    let_in = re.findall(r"^!(\S+)$", (repo / ".dockerignore").read_text(), re.MULTILINE)
    for app in appimages.APPS:
        for name in app.inputs:
            assert name.startswith(".") or name in let_in or name.split("/")[0] in let_in


def test_no_committed_file_of_this_tool_names_a_url(repo: Path) -> None:
    files = [path for path in (repo / "tools/cluster").rglob("*") if path.suffix in {".py", ".yaml", ".conflist"}]
    for path in [*files, *(repo / app.dockerfile for app in appimages.APPS)]:
        assert not re.search(r"https?://", path.read_text()), path
