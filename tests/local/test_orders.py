"""What the API and the dashboard can ask of the embedded mode: run now, suspend, resume, stop, run again."""

from collections.abc import Callable
from pathlib import Path

from fakes.waiting import eventually
from local.session import Session, task

Start = Callable[..., Session]
YEARLY = "0 0 1 1 *"


def begin(start: Start, folder: Path, text: str) -> Session:
    (folder / "tasks.yaml").write_text(text)
    session = start("tasks.yaml")
    session.says("is ready")
    return session


def test_a_task_is_run_now_with_a_payload_of_its_own_and_its_log_is_kept(start: Start, tmp_path: Path) -> None:
    session = begin(start, tmp_path, task("hello", schedule=YEARLY))
    status, ordered = session.api("POST", "/tasks/default/hello/trigger", {"payload": {"name": "you"}})
    assert status == 202
    run = session.run(ordered["runId"], "Succeeded")
    assert (run["trigger"], run["result"]["greeting"]) == ("Manual", "hello you")
    eventually(lambda: session.api("GET", f"/runs/{ordered['runId']}/logs")[1]["items"], "its line")
    status, again = session.api("POST", f"/runs/{ordered['runId']}/retry")
    assert session.run(again["runId"], "Succeeded")["result"]["greeting"] == "hello you"
    assert session.stop() == 0


def test_a_task_is_suspended_and_resumed_also_over_a_restart(start: Start, tmp_path: Path) -> None:
    session = begin(start, tmp_path, task("tick"))
    session.says("tick: Succeeded")
    assert session.api("POST", "/tasks/default/tick/suspend")[0] == 204
    eventually(
        lambda: session.api("GET", "/tasks/default/tick")[1]["task"]["flags"] == ["Suspended"], "it is suspended"
    )
    assert session.stop() == 0
    session = start("tasks.yaml")
    session.says("is ready")
    eventually(lambda: session.api("GET", "/tasks/default/tick")[1]["task"]["flags"] == ["Suspended"], "it stays so")
    assert "tick: started" not in session.output
    assert session.api("POST", "/tasks/default/tick/resume")[0] == 204
    session.says("tick: Succeeded")
    assert "Missed" not in session.output  # time while suspended is not missed
    assert session.stop() == 0


def test_a_run_that_goes_on_is_stopped(start: Start, tmp_path: Path) -> None:
    session = begin(start, tmp_path, task("slow", schedule=YEARLY, handler="sleep", payload="{seconds: 600}"))
    run_id = session.api("POST", "/tasks/default/slow/trigger")[1]["runId"]
    session.run(run_id, "Running")
    assert session.api("POST", f"/runs/{run_id}/cancel")[0] == 202
    session.run(run_id, "Cancelled")
    assert session.api("POST", f"/runs/{run_id}/cancel")[0] == 409
    assert session.stop() == 0


def test_what_is_not_there_and_who_does_not_sit_here_is_refused(start: Start, tmp_path: Path) -> None:
    session = begin(start, tmp_path, task("hello", schedule=YEARLY))
    assert session.api("POST", "/tasks/default/absent/trigger")[0] == 404
    assert session.api("POST", "/runs/absent/cancel")[0] == 404
    assert session.api("GET", "/tasks", host="evil.example")[0] == 421  # another site's page, by its own name
    assert session.stop() == 0
