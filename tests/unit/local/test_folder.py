"""The state's file is whole at any moment, and one process at a time has it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from warmcron.errors import LocalError
from warmcron.local import folder
from warmcron.local.folder import Entry, Folder


@pytest.fixture
def claimed(tmp_path: Path) -> Iterator[Folder]:
    found = folder.claim(tmp_path / "state")
    yield found
    found.close()


def test_each_start_has_a_number_of_its_own_even_if_nothing_else_is_written(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        found = folder.claim(tmp_path)
        assert found.starts == number
        found.close()


def test_what_was_written_is_read_again(claimed: Folder) -> None:
    claimed.entries["default/a"] = Entry("u", "2026-01-01T00:00:00Z", {"pool": "x"}, status={"succeeded": 3})
    claimed.write(claimed.content())
    claimed.close()
    again = folder.claim(claimed.path)
    assert again.entries["default/a"].status == {"succeeded": 3}
    again.close()


def test_a_write_that_did_not_get_to_its_end_leaves_the_state_before(claimed: Folder) -> None:
    claimed.entries["default/a"] = Entry("u", "2026-01-01T00:00:00Z", {})
    claimed.write(claimed.content())
    (claimed.path / "state.json.new").write_bytes(claimed.content()[:20])  # a crash in the middle of the next
    claimed.close()
    again = folder.claim(claimed.path)
    assert list(again.entries) == ["default/a"]
    again.close()


def test_who_has_the_folder_is_named_to_the_second_comer(claimed: Folder) -> None:
    with pytest.raises(LocalError, match=r"state is in use by process \d+: stop it"):
        folder.claim(claimed.path)


@pytest.mark.parametrize(
    "content",
    [
        "",  # cut off
        "[]",
        '{"format": 1, "starts": "x", "tasks": {}}',
        '{"format": 1, "starts": 1, "tasks": {"a": {"unknown": 1}}}',
        '{"format": 2, "starts": 1, "tasks": {}}',  # from a later version
    ],
)
def test_a_state_that_is_none_is_never_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(LocalError, match="move it away to begin anew"):
        folder.claim(tmp_path)
    assert (tmp_path / "state.json").read_text() == content


def test_the_folder_keeps_itself_out_of_git(claimed: Folder) -> None:
    assert (claimed.path / ".gitignore").read_text() == "*\n"
    assert json.loads((claimed.path / "state.json").read_text())["starts"] == 1
