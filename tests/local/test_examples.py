"""Every example runs in the embedded mode as its folder is; only its schedules are made quicker."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.session import Session

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.parent for path in EXAMPLES.glob("*/task.yaml"))
# What starts a worker that does not use the SDK.
COMMANDS = {
    "plain-worker": "python3 -u worker.py {port}",
    "shell-worker": "perl worker.pl {port} handlers",
}


def named(folder: Path, kind: str) -> list[dict[str, Any]]:
    found = [one for path in sorted(folder.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]
    return [one for one in found if one["kind"] == kind]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_tasks_succeed_without_a_cluster(folder: Path, start: Callable[..., Session], tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / folder.name)
    file = tmp_path / folder.name / "task.yaml"
    file.write_text(re.sub(r'schedule: "[^"]*"', 'schedule: "*/12 * * * * *"', file.read_text()))
    command = COMMANDS.get(folder.name)
    session = start(folder.name, *(["--command", command] if command else []))
    for task in named(folder, "ScheduledTask"):
        name = task["metadata"]["name"]
        session.says(rf"{name}: Succeeded")
    assert "Failed" not in session.output
    assert session.stop() == 0


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_manifests_hold_the_files_that_are_shown(folder: Path) -> None:
    for config in named(folder, "ConfigMap"):
        for name, content in config["data"].items():
            (shown,) = folder.rglob(name)
            assert content == shown.read_text()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_tasks_name_the_pool_of_its_deployment(folder: Path) -> None:
    (deployment,) = named(folder, "Deployment")
    pool = deployment["spec"]["template"]["metadata"]["labels"]["warmcron.dev/pool"]
    assert {task["spec"]["pool"] for task in named(folder, "ScheduledTask")} == {pool}
