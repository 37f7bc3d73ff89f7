"""The page of reasons has every reason that the code can give, and none that it cannot."""

import ast
import importlib
import re
from pathlib import Path

from docs.blocks import ROOT
from warmcron.errors import SpecError

SOURCES = ("core", "engine", "workers", "kube/translate.py", "kube/statuses.py", "local/objects.py", "local/desk.py")
WORD = re.compile(r"[A-Z][a-z]+([A-Z][A-Za-z]+)+|OOMKilled|Missed|Replaced|Suspended|Scheduled|Failing|Recovered")
# Names of events and of conditions, which look the same.
OTHERS = {"WorkerLost", "CancelAsked", "NotCommitted", "LastRunSucceeded", "WorkersAvailable"}


def in_code() -> set[str]:
    found = set()
    for source in SOURCES:
        path = ROOT / "operator" / "warmcron" / source
        files = path.rglob("*.py") if path.is_dir() else (path,)
        for file in files:
            found |= words(file)
    return found - OTHERS | of_fields()


def words(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if WORD.fullmatch(text)}


def of_fields() -> set[str]:
    """Reasons that are made from the name of the field at fault: no text of the code has them."""
    found = set()
    for file in (ROOT / "operator" / "warmcron").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("SpecError"):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                if "field" in given and "reason" not in given:
                    name = ".".join(file.relative_to(ROOT / "operator").with_suffix("").parts)
                    field = eval(given["field"], vars(importlib.import_module(name)))  # noqa: S307 - our own code
                    found.add(SpecError("", field=field).reason)
    assert "InvalidPayload" in found
    return found


def test_every_reason_is_explained_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "reasons.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    explained = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert in_code() - explained == set()
    assert explained - in_code() == set()
