"""The tables of the README and of docs/performance.md are those of the record that is kept."""

import json

import pytest

from benchmarks import render, report
from benchmarks.scenarios.steady import LATE_MS

RECORD = json.loads(render.KEPT.read_text())


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "docs/performance.md"])
def test_a_page_shows_the_figures_that_were_measured(name: str) -> None:
    page = (render.REPOSITORY / name).read_text()
    assert page.count(render.BEGIN) == page.count(render.END) == 1
    between = page.partition(render.BEGIN)[2].partition(render.END)[0]
    assert between == render.pages(RECORD)[name], "run `python -m benchmarks.render`"


def test_nothing_was_lost_doubled_or_early_in_what_is_published() -> None:
    names = ("herd", "side", "sustained", "spread", "takeover", "kind")
    rows = [row for name in names for row in RECORD.get(name, ())]
    ours = [row for row in rows if row.get("peer", "warmcron").startswith("warmcron")]
    # The last step of `sustained` is the one that the machine could not do any more.
    ours = [row for row in ours if not ("runs_per_second" in row and row["arrival_p99_ms"] > LATE_MS)]
    assert ours
    assert [row for row in ours if row["lost"] or row["doubled"] or row["early"]] == []


def test_a_table_says_together_what_belongs_together() -> None:
    rows = [{"peer": "x", "count": 10, "lost": 1, "doubled": 0, "early": 2, "arrival_p50_ms": 1.5}]
    table = report.table(rows, [("who", "peer"), ("counts", "counts"), ("p50", "arrival_p50_ms"), ("no", "missing")])
    assert table.splitlines()[-1] == "| x | 1 / 0 / 2 | 1.5 |  |"
