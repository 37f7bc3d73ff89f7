"""What the repository promises about itself: generated files are fresh, and names that would do harm do not exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from warmcron.spec import crd

ROOT = Path(__file__).resolve().parents[2]
CRD_FILE = "scheduledtasks.warmcron.dev.yaml"
# Where packages, images and code come from is for each machine to say, never for a file in here.
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()


def test_operator_is_a_plain_folder_and_pythons_own_module_stays_visible() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    code = "import operator; print(operator.add(1, 2))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"


@pytest.mark.parametrize("folder", ["crds", "charts/warmcron/files"])
def test_the_definition_is_as_the_models_say(folder: str) -> None:
    assert (ROOT / folder / CRD_FILE).read_text() == crd.text(), "stale: run make generate"


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_a_lock_pins_with_hashes_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    pinned = re.findall(r"^[a-z0-9._-]+(?:\[[a-z0-9,._-]+\])?==\S+", text, re.MULTILINE)
    assert pinned
    assert text.count("--hash=sha256:") >= len(pinned)


@pytest.mark.skipif(not TRACKED, reason="not a git checkout: there is no list of files")
def test_nothing_that_is_tracked_names_an_index_or_is_a_lock_with_addresses() -> None:
    assert not [name for name in TRACKED if Path(name).name in {"uv.lock", "package-lock.json", "yarn.lock"}]
    hosts = re.compile(r"pypi\.org/simple|registry\.npmjs|proxy\.golang\.org|crates\.io|/root/|deb\.debian\.org")
    this = Path(__file__).relative_to(ROOT).as_posix()
    found = [
        name
        for name in TRACKED
        if name != this and (ROOT / name).is_file() and hosts.search((ROOT / name).read_text(errors="replace"))
    ]
    assert found == []
