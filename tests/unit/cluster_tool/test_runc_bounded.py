import json
from pathlib import Path

import pytest

from cluster import runc_bounded


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("CapEff:\t0\nCapBnd:\t000001fffeffffff\n", True),
        ("CapBnd:\t000001ffffffffff\n", False),
        ("Name:\tx\n", False),  # no such line: nothing is taken away
    ],
)
def test_the_bounding_set_says_whether_the_capability_is_lacking(text: str, lacks: bool) -> None:
    assert runc_bounded.lacks_capability(text) is lacks


@pytest.mark.parametrize(
    "arguments",
    [["create", "--bundle", "{}", "id"], ["run", "-b", "{}", "id"], ["--root", "/r", "create", "--bundle={}", "id"]],
)
def test_a_new_container_is_not_given_the_capability(tmp_path: Path, arguments: list[str]) -> None:
    held = {"bounding": ["CAP_SYS_RESOURCE", "CAP_CHOWN"], "ambient": None}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"process": {"capabilities": held, "args": ["sh"]}, "root": {}}))
    runc_bounded.rewrite([word.format(tmp_path) for word in arguments])
    assert json.loads(config.read_text()) == {
        "process": {"capabilities": {"bounding": ["CAP_CHOWN"], "ambient": []}, "args": ["sh"]},
        "root": {},
    }


def test_a_process_in_a_running_container_is_not_given_it_either(tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"capabilities": {"effective": ["CAP_SYS_RESOURCE"]}}))
    runc_bounded.rewrite(["exec", "--process", str(process), "id"])
    assert json.loads(process.read_text()) == {"capabilities": {"effective": []}}


def test_calls_without_a_spec_are_left_alone(tmp_path: Path) -> None:
    runc_bounded.rewrite(["delete", "id"])
    runc_bounded.rewrite(["exec", "id", "sh"])
    runc_bounded.rewrite(["create", "--bundle", str(tmp_path), "id"])
    assert list(tmp_path.iterdir()) == []
