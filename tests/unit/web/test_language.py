import ast
import json
import re
import string
from importlib import resources
from pathlib import Path

import pytest

from warmcron.core import diagnosis
from warmcron.history.model import STATES
from warmcron.web import marks, runs
from warmcron.web.language import NAMES, language, preferred

WEB = resources.files("warmcron.web")


def _sources() -> str:
    files = [*WEB.joinpath("templates").iterdir(), *WEB.iterdir()]
    return "\n".join(file.read_text("utf-8") for file in files if file.name.endswith((".html", ".py")))


def _diagnosis() -> set[str]:
    """The sentences of `core.diagnosis`, which knows no language: every text in it that is no docstring."""
    tree = ast.parse(Path(diagnosis.__file__).read_text("utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts - docstrings if " " in text.strip(", ")}


def _used() -> set[str]:
    """Every English text that a template or a module asks a catalogue for."""
    found = re.findall(r'(?:(?<![\w.])t|\.text)\(\s*"((?:[^"\\]|\\.)*)"', _sources())
    words = {mark.word for table in (marks.RUN, marks.TASK, marks.WORKER, marks.ANSWER) for mark in table.values()}
    return (
        {text for text in found if not text.endswith(".html")}
        | _diagnosis()
        | words
        | set(STATES)
        | set(runs.TRIGGERS) - {""}
    )


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


CATALOGUE = json.loads(WEB.joinpath("locales", "zh.json").read_text("utf-8"))


def test_every_text_is_in_the_chinese_catalogue_and_nothing_else_is() -> None:
    assert sorted(_used() - set(CATALOGUE)) == []
    assert sorted(set(CATALOGUE) - _used()) == []


def test_a_translation_has_the_same_blanks_as_its_text() -> None:
    assert [text for text, local in CATALOGUE.items() if _fields(text) != _fields(local)] == []


def test_one_is_not_plural_in_english() -> None:
    assert language("en").text("{n} attempts", n=1) == "1 attempt"
    assert language("en").text("{n} attempts", n=2) == "2 attempts"
    assert language("en").text("{n} attempts", n=12_000) == "12,000 attempts"
    assert set(language("en").one) <= _used()


@pytest.mark.parametrize(
    ("accept", "code"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        # one that is not here does not count, however much it is wanted
        ("fr-FR,zh-TW;q=0.3", "zh"),
        ("de", "en"),
        # weights decide, not the order
        ("en;q=0.2, zh;q=0.7", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense", "en"),
        ("," * 5000, "en"),
    ],
)
def test_the_browser_says_which_language(accept: str, code: str) -> None:
    assert preferred(accept) == code


def test_an_unknown_language_is_english() -> None:
    assert language("xx").code == "en"
    assert set(NAMES) == {"en", "zh"}
