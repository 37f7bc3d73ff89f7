import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import cli, lock, paths, pulling, rootfs, shell, status, work
from cluster.errors import ClusterError
from cluster.paths import Paths
from cluster.shell import Result


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "/home/me/.cache/warmcron"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/warmcron"),
        ({"XDG_CACHE_HOME": "/xdg", "WARMCRON_CACHE": "/chosen"}, "/chosen"),
    ],
)
def test_the_cache_is_where_the_environment_says(env: dict[str, str], expected: str) -> None:
    assert paths.cache_folder(env, Path("/home/me")) == Path(expected)


def test_a_program_that_is_absent_or_slow_is_a_result() -> None:
    run = shell.Shell()
    assert run.run("no-such-program-anywhere").code == 127
    assert run.run(sys.executable, "-c", "import time; time.sleep(60)", timeout=0.2).code == 124
    assert run.run(sys.executable, "-c", "import os; print(os.environ['X'])", env={"X": "1"}).out == "1\n"


def test_a_failure_shows_the_end_of_what_was_said() -> None:
    assert shell.must(Result(0, "fine", ""), "asking") == "fine"
    with pytest.raises(ClusterError, match=r"asking failed \(exit code 3\):\nline 4\n"):
        shell.must(Result(3, "", "\n".join(f"line {n}" for n in range(12))), "asking")


def test_the_second_call_waits_for_the_first(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def say(text: str) -> None:
        order.append(text)
        waiting.set()

    def second() -> None:
        with lock.held(tmp_path / "lock", say):
            order.append("second")

    thread = threading.Thread(target=second)
    with lock.held(tmp_path / "lock", order.append):
        thread.start()
        assert waiting.wait(10)
        order.append("first is done")
    thread.join()
    assert order == ["another call is at work here: waiting until it is done", "first is done", "second"]


def test_a_root_file_system_in_the_cache_is_not_made_again(tmp_path: Path, scripted: Callable[..., Any]) -> None:
    target = tmp_path / "root.tar"
    target.touch()
    runner = scripted()
    rootfs.make_node(target, runner)
    assert runner.calls == []


def test_a_root_file_system_that_could_not_be_made_does_not_appear(
    tmp_path: Path, scripted: Callable[..., Any]
) -> None:
    target = tmp_path / "cache" / "root.tar"
    with pytest.raises(ClusterError, match="Debian trixie root file system failed"):
        rootfs.make_python(target, scripted({"mmdebstrap": Result(1, "", "no keyring")}))
    assert not target.exists()


def test_an_image_is_present_when_the_engine_knows_it(scripted: Callable[..., Any]) -> None:
    assert pulling.present(scripted({"docker image inspect": "sha256:1"}), "x")
    assert not pulling.present(scripted(), "x")


def test_a_new_machine_is_seen_as_one(paths: Paths, scripted: Callable[..., Any]) -> None:
    facts = work.Machine(paths, scripted()).gather()
    assert not facts.engine
    assert not facts.has_image
    assert {"kubelet", "kind", "etcd"} <= set(facts.programs)
    assert "helm3" not in facts.programs  # the cluster does not wait for what only tests need


def test_where_the_node_image_is_cached_only_the_tools_are_missing(paths: Paths, scripted: Callable[..., Any]) -> None:
    paths.node_tar.parent.mkdir(parents=True)
    paths.node_tar.touch()
    assert work.Machine(paths, scripted()).gather().programs == ("kind", "kubectl")


def test_without_an_engine_no_cluster_is_up(paths: Paths, scripted: Callable[..., Any]) -> None:
    assert not work.is_up(paths, scripted())


def test_a_cluster_of_another_version_is_not_reused(paths: Paths, scripted: Callable[..., Any]) -> None:
    runner = scripted({"docker version": "20.10.24", "docker inspect": "true warmcron/node:v1-older"})
    assert not work.is_up(paths, runner)


def test_the_status_is_json_even_where_nothing_is_up(paths: Paths, scripted: Callable[..., Any]) -> None:
    found = json.loads(json.dumps(status.status(paths, scripted())))
    assert found["engine"]["up"] is False
    assert found["cluster"]["healthy"] is False
    assert found["images"] == {"warmcron/operator:dev": None, "warmcron/worker:dev": None}


@pytest.mark.parametrize("argv", [[], ["dance"], ["up", "--fast"]])
def test_an_unknown_verb_is_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.parser().parse_args(argv)
    assert caught.value.code == 2


def test_down_says_when_there_is_nothing(
    paths: Paths, scripted: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.down(paths, scripted(), everything=True)
    assert capsys.readouterr().err.splitlines() == [
        "no Docker engine answers, so there is no cluster",
        "no Docker engine here was started by `up`",
    ]
