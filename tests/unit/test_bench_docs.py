"""The lines that docs/performance.md gives people to compute their own figures by are right."""

import subprocess
import sys
from pathlib import Path

from benchmarks import ledger
from benchmarks.ledger import Arrival
from docs.blocks import ROOT, blocks

PAGE = ROOT / "docs" / "performance.md"
TEXTS = [block.text for block in blocks(PAGE) if block.language == "python"]


def test_the_lines_of_the_page_find_the_percentiles_that_the_benchmark_finds(tmp_path: Path) -> None:
    delays = [0.001 * number**1.5 for number in range(150)]
    arrivals = [
        Arrival(1_800_000_000 + delay, 1_800_000_000, f"task-{number}", f"run-{number}", "pod", repeated=False)
        for number, delay in enumerate(reversed(delays))
    ]
    folder = tmp_path / "kept" / "warmcron-bench-x" / "fleet"
    folder.mkdir(parents=True)
    ledger.write(folder / "ledger-mine.jsonl", arrivals)
    verdict = ledger.judge(arrivals, tasks=[arrival.task for arrival in arrivals], ticks=[1_800_000_000])
    p50, p99 = (ledger.percentile(verdict.delays, share) for share in (0.5, 0.99))

    said = subprocess.run([sys.executable, "-c", TEXTS[0]], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == f"150 arrivals, p50 {p50:.1f} ms, p99 {p99:.1f} ms\n"
