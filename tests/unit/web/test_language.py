import ast
import json
import re
import string
from importlib import resources
from pathlib import Path
from types import ModuleType

import pytest

from warmcron.core import diagnosis, pool
from warmcron.core.events import Outcome
from warmcron.core.standing import SENTENCES
from warmcron.history import strays
from warmcron.history.model import STATES
from warmcron.kube import translate
from warmcron.web import marks, runs
from warmcron.web.language import NAMES, language, preferred
from warmcron.web.standing import said

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
        | set(SENTENCES)
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


def test_every_reason_of_the_reference_is_explained_in_chinese_and_no_other() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "reasons.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    # besides: how a run ended, which is the reason of a condition; the history's own; and two of the kubelet
    others = {outcome.value for outcome in Outcome} | {strays.LOST, "ContainersNotReady", "Evicted"}
    assert set(language("zh").reasons) == (documented | others) - {"Skipped"}
    assert all(re.search("[\u4e00-\u9fff]", text) for text in language("zh").reasons.values())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("NoReadyWorker", "NoReadyWorker\uff08没有就绪的工作节点\uff09"),
        # what follows is somebody else's
        (
            "HandlerFailed: ValueError: no such table",
            "HandlerFailed\uff08处理函数执行失败\uff09: ValueError: no such table",
        ),
        ("TimeoutError: no answer within 30 s", "TimeoutError: no answer within 30 s"),
        # a sentence, not a reason
        ("Failed to start", "Failed to start"),
        ("NoReadyWorkers", "NoReadyWorkers"),
        ("", ""),
    ],
)
def test_a_reason_is_explained_beside_its_word(text: str, shown: str) -> None:
    assert language("zh").reason(text) == shown
    assert language("en").reason(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("handler not registered", "没有注册该处理函数"),
        ("full: 10 runs", "已满\uff1a10 次运行"),
        ("not ready: terminating", "未就绪\uff1a正在终止"),
        ("not ready: ContainersNotReady", "未就绪\uff1aContainersNotReady\uff08容器尚未就绪\uff09"),
        ("not ready: readiness probe: 503", "未就绪\uff1areadiness probe: 503"),  # the worker's own
        ("WorkerBusy", "WorkerBusy\uff08工作节点已满\uff09"),
        ("busy with {other} things", "busy with {other} things"),
        ("", ""),
    ],
)
def test_why_a_worker_is_passed_over_is_said_in_the_readers_language(text: str, shown: str) -> None:
    assert said(language("zh"), text) == shown
    assert said(language("en"), text) == text


def _texts(module: ModuleType) -> set[str]:
    """What a module can say of a worker: every text with a letter in it that is no docstring and no constant's name."""
    found = ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8")))
    returned = [node.value for node in found if isinstance(node, ast.Return) and node.value is not None]
    return {
        node.value
        for value in returned
        for node in ast.walk(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip()
    }


@pytest.mark.parametrize("module", [pool, translate], ids=["pool", "translate"])
def test_what_is_said_of_workers_is_one_of_the_sentences(module: ModuleType) -> None:
    assert sorted(_texts(module)) == []


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
