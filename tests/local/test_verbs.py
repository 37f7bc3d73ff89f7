"""The verbs in the folder of a running `warmcron dev`: real processes that speak to a real one."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.waiting import PATIENCE
from local.session import COMMAND, Session, task

Start = Callable[..., Session]


def warmcron(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.timeout(600)
def test_the_verbs_speak_to_the_dev_of_their_folder(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(
        task("hello", schedule="@yearly").replace("{name: hello}", "{name: hello, labels: {team: shop}}")
        + "---"
        + task("broken", schedule="@yearly", handler="nobody-has-it")
    )
    session = start("tasks.yaml")
    session.says(r"worker demo-\d is ready", times=2)

    names = warmcron(tmp_path, "list", "-o", "name").stdout.split()
    assert names == ["scheduledtasks/broken", "scheduledtasks/hello"]

    followed = warmcron(tmp_path, "trigger", "hello", "--follow", "--timeout", "50")
    run_id, log = followed.stdout.splitlines()
    assert (followed.returncode, followed.stderr) == (0, "Succeeded\n"), followed
    assert log.startswith("hello world, from demo-")
    assert warmcron(tmp_path, "logs", run_id).stdout.splitlines() == [log]

    (row,) = json.loads(warmcron(tmp_path, "runs", "hello", "-o", "json").stdout)
    assert (row["runId"], row["state"], row["trigger"]) == (run_id, "Succeeded", "Manual")

    again = warmcron(tmp_path, "retry", run_id).stdout.strip()
    assert again != run_id

    assert warmcron(tmp_path, "list", "-l", "team=shop", "-o", "name").stdout == "scheduledtasks/hello\n"
    assert warmcron(tmp_path, "runs", "-l", "team=shop", "--state", "Succeeded", "-o", "name").stdout.split()
    assert warmcron(tmp_path, "runs", "-l", "!team").stderr == "no runs\n"
    assert "Attempts:" in warmcron(tmp_path, "describe", run_id).stdout

    assert warmcron(tmp_path, "suspend", "-l", "team=shop").stdout == "scheduledtasks/hello suspended\n"
    assert warmcron(tmp_path, "doctor", "hello").returncode == 1

    doctor = warmcron(tmp_path, "doctor", "broken")
    assert doctor.returncode == 1
    assert "!!  no worker of pool demo can take it: HandlerUnknown" in doctor.stdout
    assert doctor.stdout.count("is passed over: it has no handler 'nobody-has-it'") == 2

    missing = warmcron(tmp_path, "trigger", "gone")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "task default/gone is not there" in missing.stderr
    assert session.stop() == 0
    assert "no cluster" in warmcron(tmp_path, "list", "--kubeconfig", "/nowhere").stderr
