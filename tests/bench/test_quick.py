"""The benchmark's short run: nothing lost, doubled or early on a real API server. Being slow is no failure here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
CANNOT_BE_MEASURED = 2


@pytest.mark.timeout(900)
def test_nothing_is_lost_doubled_or_early(tmp_path: Path) -> None:
    out = tmp_path / "quick.json"
    command = [sys.executable, "-m", "benchmarks", "quick", "--out", str(out), "--keep", str(tmp_path / "kept")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode == CANNOT_BE_MEASURED and os.environ.get("CI") != "true":
        pytest.skip(f"THE BENCHMARK DID NOT RUN: {done.stderr.strip()[-400:]}")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    record = json.loads(out.read_text())
    assert record["faults"] == []
    assert [row["expected"] for row in record["herd"]] == [200, 200]
    assert len(record["takeover"]) == 2
