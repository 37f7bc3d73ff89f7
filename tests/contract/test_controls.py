"""The table of controls names files and tests that exist, and the links of the security pages lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security" / "controls.md"
ROWS = [line.split("|")[1:-1] for line in PAGE.read_text().splitlines() if re.match(r"\| (?!list)[A-Za-z]", line)]
# What raises an AssertionError for a test that says nothing of it.
JUDGES = {"raises", "until", "never"}
QUESTIONS = [line.split("|")[1:-1] for line in PAGE.read_text().splitlines() if re.match(r"\| [0-9]", line)]


def function(reference: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """The test of that name; a KeyError if there is none."""
    file, _, name = reference.strip(" `").partition("::")
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    found = {node.name: node for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, functions)}
    return found[name]


def calls(found: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(found) if isinstance(node, ast.Call)]


def test_each_of_the_fifteen_questions_has_a_test() -> None:
    assert {int(row[0]) for row in QUESTIONS} == set(range(1, 16))


@pytest.mark.parametrize("row", [*ROWS, *QUESTIONS], ids=lambda row: row[-1].partition("::")[2].strip(" `"))
def test_each_test_that_is_named_can_fail_and_is_not_left_out(row: list[str]) -> None:
    found = function(row[-1])
    marks = [ast.unparse(mark) for mark in found.decorator_list]
    assert not [mark for mark in marks if "skip" in mark or "xfail" in mark]
    names = {getattr(node.func, "attr", getattr(node.func, "id", "")) for node in calls(found)}
    asserts = any(isinstance(node, ast.Assert) for node in ast.walk(found))
    assert asserts or names & JUDGES or any(name.startswith(("assert_", "check")) for name in names)


def test_the_table_has_rows_for_each_list() -> None:
    text = " ".join(row[0] for row in ROWS)
    assert len(ROWS) > 25
    for word in (*(f"K{number:02}" for number in range(1, 11)), "NSA", "CIS 5.1", "CIS 5.2", "CIS 5.3", "CIS 5.4"):
        assert word in text, word


@pytest.mark.parametrize("row", ROWS, ids=[row[1].strip()[:60] for row in ROWS])
def test_each_control_has_a_file_and_a_test_that_exist(row: list[str]) -> None:
    _, control, where, test = (cell.strip() for cell in row)
    assert control
    assert (ROOT / where.strip("`")).is_file(), where
    file, _, name = test.strip("`").partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), test


@pytest.mark.parametrize("page", [ROOT / "SECURITY.md", *sorted((ROOT / "docs" / "security").glob("*.md"))], ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
