import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import engine
from cluster.paths import Paths
from cluster.shell import Result


def process(proc: Path, pid: int, *, state: str = "S", name: str = "dockerd", began: str = "4711") -> None:
    """Writes what the kernel would say about a process."""
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    fields = [state, *("0" for _ in range(18)), began, "0"]
    (folder / "stat").write_text(f"{pid} (a (strange) name) {' '.join(fields)}")
    (folder / "comm").write_text(f"{name}\n")


def test_a_process_is_told_from_a_later_one_with_its_number(tmp_path: Path) -> None:
    process(tmp_path, 7, began="100")
    assert engine.start_time(7, tmp_path) == "100"
    assert engine.start_time(8, tmp_path) is None


def test_a_zombie_does_not_run(tmp_path: Path) -> None:
    process(tmp_path, 7, state="Z")
    assert engine.start_time(7, tmp_path) is None


@pytest.mark.parametrize(
    ("name", "state", "text", "stays"),
    [
        ("containerd", "S", "7", True),
        ("containerd", "Z", "7", False),  # killed, and nobody waited for it
        ("postgres", "S", "7", False),  # the number is somebody else's now
        ("containerd", "S", "8", False),  # gone
        ("containerd", "S", "", False),  # cut off while it was written
    ],
)
def test_a_stale_pid_file_is_removed_and_a_live_one_is_not(
    tmp_path: Path, name: str, state: str, text: str, stays: bool
) -> None:
    process(tmp_path / "proc", 7, name=name, state=state)
    pid_file = tmp_path / "containerd.pid"
    pid_file.write_text(text)
    engine.remove_stale(pid_file, "containerd", tmp_path / "proc")
    assert pid_file.exists() is stays


def test_an_absent_pid_file_is_fine(tmp_path: Path) -> None:
    engine.remove_stale(tmp_path / "none.pid", "containerd")


def test_only_the_engine_that_was_started_here_is_ours(paths: Paths) -> None:
    assert engine.ours(paths) is None
    paths.run.mkdir(parents=True)
    record = paths.run / "engine.json"
    record.write_text(json.dumps({"pid": os.getpid(), "start_time": engine.start_time(os.getpid())}))
    assert engine.ours(paths) is not None
    record.write_text(json.dumps({"pid": os.getpid(), "start_time": "1"}))  # the number was given out again
    assert engine.ours(paths) is None
    record.write_text("{")
    assert engine.ours(paths) is None


def test_an_engine_that_is_not_ours_is_not_stopped(paths: Paths) -> None:
    paths.run.mkdir(parents=True)
    (paths.run / "engine.json").write_text(json.dumps({"pid": os.getpid(), "start_time": "1"}))
    assert engine.stop(paths) is False


def test_the_fence_is_put_up_once(scripted: Callable[..., Any]) -> None:
    network = json.dumps([{"Id": "0123456789abcdef", "Options": {}}])
    fenced = scripted({"docker network inspect": network, "iptables -w -C": ""})
    engine.keep_traffic_here(fenced)
    assert not [call for call in fenced.calls if "-I" in call]
    bare = scripted({"docker network inspect": network, "iptables -w -I": ""})
    engine.keep_traffic_here(bare)
    assert bare.calls[-1][3:] == ("DOCKER-USER", "-i", "br-0123456789ab", "!", "-o", "br-0123456789ab", "-j", "REJECT")


def test_a_network_that_is_missing_is_made_without_a_way_out(scripted: Callable[..., Any]) -> None:
    runner = scripted({"docker network create": Result(1, "", "no")})
    with pytest.raises(Exception, match="creating the cluster's network failed"):
        engine.keep_traffic_here(runner)
    assert "com.docker.network.bridge.enable_ip_masquerade=false" in runner.calls[-1]
