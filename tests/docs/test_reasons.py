"""The page of reasons has every reason that the code can give, and none that it cannot."""

import ast
import re
from pathlib import Path

from docs.blocks import ROOT

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
    return found - OTHERS


def words(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if WORD.fullmatch(text)}


def test_every_reason_is_explained_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "reasons.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    explained = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert in_code() - explained == set()
    assert explained - in_code() == set()
