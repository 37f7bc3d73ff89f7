"""The gates cannot pass by finding nothing: each rule has an example, each skip a reason, each image is read."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import gates

ROOT = gates.ROOT
RULES: list[dict[str, Any]] = yaml.safe_load(gates.RULES.read_text())["rules"]
SKIPS: dict[str, str] = yaml.safe_load((ROOT / "tools" / "checkov.yaml").read_text())


def test_every_rule_has_an_example_and_says_what_to_do() -> None:
    assert len({rule["id"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["severity"] == "ERROR", rule["id"]
        compile(rule["metadata"]["example"], rule["id"], "exec")
        assert rule["message"].endswith("."), rule["id"]


@pytest.mark.parametrize("check", SKIPS)
def test_every_skipped_check_has_a_reason(check: str) -> None:
    assert re.fullmatch(r"CKV2?_[A-Z0-9]+_\d+", check)
    assert len(SKIPS[check].split()) > 8


def test_every_image_and_every_folder_of_shipped_code_is_read() -> None:
    assert {path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/Dockerfile")} == set(gates.IMAGES)
    for folder in gates.CODE:
        assert list((ROOT / folder).rglob("*.py")), folder


def test_every_shell_script_is_read() -> None:
    found = gates.scripts()
    assert {".ci/run", "tools/lock.sh", "tools/setup.sh", "tools/test.sh"} <= set(found)
    assert {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tools/**/*.sh")} <= set(found)


def test_there_is_no_workflow_that_a_hosted_ci_would_run() -> None:
    """Were there one, it would have to be read by zizmor; CI is one script, `.ci/run`."""
    assert not list((ROOT / ".github").rglob("*.y*ml"))


def test_a_program_that_is_missing_or_fails_shuts_the_gate(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        gates.hadolint(tmp_path)
    with pytest.raises(gates.FoundError, match="ended with 1"):
        gates.run("false")


def test_what_the_gates_look_at_is_in_their_stamp() -> None:
    before = gates.inputs()
    file = ROOT / "operator" / "warmcron" / "not_there_before.py"
    file.write_text("import os\n")
    try:
        assert gates.inputs() != before
    finally:
        file.unlink()
    assert gates.inputs() == before
