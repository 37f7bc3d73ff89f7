"""The verbs on warmcron's own API, which is the real one over a made-up cluster."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from fakes.command import Done, run
from fakes.served import serve
from fakes.web import NOW, FakeCluster, FakeGuard, FakeViewer, cluster
from warmcron.api.app import Sources, create
from warmcron.core.tasks import RunRecord
from warmcron.history.model import RunRow

Ctl = Callable[..., Done]


@pytest.fixture
def source() -> FakeCluster:
    return cluster(10)


@pytest.fixture
def url(source: FakeCluster) -> Iterator[str]:
    with serve(
        create(Sources(live=source, reader=source.history, orders=source, labels=source, guard=FakeGuard()))
    ) as found:
        yield found


@pytest.fixture
def ctl(url: str) -> Ctl:
    def call(*arguments: str) -> Done:
        return run(*arguments, "--server", url)

    return call


def some_run(source: FakeCluster, state: str = "Succeeded", **changes: object) -> RunRow:
    found = next(row for row in source.history.rows.values() if row.namespace == "shop" and row.state == state)
    source.history.rows[found.run_id] = changed = replace(found, **changes)  # type: ignore[arg-type]
    return changed


def test_list_and_describe_show_what_the_api_tells(source: FakeCluster, ctl: Ctl) -> None:
    lines = ctl("list", "-n", "shop").out.splitlines()
    names = sorted(name for namespace, name in source.rows if namespace == "shop")
    assert [line.split()[0] for line in lines[1:]] == names
    assert len(ctl("list", "-A", "-o", "json").json["items"]) == len(source.rows)
    out = ctl("describe", names[0], "-n", "shop").out
    assert "Conditions:" in out
    assert "Last runs:" in out


def test_runs_are_listed_and_filtered(source: FakeCluster, ctl: Ctl) -> None:
    everything = ctl("runs", "-A", "--limit", "10000", "-o", "json").json
    assert len(everything) == len(source.history.rows)  # over several pages
    failed = ctl("runs", "-A", "--state", "Failed", "--limit", "10000", "-o", "json").json
    assert {row["state"] for row in failed} == {"Failed"}
    row = some_run(source)
    shown = ctl("runs", row.task, "-n", "shop", "--limit", "5")
    assert shown.out.splitlines()[0].split()[:4] == ["RUN", "TASK", "SCHEDULED", "TRIGGER"]
    assert len(shown.out.splitlines()) == 6
    assert ctl("runs", "-n", "shop", "--search", row.run_id, "-o", "name").out == f"{row.run_id}\n"
    later = ctl("runs", "-A", "--since", "2100-01-01T00:00:00Z")
    assert (later.code, later.out, later.err) == (0, "", "no runs\n")


def test_a_search_that_stopped_is_gone_on_with(source: FakeCluster, ctl: Ctl) -> None:
    row = some_run(source)
    source.history.stops = row.scheduled + 1
    found = ctl("runs", "-A", "--search", row.run_id, "-o", "name")
    assert (found.out, found.err) == (f"{row.run_id}\n", "")


def test_logs_are_printed_and_followed_to_the_end(source: FakeCluster, ctl: Ctl) -> None:
    row = some_run(source)
    source.history.lines.pop(row.run_id, None)
    for number in range(3):
        source.history.say(row.run_id, f"line {number}", at=row.scheduled)
    expected = "line 0\nline 1\nline 2\n"
    assert ctl("logs", row.run_id).out == expected
    assert ctl("logs", "-f", row.run_id).out == expected
    assert ctl("logs", "--timestamps", row.run_id).out.splitlines()[0].endswith("Z line 0")


def test_a_long_log_is_read_in_pages(source: FakeCluster, ctl: Ctl) -> None:
    row = some_run(source)
    source.history.lines.pop(row.run_id, None)
    for number in range(2500):
        source.history.say(row.run_id, str(number), at=row.scheduled)
    assert ctl("logs", row.run_id).out.split() == [str(number) for number in range(2500)]


@pytest.mark.parametrize("verb", ["logs", "describe", "cancel", "retry"])
def test_a_run_may_be_named_with_its_namespace_and_with_no_other(source: FakeCluster, ctl: Ctl, verb: str) -> None:
    row = some_run(source)
    wrong = ctl(verb, row.run_id, "-n", "elsewhere")
    assert (wrong.code, source.orders) == (1, [])
    assert f"no run {row.run_id} in namespace elsewhere: it is one of namespace shop" in wrong.err
    right = ctl(verb, row.run_id, "-n", "shop")
    assert right.code == 0, right.err
    assert len(source.orders) == (verb in ("cancel", "retry"))


def test_orders_reach_the_cluster(source: FakeCluster, ctl: Ctl) -> None:
    row = some_run(source)
    assert ctl("suspend", row.task, "-n", "shop").out == f"scheduledtasks/{row.task} suspended\n"
    run_id = ctl("trigger", row.task, "-n", "shop", "--payload", '{"a": 1}').out.strip()
    again = ctl("retry", row.run_id).out.strip()
    assert run_id
    assert again not in ("", run_id, row.run_id)
    task = f"shop/{row.task}"
    assert source.orders == [("suspend", task), ("trigger", task, "{'a': 1}"), ("trigger", task, "None")]


def test_labels_choose_tasks_and_the_runs_of_them(source: FakeCluster, ctl: Ctl) -> None:
    source.labels["shop", "stock-sync"] = {"team": "stock", "tier": "1"}
    source.labels["shop", "price-feed"] = {"team": "prices"}
    source.labels["ops", "backup-verify"] = {"team": "stock"}
    assert ctl("list", "-n", "shop", "-l", "team", "-o", "name").out.split() == [
        "scheduledtasks/price-feed",
        "scheduledtasks/stock-sync",
    ]
    assert ctl("list", "-n", "shop", "-l", "team=stock,tier!=1", "-o", "name").out == ""
    rows = ctl("runs", "-A", "-l", "team in (stock)", "--limit", "10000", "-o", "json").json
    assert {(row["namespace"], row["task"]) for row in rows} == {("shop", "stock-sync"), ("ops", "backup-verify")}
    assert ctl("runs", "-n", "shop", "-l", "nobody=has").err == "no runs\n"
    done = ctl("suspend", "-A", "-l", "team=stock")
    assert done.out.splitlines() == ["scheduledtasks/backup-verify suspended", "scheduledtasks/stock-sync suspended"]
    assert ctl("resume", "-n", "shop", "-l", "team=stock").out == "scheduledtasks/stock-sync resumed\n"
    assert source.orders == [
        ("suspend", "ops/backup-verify"),
        ("suspend", "shop/stock-sync"),
        ("resume", "shop/stock-sync"),
    ]


def test_describe_of_a_run_that_only_memory_has_says_so_and_tells_no_attempts(source: FakeCluster, ctl: Ctl) -> None:
    row = some_run(source)
    source.remembered[row.run_id] = source.history.rows.pop(row.run_id)
    early = ctl("describe", row.run_id)
    source.history.broken = "connection refused"
    away = ctl("describe", row.run_id)
    for done, why in ((early, "Not in the history yet:"), (away, "The history cannot be read (connection refused):")):
        assert (done.code, f"Task:      shop/{row.task}\n" in done.out) == (0, True)
        assert f"\n{why} this is what the operator remembers of the run." in done.out
        assert "Attempts:" not in done.out
        assert "Log:" not in done.out
    assert ctl("describe", row.run_id, "-o", "json").json["source"] == "Memory"


def test_the_log_of_a_run_is_followed_only_once_the_history_has_the_run(source: FakeCluster, ctl: Ctl) -> None:
    source.late = 3
    done = ctl("trigger", "stock-sync", "-n", "shop", "--follow", "--timeout", "30")
    assert (done.code, done.out.splitlines()[1:], done.err) == (0, ["the first line"], "Succeeded\n")


def test_a_log_that_cannot_be_followed_is_said_at_once(
    source: FakeCluster, ctl: Ctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.late = 1_000_000
    trigger = source.trigger

    async def trigger_and_break(*arguments: Any, **named: Any) -> str:
        run_id = await trigger(*arguments, **named)
        source.history.broken = "connection refused"
        return run_id

    monkeypatch.setattr(source, "trigger", trigger_and_break)
    done = ctl("trigger", "stock-sync", "-n", "shop", "--follow")
    assert (done.code, "has no log that could be followed: connection refused" in done.err) == (1, True)


def test_describe_of_a_run_says_where_each_attempt_went_and_why(source: FakeCluster, ctl: Ctl) -> None:
    run_id = next(run_id for run_id, rows in source.history.attempt_rows.items() if len(rows) > 1)
    out = ctl("describe", run_id).out
    assert "State:" in out
    assert "Trace:" in out
    table, _, log = out.partition("Attempts:\n")[2].partition("\n\nLog:\n")
    attempts = table.splitlines()[1:]
    assert [line.split()[0] for line in attempts] == ["1", "2", "3", "4"]
    assert "\nTraceback:\n  Traceback (most recent call last):\n" in out
    assert [line.split("] ")[1] for line in log.splitlines()][-1] == "TimeoutError: no answer within 30 s"
    assert all("full: 4 runs" in line and "LeastLoaded" in line for line in attempts)
    assert ctl("describe", run_id, "-o", "json").json["run"]["runId"] == run_id
    gone = ctl("describe", "00000000-0000-5000-8000-000000000000")
    assert (gone.code, "run 00000000-0000-5000-8000-000000000000 is not there" in gone.err) == (1, True)
    wide = ctl("runs", "-A", "--search", run_id, "-o", "wide").out.splitlines()
    assert wide[0].split()[-1] == "TRACE"


def test_describe_of_a_tick_is_its_run_with_all_of_its_log(source: FakeCluster, ctl: Ctl) -> None:
    row = some_run(source, trigger="Schedule")
    source.history.lines.pop(row.run_id, None)
    for number in range(30):
        source.history.say(row.run_id, f"line {number}", at=row.scheduled)
    tick = datetime.fromtimestamp(row.scheduled, timezone(timedelta(hours=8))).isoformat()
    done = ctl("describe", row.task, "-n", "shop", "--tick", tick)
    assert done.out.splitlines()[0].split() == ["Run:", row.run_id]
    assert done.out.partition("\nLog:\n")[2].count("line") == 30
    assert ctl("describe", row.task, "-n", "shop", "--tick", tick, "-o", "json").json["lines"][29]["text"] == "line 29"
    last = ctl("describe", row.run_id).out
    assert f"Log, the last 20 lines of it (all: warmcron logs {row.run_id}):\n" in last
    assert last.count(" line ") == 20
    never = ctl("describe", row.task, "-n", "shop", "--tick", "2036-01-01T00:00:00Z")
    assert (never.code, "still to come" in never.err) == (1, True)


def test_a_log_can_be_cut_to_its_end_and_say_where_each_line_is_from(source: FakeCluster, ctl: Ctl) -> None:
    run_id = next(run_id for run_id, rows in source.history.attempt_rows.items() if len(rows) > 1)
    pod = source.history.attempt_rows[run_id][0].pod_name
    source.history.lines.pop(run_id, None)
    for number in range(3):
        source.history.say(run_id, f"line {number}", at=NOW)
    for follow in ((), ("-f",)):
        assert ctl("logs", run_id, "--tail", "2", *follow).out == "line 1\nline 2\n"
        assert ctl("logs", run_id, "--tail", "1", "--prefix", *follow).out == f"[1 {pod}] line 2\n"


def test_a_skip_says_how_many_ticks_it_stands_for_and_times_may_be_ago(source: FakeCluster, ctl: Ctl) -> None:
    now = datetime.now(UTC).timestamp()
    row = replace(some_run(source), state="Skipped", scheduled=now - 1800.0, skipped_ticks=35, reason="Missed")
    older = replace(row, run_id="older", scheduled=now - 5400.0)
    source.history.rows = {row.run_id: row, "older": older}
    rows = ctl("runs", "-n", "shop", "--since", "1h").out.splitlines()[1:]
    assert [line.split()[0] for line in rows] == [row.run_id]
    assert rows[0].endswith("Missed (35 ticks)")
    assert ctl("runs", "-n", "shop", "--since", "1h", "--trigger", "Manual").err == "no runs\n"
    assert ctl("runs", "-n", "shop", "--since", "1d12h", "--until", "45m", "-o", "name").out == "older\n"


def test_a_run_that_goes_on_is_told_to_stop(source: FakeCluster, ctl: Ctl) -> None:
    row = (
        some_run(source, state="Running")
        if any(found.state == "Running" and found.namespace == "shop" for found in source.history.rows.values())
        else some_run(source, finished=None)
    )
    done = ctl("cancel", row.run_id)
    assert (done.code, done.out, done.err) == (0, "", f"run {row.run_id} is told to stop\n")
    assert source.orders[-1][0] == "cancel"


def test_workers_show_what_they_run_and_can(source: FakeCluster, ctl: Ctl) -> None:
    done = ctl("workers", "-A")
    assert len(done.out.splitlines()) == len(source.workers_rows) + 1
    heads, first = done.out.splitlines()[:2]
    assert "VERSION" in heads
    assert "/" in first
    assert source.workers_rows[0].version in done.out
    source.workers_rows[0] = chosen = replace(source.workers_rows[0], labels=(("app", "reports"),))
    assert ctl("workers", "-A", "-l", "app=reports", "-o", "name").out == f"pod/{chosen.name}\n"
    assert "and what was asked for" in ctl("workers", "-A", "-l", "app=nobody").err


def test_doctor_uses_what_the_workers_say_of_themselves(source: FakeCluster, ctl: Ctl) -> None:
    row = some_run(source)
    (first, second, *_) = source.workers_rows
    there: dict[str, Any] = {"namespace": "shop", "pool": row.pool, "state": "Ready", "reason": "", "runs": ()}
    source.workers_rows[:] = [
        replace(first, **there, handlers=("something-else",)),
        replace(second, **{**there, "runs": ("r-1",)}, capacity=1, handlers=None),
    ]
    done = ctl("doctor", row.task, "-n", "shop")
    assert done.code == 1
    assert f"!!  no worker of pool {row.pool} can take it: WorkersBusy" in done.out
    assert f"--  {first.name} is passed over: it has no handler {row.handler!r}; it has something-else" in done.out
    assert f"--  {second.name} is passed over: full: 1 of 1 runs" in done.out
    program = ctl("doctor", row.task, "-n", "shop", "-o", "json")
    told = json.loads(program.out)
    assert (program.code, told["canRun"], told["name"]) == (1, False, row.task)
    assert {"weight": "stops", "text": f"no worker of pool {row.pool} can take it: WorkersBusy"} in told["findings"]


def test_a_server_with_a_guard_wants_a_token(source: FakeCluster) -> None:
    guard = FakeGuard({"t": FakeViewer("ann", scope=("shop",))})
    with serve(create(Sources(live=source, reader=source.history, orders=source, labels=source, guard=guard))) as url:
        refused = run("list", "--server", url)
        assert refused.code == 1
        assert "send a bearer token" in refused.err
        seen = run("list", "-A", "-o", "json", "--server", url, "--token", "t").json["items"]
        assert {item["namespace"] for item in seen} == {"shop"}


MISTAKES = [
    (["describe", "nobody", "-n", "shop"], 1, "task shop/nobody is not there, or you may not see it"),
    (["logs", "nothing"], 1, "run nothing is not there"),
    (["cancel", "nothing"], 1, "run nothing is not there"),
    (["list", "-l", "a=b=c"], 1, "selector: 'a=b=c' is no requirement"),
    (["runs", "-A", "-l", "a in b"], 1, "selector: 'a in b' is no requirement"),
    (["runs", "--since", "yesterday"], 2, "--since: 'yesterday' is not an instant"),
    (["runs", "--since", "2w"], 2, "or how long ago, such as 90m, 2h or 1d12h"),
    (["workers", "-l", "a=b=c"], 1, "selector: 'a=b=c' is no requirement"),
    (["describe", "x", "--tick", "3h"], 2, "--tick: '3h' is not an instant"),
    (["runs", "--state", "Gone"], 1, "state"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES)
def test_a_mistake_is_told_in_words(ctl: Ctl, arguments: list[str], code: int, words: str) -> None:
    done = ctl(*arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_server_that_is_gone_and_a_history_that_is_down(source: FakeCluster, ctl: Ctl) -> None:
    assert "does not answer" in run("runs", "--server", "http://127.0.0.1:9").err
    source.history.broken = "the database is away"
    done = ctl("runs")
    assert done.code == 1
    assert "the database is away" in done.err


def embedded(tmp_path: Path, url: str, pid: int) -> None:
    (tmp_path / ".warmcron").mkdir()
    (tmp_path / ".warmcron" / "server.json").write_text(json.dumps({"url": url, "pid": pid, "version": "x"}))


def test_in_the_folder_of_a_running_dev_the_verbs_speak_to_it(tmp_path: Path, url: str, source: FakeCluster) -> None:
    embedded(tmp_path, url, os.getpid())
    assert len(run("list", "-A", "-o", "json").json["items"]) == len(source.rows)
    assert run("runs", "--limit", "3", "-o", "json").json  # runs of every namespace: it has but one user
    plugin = run("list", program="kubectl-warmcron")
    assert "no cluster" in plugin.err  # kubectl means a cluster


def test_ctrl_c_ends_what_follows_without_a_traceback(source: FakeCluster, url: str) -> None:
    row = some_run(source, state="Succeeded")
    source.history.rows[row.run_id] = replace(row, state="Running", finished=None)
    source.history.say(row.run_id, "so far", at=row.scheduled)
    command = [sys.executable, "-c", "from warmcron.cli.main import main; main()", "logs", "-f", row.run_id]
    process = subprocess.Popen(
        [*command, "--server", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        while process.stdout.readline() != "so far\n":
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (130, "")
    finally:
        process.kill()  # one that goes on would keep the server from stopping


def test_a_dev_that_was_killed_is_not_spoken_to(tmp_path: Path, url: str) -> None:
    embedded(tmp_path, url, 2**22 + 1)  # no such process
    assert "no cluster" in run("list").err


def test_a_task_is_described_and_run_while_the_history_is_away(source: FakeCluster, ctl: Ctl) -> None:
    row = some_run(source)
    tick = int(row.scheduled)
    record = RunRecord(row.run_id, tick, "Schedule", "Failed", "HandlerFailed", "pod-a", 2, row.started, 1)
    source.recent[row.namespace, row.task] = (record,)
    source.history.broken = "connection refused"
    done = ctl("describe", row.task, "-n", row.namespace)
    assert done.code == 0, done.err
    assert any(line.split()[0] == row.run_id and "HandlerFailed" in line for line in done.out.splitlines() if line)
    done = ctl("trigger", row.task, "-n", row.namespace)
    assert done.code == 0, done.err
    assert source.orders[-1][0] == "trigger"
