"""SQL in every text that history keeps or is asked for: it comes back as it went, and does nothing on its way."""

import contextlib

import pytest

from unit.history.builders import NOW, attempt, batch, line, run, run_id
from unit.history.conftest import Kept
from warmcron.errors import HistoryError
from warmcron.history.model import RunFilter

TEXTS = (
    "'; DROP TABLE runs; --",
    '"; DELETE FROM lines; --',
    "' OR '1'='1",
    "x' UNION SELECT run_id, text FROM lines --",
    "%' ESCAPE '!",
    "_%\\",
    ":name ?1 $1 %(name)s {0}",
    "/* */ ; VACUUM",
    'NEAR("a" OR *) ^ -b :c',  # words of full-text search
)


@pytest.mark.parametrize("text", TEXTS)
async def test_every_text_of_a_record_comes_back_as_it_went(kept: Kept, text: str) -> None:
    texts = ("task_uid", "namespace", "task", "pool", "handler", "reason", "pod_name", "progress_text")
    hostile = run(1, state="Failed", error={"type": text, "message": text}, **dict.fromkeys(texts, text))
    tried = attempt(1, pod_name=text, answer=text, reason=text, chosen_by=text, filtered=((text, text),))
    plain = run(2)
    await kept.store.write(batch(hostile, tried, plain, line(text), line("quiet", 2)))

    assert await kept.reader.run(run_id(1)) == hostile
    assert await kept.reader.attempts(run_id(1)) == (tried,)
    assert [found.text for found in await kept.reader.logs(run_id(1))] == [text]
    assert await kept.reader.run(run_id(2)) == plain
    assert [found.text for found in await kept.reader.logs(run_id(2))] == ["quiet"]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_question_finds_what_it_names_and_nothing_else(kept: Kept, text: str) -> None:
    mine, others = run(1, namespace=text, task=text, pod_name=text), run(2)
    await kept.store.write(batch(mine, attempt(1, pod_name=text), others))
    for wanted in (RunFilter(namespaces=(text,)), RunFilter(task=text), RunFilter(pod=text)):
        assert (await kept.reader.runs(wanted, limit=10)).rows == (mine,), wanted
    for wanted in (RunFilter(trigger=text), RunFilter(states=(text,)), RunFilter(namespaces=(f"{text}x",))):
        assert (await kept.reader.runs(wanted, limit=10)).rows == (), wanted
    searched = (await kept.reader.runs(RunFilter(text=text), limit=10)).rows
    assert others not in searched
    assert await kept.reader.run(text) is None
    assert await kept.reader.logs(text) == ()
    assert await kept.reader.recent((text,), limit=3) == {text: ()}
    assert await kept.reader.counts((text,), since=NOW - 1) == {"Succeeded": 1}
    with contextlib.suppress(HistoryError):  # no cursor of ours: refused in words, or read as none
        await kept.reader.runs(RunFilter(), limit=10, cursor=text)
    assert len((await kept.reader.runs(RunFilter(), limit=10)).rows) == 2, "everything is still there"
