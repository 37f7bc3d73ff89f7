"""The table of controls names files and tests that exist, and the links of the security pages lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security" / "controls.md"
ROWS = [line.split("|")[1:-1] for line in PAGE.read_text().splitlines() if re.match(r"\| (?!list)[A-Za-z]", line)]


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
