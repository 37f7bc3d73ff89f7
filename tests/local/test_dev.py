"""The embedded mode, from its first line to its last: a real process tree that is started, broken and stopped."""

import json
import os
import signal
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.waiting import eventually
from local.session import Session, running, task

Start = Callable[..., Session]


def test_the_built_in_example_runs_soon_after_the_banner_and_ctrl_c_leaves_nothing(start: Start) -> None:
    session = start()
    session.says(r"^warmcron .* embedded mode")
    session.says(r"hello: Succeeded")
    session.says(r"hello \| hello warm pods, from demo-\d")
    with urllib.request.urlopen(session.server["url"] + "/metrics") as answer:  # noqa: S310 - its own URL
        assert b"warmcron_runs_total" in answer.read()
    with urllib.request.urlopen(session.server["url"] + "/tasks") as answer:  # noqa: S310 - its own URL
        assert b"hello" in answer.read()
    status, tasks = session.api("GET", "/tasks")
    assert (status, {one["name"] for one in tasks["items"]}) == (200, {"hello", "report", "flaky"})
    assert "hello" in session.remembered("Succeeded")
    tree = session.tree()
    assert len(tree) >= 3  # two workers and their keeper, and what handlers with processes of their own need
    assert session.stop() == 0
    assert not [pid for pid in tree if running(pid)]
    assert not (session.folder / ".warmcron" / "server.json").exists()


def test_a_run_moves_to_another_worker_when_its_own_is_killed_and_says_why(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(
        task("slow", schedule="*/2 * * * * *", handler="sleep", payload="{seconds: 8}")
    )
    session = start("tasks.yaml")
    name = session.says(r"slow: started on (demo-\d)$")[1]
    pid = int(session.says(rf"worker {name} is ready \(process (\d+)")[1])
    os.kill(pid, signal.SIGKILL)
    session.says(rf"worker {name} \(process {pid}\) killed by SIGKILL; 1 run goes elsewhere")
    other = session.says(r"slow: Succeeded on (demo-\d) in .* at attempt 2")[1]
    assert other != name
    session.says(rf"worker {name} is ready", times=2)  # and the worker is replaced
    assert session.stop() == 0


def test_a_second_start_goes_on_where_the_first_stopped(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(task("tick"))
    first = start("tasks.yaml")
    first.says("tick: Succeeded", times=2)
    assert first.stop() == 0
    before = first.status("tick")
    assert before["succeeded"] >= 2
    second = start("tasks.yaml")
    second.says(r"State .* \(start 2\)")
    second.says("tick: Succeeded", times=2)
    assert second.stop() == 0
    after = second.status("tick")
    assert after["succeeded"] >= before["succeeded"] + 2
    assert second.state["tasks"]["default/tick"]["uid"] == first.state["tasks"]["default/tick"]["uid"]
    assert after["lastScheduleTime"] > before["lastScheduleTime"]


def test_a_run_that_a_crash_interrupted_is_finished_by_the_next_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(task("slow", schedule="@every 1s", handler="sleep", payload="{seconds: 2}"))
    first = start("tasks.yaml")
    first.says("slow: started on")
    run = eventually(lambda: (first.status("slow").get("active") or [None])[0], "the run is written down")
    workers = first.tree()
    first.process.kill()  # SIGKILL: nothing is cleaned up but by the keeper
    eventually(lambda: not [pid for pid in workers if running(pid)], "its workers end, too")
    second = start("tasks.yaml")
    second.says("slow: Succeeded")
    assert second.stop() == 0
    ids = [found["runId"] for found in second.status("slow")["recentRuns"]]
    assert run["runId"] in ids


def test_a_run_at_most_once_is_not_repeated_when_its_worker_is_killed(start: Start, tmp_path: Path) -> None:
    text = task("once", schedule="*/2 * * * * *", handler="sleep", payload="{seconds: 600}")
    (tmp_path / "tasks.yaml").write_text(text + "  deliveryPolicy: AtMostOnce\n")
    session = start("tasks.yaml")
    name = session.says(r"once: started on (demo-\d)$")[1]
    (run,) = session.status("once")["active"]  # written down before it was sent
    assert run["podName"] == name
    os.kill(int(session.says(rf"worker {name} is ready \(process (\d+)")[1]), signal.SIGKILL)
    session.says(r"once: Unknown on .*: worker killed by SIGKILL")
    assert session.stop() == 0


def test_missed_ticks_are_made_up_for_by_policy(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "tasks.yaml"
    file.write_text(task("tick") + "  missedRunPolicy: Skip\n")
    first = start("tasks.yaml")
    first.says("tick: Succeeded")
    assert first.stop() == 0
    state = json.loads((tmp_path / ".warmcron" / "state.json").read_text())
    state["tasks"]["default/tick"]["status"]["lastScheduleTime"] = "2026-01-01T00:00:00Z"
    state["tasks"]["default/tick"]["status"]["scheduleChangedTime"] = "2026-01-01T00:00:00Z"
    (tmp_path / ".warmcron" / "state.json").write_text(json.dumps(state))
    second = start("tasks.yaml")
    second.says(r"tick: \d+ ticks skipped: Missed")
    second.says("tick: Succeeded")
    assert second.stop() == 0


def test_files_are_read_again_when_they_change_and_a_broken_one_keeps_what_it_had(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "tasks.yaml"
    file.write_text(task("one"))
    session = start("tasks.yaml")
    session.says("one: Succeeded")
    file.write_text(task("one") + "  shedule: x\n---" + task("two"))
    session.says(r"^\S+ tasks.yaml:11: spec.shedule: unknown field; did you mean schedule\?$")
    count = session.output.count("one: Succeeded")
    session.says("one: Succeeded", times=count + 2)  # still there
    file.write_text(task("two"))
    session.says("two: Succeeded")
    eventually(lambda: "default/one" not in session.state["tasks"], "the task that is no longer declared is gone")
    assert session.stop() == 0


def test_handlers_beside_the_tasks_are_found_and_taken_up_anew_when_they_change(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(task("mine", handler="mine"))
    code = 'from warmworker import task\n\n\n@task("mine")\ndef mine():\n    print("version {}")\n'
    (tmp_path / "handlers.py").write_text(code.format("one"))
    session = start(".", "--workers", "1")
    session.says(r"Workers +1 for each pool: handlers$")
    session.says(r"mine \| version one")
    (tmp_path / "handlers.py").write_text(code.format("two"))
    session.says(r"mine \| version two")
    assert session.stop() == 0


def test_a_module_that_does_not_import_says_so_in_its_own_words(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(task("mine", handler="mine"))
    (tmp_path / "handlers.py").write_text("from warmworker import task\nimport absent_module\n")
    session = start(".", "--workers", "1")
    session.says(r"worker demo-1 did not become ready: ended with exit code 2\n.*absent_module")
    assert session.stop() == 0


def test_a_handler_that_nobody_has_fails_the_run_and_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(task("lost", handler="nobody-has-this"))
    session = start("tasks.yaml")
    session.says(r"lost: Failed .*: HandlerUnknown")
    assert session.stop() == 0


def test_a_worker_in_another_language_is_started_by_its_command(start: Start, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "plain-worker"
    (tmp_path / "worker.py").write_text((example / "worker.py").read_text())
    (tmp_path / "tasks.yaml").write_text(task("greet", handler="greet"))
    session = start(".", "--command", "python3 -u worker.py {port}", "--workers", "1")
    session.says(r"greet: Succeeded on demo-1")
    assert session.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_every_polite_signal_stops_it(start: Start, number: signal.Signals) -> None:
    session = start()
    session.says("is ready")
    session.tree()
    session.process.send_signal(number)
    assert session.ends() == 0


def test_a_second_ctrl_c_does_not_wait_for_the_workers(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(task("slow", handler="busy-sleep", payload="{seconds: 600, stubborn: true}"))
    session = start("tasks.yaml", "--grace", "300")
    session.says("slow: started on")
    session.tree()
    session.process.send_signal(signal.SIGINT)
    session.says("stopping: workers finish")
    assert session.stop() == 0


def test_a_second_instance_is_refused_and_the_first_is_named(start: Start) -> None:
    first = start()
    first.says("is ready")
    second = start()
    assert second.ends() == 2
    assert second.output == (
        f"warmcron: .warmcron is in use by process {first.process.pid}: "
        "stop it, or give this one a folder of its own with --state\n"
    )
    third = start("--state", "other")
    third.says("is ready")  # on a port that is free
    assert third.stop() == 0
    assert first.stop() == 0


def test_a_port_in_use_is_one_clear_sentence(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        session = start("--port", str(port))
        assert session.ends() == 2
    assert session.output == (
        f"warmcron: port {port} cannot be used: Address already in use; "
        "choose another with --port, or leave --port out\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # a path that is not there
        (("absent.yaml",), "absent.yaml: no such file or folder"),
        # a folder without YAML
        (("empty",), "empty: no *.yaml or *.yml in it; subfolders are not read, as with kubectl apply -f"),
        # two ways to name the worker
        (("--command", "x", "--module", "y"), "--command and --module exclude each other: the command is the worker"),
        # a program that is not there
        (("--command", "no-such-program {port}"), "--command: no-such-program: no such program, or it is not exec"),
        # quotes that do not close
        (("--command", "'x"), '--command: "\'x" is no command line: No closing quotation'),
        # a state that is not ours
        (("--state", "broken"), "broken/state.json: cannot be read: "),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    start: Start, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.json").write_text("{}")
    session = start(*arguments)
    assert session.ends() == 2
    assert session.output.startswith(f"warmcron: {message}")
    assert session.output.count("\n") == 1
