"""Writes the figures of a record into the README and docs/performance.md, between their marks.

`python -m benchmarks.render RECORD…`: later records replace the scenarios of earlier ones.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks import report

Record = dict[str, Any]
REPOSITORY: Final = Path(__file__).resolve().parents[1]
KEPT: Final = REPOSITORY / "benchmarks" / "record.json"
HEADS: Final = {
    "en": ("{count} due in the same second", "p50 ms", "p99 ms", "lost", "own CPU ms a run"),
    "zh": ("同一秒到期 {count} 个", "p50 毫秒", "p99 毫秒", "丢失", "自身 CPU 毫秒/次"),
}
BEGIN, END = "<!-- bench:begin -->\n", "<!-- bench:end -->"


def main(paths: list[str]) -> None:
    """Merges the records into the one that is kept, and writes the pages anew."""
    record: Record = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for path in paths:
        record |= json.loads(Path(path).read_text())
    for raw in ("side_raw", "history_plans"):
        record.pop(raw, None)
    KEPT.write_text(json.dumps(record, indent=1) + "\n")
    for name, text in pages(record).items():
        page = REPOSITORY / name
        before, _, after = _split(page.read_text())
        page.write_text(before + text + after)


def _split(page: str) -> tuple[str, str, str]:
    """A page up to the first mark with it, what is between the marks, and the rest with the second."""
    before, _, rest = page.partition(BEGIN)
    between, _, after = rest.partition(END)
    return before + BEGIN, between, END + after


def pages(record: Record) -> dict[str, str]:
    """What belongs between the marks of each page."""
    return {
        "README.md": readme(record, HEADS["en"]),
        "README.zh-CN.md": readme(record, HEADS["zh"]),
        "docs/performance.md": f"{_machine(record['machine'])}\n\n{report.tables(record, level=3)}",
    }


def readme(record: Record, head: tuple[str, ...]) -> str:
    """The short table: one herd, side by side. Empty for a record without one."""
    if not record.get("side"):
        return ""
    rows = []
    for row in record.get("side", ()):
        if row["count"] == max(found["count"] for found in record["side"]):
            more = row["cpu_operator_ms"]
            name = row["peer"] + (" (inconclusive: the machine was busy)" if row["inconclusive"] else "")
            rows.append([name, row["arrival_p50_ms"], row["arrival_p99_ms"], row["lost"], f"{more:g}"])
    for row in record.get("cronjob", ()):
        if row["count"] == max(found["count"] for found in record["cronjob"]):
            lost = f"{row['lost']} of {row['expected']}"
            rows.append([row["peer"], row["pod_p50_ms"], row["pod_p99_ms"], lost, f"{row['cpu_controllers_ms']:g}"])
    count = max(row["count"] for row in record["side"])
    lines = ["| " + " | ".join(head).format(count=count) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, float) else str(value)


def _machine(found: Record) -> str:
    return (
        f"Measured {found['time']} on {found['cpus']} cores ({found['cpu_model']}), {found['memory_gib']:g} GiB, "
        f"Linux {found['kernel']}, Python {found['python']}. Ten million empty steps of Python take "
        f"{found['loop_of_10_million_s']} s of CPU there. Load average before and after: "
        f"{', '.join(map(str, found['load_average']))} and {', '.join(map(str, found['load_average_after']))}."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
