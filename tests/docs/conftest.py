"""A clone as a newcomer has it: every file of the repository as it is now, and nothing else."""

import shutil
import subprocess
from pathlib import Path

import pytest

from docs.blocks import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    target = tmp_path / "warmcron"
    for name in filter(None, listed.split("\0")):
        if (source := ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target
