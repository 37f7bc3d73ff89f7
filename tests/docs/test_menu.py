"""Every page of the documentation can be found: from the index, and in the menu of the site."""

import re
from pathlib import Path

import yaml

from docs.blocks import ROOT

_LINK = re.compile(r"!?\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def test_every_page_of_the_documentation_can_be_reached_from_its_index() -> None:
    seen, todo = set[Path](), [ROOT / "docs" / "index.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for link in _LINK.findall(_CODE.sub("", page.read_text())):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.is_file() and target.is_relative_to(ROOT):
                todo.append(target)
    adrs = ROOT / "docs" / "adr"
    missing = {page for page in (ROOT / "docs").rglob("*.md") if adrs not in page.parents} - seen
    assert not missing


def in_nav(entry: object) -> set[str]:
    if isinstance(entry, str):
        return {entry}
    children = entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ()
    return {page for child in children for page in in_nav(child)}


def test_every_page_of_the_documentation_is_in_the_menu() -> None:
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md") if "adr" not in page.parts}
    assert pages <= in_nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert all((ROOT / page).is_file() for page in in_nav(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
