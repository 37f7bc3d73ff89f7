"""The command line: what is wrong is said in one line, with what to do about it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from unit.worker.harness import ROOT, Start, order


def warmworker(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "warmworker", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "worker_image"),
            "WARMWORKER_INSECURE_ACCEPT_UNSIGNED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def mistakes(folder: Path) -> dict[str, str]:
    (folder / "without_handlers.py").write_text("")
    (folder / "broken.py").write_text("1 / 0")
    (folder / "incomplete.py").write_text("import a_library_that_is_not_here")
    (folder / "twice.py").write_text(
        "from warmworker import task\n@task('a')\ndef one(): ...\n@task('a')\ndef two(): ...\n"
    )
    (folder / "greedy.py").write_text("from warmworker import task\n@task('a')\ndef one(x, y, z): ...\n")
    return {
        "no_such_module": "cannot be found",
        "without_handlers": "No handler is registered",
        "broken": "ZeroDivisionError",
        "incomplete": "needs 'a_library_that_is_not_here'",
        "twice": "The handler name 'a' is used by twice.one and by twice.two",
        "greedy": "takes more than (payload, run)",
    }


def test_a_module_that_cannot_be_served_is_named(tmp_path: Path) -> None:
    path = f"{ROOT / 'worker_image'}{os.pathsep}{tmp_path}"
    for module, message in mistakes(tmp_path).items():
        done = warmworker("serve", module, PYTHONPATH=path)
        assert done.returncode == 2, module
        assert message in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("warmworker: ")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"WARMWORKER_PORT": "http"}, "WARMWORKER_PORT is 'http'"),
        ({"WARMWORKER_PORT": "65536"}, "from 0 to 65535"),
        ({"WARMWORKER_CONCURRENCY": "0"}, "WARMWORKER_CONCURRENCY is '0'"),
        ({"WARMWORKER_CONCURRENCY": "2.5"}, "WARMWORKER_CONCURRENCY is '2.5'"),
        ({"WARMWORKER_GRACE_SECONDS": "nan"}, "WARMWORKER_GRACE_SECONDS is 'nan'"),
        ({"WARMWORKER_LOG_FORMAT": "xml"}, "WARMWORKER_LOG_FORMAT is 'xml'"),
        ({"WARMWORKER_STATE_DIR": "/proc/nowhere"}, "cannot write to /proc/nowhere"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], named: str) -> None:
    done = warmworker("serve", "warmworker.demo", **{"WARMWORKER_PORT": "0", **environment})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert named in done.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = warmworker(
            "serve", "warmworker.demo", "--host", "127.0.0.1", "--port", port, "--state-dir", str(tmp_path)
        )
    assert done.returncode == 2
    assert f"127.0.0.1 port {port}" in done.stderr


def test_two_workers_cannot_share_a_state_directory(start: Start) -> None:
    start()
    second = start(listening=False)
    assert second.exit_code() == 2
    assert "Another worker uses the state directory" in second.log
    assert "Traceback" not in second.log


def test_the_worker_never_imports_the_operator() -> None:
    for file in (ROOT / "worker_image" / "warmworker").glob("*.py"):
        text = file.read_text()
        assert "import warmcron" not in text, file
        assert "from warmcron" not in text, file


def test_a_worker_can_live_in_another_application(start: Start) -> None:
    worker = start("mounted:application", command=("uvicorn", "--host", "127.0.0.1", "--port", "0"))
    assert worker.call("GET", "/own").body == "its own page"
    answer = worker.execute(order("hello", {"a": 1}))
    assert (answer.body["result"], answer.body["log"][0]["text"]) == ({"a": 1}, "mounted hello")
    worker.terminate()
    worker.exit_code()  # uvicorn's own: it ends by the signal
    assert "Traceback" not in worker.log


def test_a_json_log_has_one_object_a_line(start: Start) -> None:
    worker = start(WARMWORKER_LOG_FORMAT="json")
    worker.terminate()
    assert worker.exit_code() == 0
    assert {"level", "message", "time", "logger"} <= json.loads(worker.log.splitlines()[-1]).keys()
