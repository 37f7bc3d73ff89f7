"""`warmcron next`: what it prints, and what a mistake looks like."""

import subprocess
import sys
from pathlib import Path

import pytest

from fakes.command import run

TASK = """
apiVersion: warmcron.dev/v1alpha1
kind: ScheduledTask
metadata: {{name: {name}, namespace: team}}
spec: {{pool: p, handler: h, {spec}}}
---
"""


def manifest(tmp_path: Path, *specs: str) -> Path:
    file = tmp_path / "tasks.yaml"
    file.write_text("".join(TASK.format(name=f"task-{n}", spec=spec) for n, spec in enumerate(specs)))
    return file


def upcoming(*arguments: str) -> list[str]:
    found: list[str] = run("next", "-o", "json", "--after", "2026-11-24T10:00:00Z", *arguments).json
    return found


ROWS = [
    (["--schedule", "*/15 * * * *", "--count", "2"], ["2026-11-24T10:15:00Z", "2026-11-24T10:30:00Z"]),
    (["-s", "*/20 * * * * *", "-c", "2"], ["2026-11-24T10:00:20Z", "2026-11-24T10:00:40Z"]),
    (["-s", "0 8 * * *", "--time-zone", "Asia/Tokyo", "-c", "1"], ["2026-11-24T23:00:00Z"]),
    # counted from --after unless a creation is given
    (["-s", "@every 1h", "-c", "1"], ["2026-11-24T11:00:00Z"]),
    (["-s", "@every 1h", "-c", "1", "--created", "2026-11-01T00:10:00+00:00"], ["2026-11-24T10:10:00Z"]),
    (["-s", "H H * * *", "-c", "1", "--name", "team/report"], ["2026-11-25T07:20:00Z"]),
    # the clocks of Berlin are an hour ahead here: both are the same instant
    (["-s", "0 0 1 1 *", "-c", "1", "--after", "2026-12-31T23:59:59+01:00"], ["2027-01-01T00:00:00Z"]),
    (
        ["-s", "30 2 * * *", "-c", "2", "--time-zone", "Europe/Berlin", "--after", "2026-10-24T12:00:00Z",
         "--daylight-saving-policy", "Literal"],
        ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
    ),
    # RFC 3339 has small letters too, and a fraction lies after its second, before 1970 as well
    (["-s", "* * * * * *", "-c", "1", "--after", "1969-12-31t23:59:58.5z"], ["1969-12-31T23:59:59Z"]),
    # a value may begin with a dash, or a star with one
    (["-s", "*-5 * * * *", "-c", "1"], ["2026-11-24T10:01:00Z"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), ROWS)
def test_json_is_a_list_of_instants_in_utc(arguments: list[str], expected: list[str]) -> None:
    assert upcoming(*arguments) == expected


def test_the_tasks_of_a_file_are_read_with_their_own_zone_and_policy(tmp_path: Path) -> None:
    one = manifest(tmp_path, "schedule: '30 2 * * *', timeZone: Europe/Berlin")
    assert upcoming("-f", str(one), "--after", "2027-03-28T00:00:00Z", "-c", "1") == ["2027-03-28T01:00:00Z"]


def test_several_tasks_are_an_object_by_name(tmp_path: Path) -> None:
    two = manifest(tmp_path, "schedule: '@daily'", "schedule: '@hourly'")
    assert run("next", "-f", str(two), "-c", "1", "-o", "json", "--after", "2026-11-24T10:00:00Z").json == {
        "team/task-0": ["2026-11-25T00:00:00Z"],
        "team/task-1": ["2026-11-24T11:00:00Z"],
    }


def test_the_table_shows_utc_and_the_zone_s_own_clock() -> None:
    done = run("next", "-s", "30 2 * * *", "--time-zone", "Europe/Berlin", "--after", "2027-03-27T12:00:00Z", "-c", "1")
    assert done.out.splitlines() == [
        "UTC                    LOCAL",
        "2027-03-28T01:00:00Z   Sun 2027-03-28 03:00:00 +0200 CEST",
    ]


def test_a_suspended_task_is_shown_with_a_word_beside_the_data(tmp_path: Path) -> None:
    done = run("next", "-f", str(manifest(tmp_path, "schedule: '@daily', suspend: true")), "-o", "json")
    assert len(done.json) == 10
    assert done.err == "team/task-0 is suspended: none of these will start\n"


MISTAKES = [
    (["-s", "61 * * * *"], "warmcron: spec.schedule: '61': the minute field has 0 to 59"),
    (["-s", "0 0 30 2 *"], "warmcron: spec.schedule: no date ever matches; the days and months exclude each other"),
    (["-s", "R * * * *"], "warmcron: spec.schedule: 'R' is not read in the minute field"),
    (["-s", ""], "warmcron: spec.schedule: expected 5 fields"),
    (["-s", "@daily", "--time-zone", "Mars/Olympus"], "warmcron: spec.timeZone: 'Mars/Olympus' is not a time zone"),
    (["-s", "@daily", "--after", "tomorrow"], "warmcron: --after: 'tomorrow' is not an instant; expected RFC 3339"),
    (["-s", "@daily", "--after", "2026-11-24T10:00:00"], "warmcron: --after:"),  # nobody's zone
    (["-s", "@daily", "--after", "9999-12-31T23:59:59Z"], "warmcron: --after:"),
    (["-s", "@daily", "--created", "2026"], "warmcron: --created:"),
    (["-s", "@daily", "--name", "report"], "warmcron: --name: 'report' is not a task; expected NAMESPACE/NAME"),
    (["-s", "-5 * * * *"], "warmcron: spec.schedule: '-5' is not read in the minute field"),
    (["-s", "@daily", "--after", ""], "warmcron: --after:"),
    (["-s", "@daily", "--count", "0"], "warmcron: --count: 0 is not a number from 1 to 10000"),
    (["-s", "@daily", "--count", "-1"], "warmcron: --count: -1 is not a number"),
    (["-s", "@daily", "--count", "10001"], "warmcron: --count: 10001 is not a number"),
    # a calendar ends somewhere
    (
        ["-s", "@every 2562047h", "-c", "100", "--after", "2026-11-24T10:00:00Z"],
        "warmcron: --count: tick 24 lies beyond",
    ),
    (
        ["-s", "0 0 29 2 *", "-c", "10000", "--after", "2026-11-24T10:00:00Z"],
        "warmcron: --count: tick 1692 lies beyond",
    ),
    ([], "warmcron: --schedule or --file: give one of them"),
    (["-f", "/nowhere/x.yaml"], "warmcron: /nowhere/x.yaml:1: cannot be read: No such file or directory"),
]


@pytest.mark.parametrize(("arguments", "line"), MISTAKES)
def test_a_mistake_is_one_line_that_names_the_field_and_exit_code_2(arguments: list[str], line: str) -> None:
    done = run("next", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(line)
    assert done.err.count("\n") == 1


FILES = [
    ("schedule: '61 * * * *'", "tasks.yaml:5: spec.schedule: not a schedule"),
    ("schedule: '0 0 30 2 *'", "tasks.yaml:5: spec.schedule: no date ever matches"),
    ("schedule: 'TZ=UTC 0 0 * * *'", "tasks.yaml:5: spec.schedule: a TZ= prefix"),
    ("schedule: '@daily', timeZone: Local", "tasks.yaml:5: spec.timeZone: not a time zone"),
    ("schedule: '@daily', timeZone: Europe/Atlantis", "tasks.yaml:5: spec.timeZone: 'Europe/Atlantis' is not"),
    ("timeZone: UTC", "tasks.yaml:5: spec.schedule: missing"),
    ("schedule: '@daily', shedule: x", "tasks.yaml:5: spec.shedule: unknown field; did you mean schedule?"),
    ("schedule: '@daily'}\n}", "tasks.yaml:6: not YAML"),
]


@pytest.mark.parametrize(("spec", "words"), FILES)
def test_a_mistake_in_a_file_is_one_line_with_its_place(tmp_path: Path, spec: str, words: str) -> None:
    done = run("next", "-f", str(manifest(tmp_path, spec)))
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_what_kubectl_get_writes_of_several_tasks_is_read(tmp_path: Path) -> None:
    one = TASK.format(name="one", spec="schedule: '@daily'").replace("---", "").strip().replace("\n", "\n    ")
    two = one.replace("name: one", "name: two").replace("@daily", "61 * * * *")
    file = tmp_path / "list.yaml"
    file.write_text(f"apiVersion: v1\nkind: List\nitems:\n  - {one}\n")
    assert upcoming("-f", str(file), "-c", "1") == ["2026-11-25T00:00:00Z"]
    file.write_text(f"apiVersion: v1\nkind: List\nitems:\n  - {one}\n  - {two}\n")
    assert f"{file}:11: spec.schedule: not a schedule" in run("next", "-f", str(file)).err


def test_a_file_that_means_harm_is_refused_and_not_unfolded(tmp_path: Path) -> None:
    file = tmp_path / "bomb.yaml"
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))
    file.write_text(f"l0: &l0 [x]\n{levels}\n")
    done = run("next", "-f", str(file))
    assert (done.code, done.err) == (2, f"warmcron: {file}:1: not YAML: more than 200,000 fields in one document\n")


def test_a_file_without_a_task_says_so(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    done = run("next", "-f", str(file))
    assert (done.code, done.err) == (2, f"warmcron: {file}: no ScheduledTask in it\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["next", "-s", "@daily", "-c", "1", "--after", "2026-11-24T10:00:00Z"], 0, "2026-11-25T00:00:00Z"),
        (["next", "-s", "nonsense"], 2, "spec.schedule"),
        (["next", "--count", "zero"], 2, "--count"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_the_real_process_ends_with_the_same_codes_and_no_traceback(
    arguments: list[str], code: int, words: str
) -> None:
    command = [sys.executable, "-c", "from warmcron.cli.main import main; main()", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == code
    assert words in (done.stdout if code == 0 else done.stderr)
    assert "Traceback" not in done.stderr


def test_a_verb_loads_nothing_that_only_other_verbs_need() -> None:
    heavy = "{'fastapi', 'sqlalchemy', 'alembic', 'uvicorn', 'kopf', 'kubernetes'}"
    code = f"import sys, warmcron.cli.main; print(*sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_task_is_read_from_standard_input(tmp_path: Path) -> None:
    text = manifest(tmp_path, "schedule: '@yearly'").read_text()
    command = [sys.executable, "-c", "from warmcron.cli.main import main; main()", "next", "-f", "-", "-c", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, input=text)
    assert "-01-01T00:00:00Z" in done.stdout


def test_what_is_no_text_on_standard_input_is_a_mistake() -> None:
    command = [sys.executable, "-c", "from warmcron.cli.main import main; main()", "next", "-f", "-"]
    done = subprocess.run(command, capture_output=True, check=False, input=b"\xff\xfe")
    assert done.returncode == 2
    assert done.stderr == b"warmcron: standard input:1: not UTF-8: invalid start byte at byte 0\n"


def test_help_reads_as_the_program_was_called() -> None:
    assert "Usage: warmcron next" in run("next", "--help").out
    assert "Usage: kubectl warmcron next" in run("next", "--help", program="/usr/bin/kubectl-warmcron").out
    assert run("next", "-s", "x", program="kubectl-warmcron").err.startswith("kubectl warmcron: spec.schedule")
