"""The statements that the documentation gives are run, in both databases, on the story that it tells."""

import json
from typing import Any

import pytest

from docs.blocks import ROOT, blocks
from fakes import nightly
from fakes.nightly import POD_A, POD_B, POD_C, SAID, TICK
from unit.history.builders import attempt, batch, line, run
from unit.history.conftest import Kept

PAGES = ("docs/how-to/find-out-why.md", "docs/history.md")


def statements(page: str, *, sqlite: bool) -> list[str]:
    """The questions of a page, but those for the other database."""
    found = [block.text for block in blocks(ROOT / page) if block.language == "sql" and "SELECT" in block.text]
    other = "-- PostgreSQL" if sqlite else "-- SQLite"
    return [text for text in found if not text.startswith(other) and "ROLE" not in text]


async def story(kept: Kept) -> None:
    """Beside it, the next night's run of the same task, and a skip of another one."""
    await kept.store.write(nightly.batch())
    later: dict[str, Any] = {"namespace": "acme", "task": "nightly-report", "scheduled": TICK + 86_400.0}
    await kept.store.write(
        batch(
            run(2, **later),
            run(3, state="Skipped", reason="Missed", skipped_ticks=35, task="sync", scheduled=float(TICK)),
            attempt(2, sent=TICK + 86_400.0),
            line("report for acme: 40 sheets", 2),
        )
    )


async def ask(kept: Kept, statement: str) -> list[dict[str, Any]]:
    async with kept.database.read() as connection:
        return [dict(row) for row in (await connection.exec_driver_sql(statement)).mappings()]


@pytest.mark.parametrize("page", PAGES)
async def test_one_statement_tells_a_tick_with_its_pods_its_attempts_and_what_each_said(kept: Kept, page: str) -> None:
    await story(kept)
    (one,) = [text for text in statements(page, sqlite=kept.database.sqlite) if "LEFT JOIN lines" in text]
    rows = await ask(kept, one.replace("'shop'", "'acme'"))  # another page asks about another namespace's
    assert [(row["attempt"], row["pod_name"], row["answer"], row["text"]) for row in rows] == [
        (1, POD_A, "Finished", SAID[0][2]),
        (1, POD_A, "Finished", SAID[1][2]),
        (2, POD_C, "Refused", None),  # it never had the run, and said nothing
        (2, POD_B, "Finished", SAID[2][2]),
        (2, POD_B, "Finished", SAID[3][2]),
    ]
    assert {row["state"] for row in rows} == {"Failed"}
    assert {row["chosen_by"] for row in rows} == {"LeastLoaded"}
    assert json.loads(rows[-1]["filtered"]) == [list(nightly.PASSED_OVER)]


async def test_the_other_questions_of_the_page_find_that_run(kept: Kept) -> None:
    await story(kept)
    asked = [text for text in statements(PAGES[0], sqlite=kept.database.sqlite) if "LEFT JOIN lines" not in text]
    failed, words, skipped = [await ask(kept, text) for text in asked]
    assert [(row["run_id"], row["pod_name"]) for row in failed] == [(nightly.run().run_id, POD_B)]
    assert json.loads(failed[0]["error"])["traceback"] == nightly.TRACEBACK
    assert {row["text"] for row in words} == {SAID[1][2], SAID[3][2]}
    assert {row["task"] for row in words} == {"nightly-report"}
    assert [(row["state"], row["scheduled"], row["skipped_ticks"]) for row in skipped] == [("Failed", TICK, 1)]


async def test_every_question_of_the_pages_is_taken(kept: Kept) -> None:
    for page in PAGES:
        for text in statements(page, sqlite=kept.database.sqlite):
            await ask(kept, text)
