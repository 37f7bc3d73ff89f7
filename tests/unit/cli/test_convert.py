"""`warmcron convert` and `lint`: what other schedulers have, as tasks that `lint` then takes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.command import Done, run

CRONJOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "report", "namespace": "team", "labels": {"app": "billing"}},
    "spec": {
        "schedule": "*/5 9-17 * * 1-5",
        "timeZone": "Europe/Berlin",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 60,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {
            "spec": {
                "backoffLimit": 2,
                "activeDeadlineSeconds": 600,
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "serviceAccountName": "reporter",
                        "containers": [
                            {
                                "name": "main",
                                "image": "example/report:1",
                                "args": ["--region", "north"],
                                "env": [
                                    {"name": "LEVEL", "value": "info"},
                                    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                                ],
                                "resources": {"limits": {"memory": "1Gi"}},
                            }
                        ],
                    }
                },
            }
        },
    },
}


def convert(tmp_path: Path, what: str, value: Any, *arguments: str) -> Done:
    file = tmp_path / "source"
    file.write_text(json.dumps(value))
    return run("convert", what, "-f", str(file), *arguments)


def cronjob(tmp_path: Path, spec: dict[str, Any], *arguments: str) -> dict[str, Any]:
    job = {**CRONJOB, "spec": {"schedule": "@daily", "jobTemplate": {}, **spec}}
    done = convert(tmp_path, "cronjob", job, *arguments)
    assert done.code == 0, done.err
    found: dict[str, Any] = yaml.safe_load(done.out)["spec"]
    return found


def test_a_cronjob_becomes_a_task_with_the_same_fields(tmp_path: Path) -> None:
    done = convert(tmp_path, "cronjob", CRONJOB, "--pool", "reports", "--handler", "report")
    assert done.code == 0
    assert yaml.safe_load(done.out) == {
        "apiVersion": "warmcron.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": "report", "namespace": "team", "labels": {"app": "billing"}},
        "spec": {
            "schedule": "*/5 9-17 * * 1-5",
            "timeZone": "Europe/Berlin",
            "startingDeadlineSeconds": 60,
            "concurrencyPolicy": "Forbid",
            "daylightSavingPolicy": "Literal",
            "pool": "reports",
            "handler": "report",
            "backoffLimit": 2,
            "activeDeadlineSeconds": 600,
            "payload": {"args": ["--region", "north"], "env": {"LEVEL": "info"}},
            "historyLimit": 4,
        },
    }
    for words in (
        "env PASSWORD: valueFrom belongs into the pool's Deployment",
        "image example/report:1: the pool's Deployment has the code",
        "serviceAccountName, resources: belong into the pool's Deployment",
        "daylightSavingPolicy: Literal is what a CronJob does",
    ):
        assert f"CronJob report: {words}" in done.err


DEFAULTS = [
    ({}, "concurrencyPolicy", "Allow"),  # ours is Forbid
    ({}, "backoffLimit", 6),  # ours is 3
    ({}, "pool", "report"),
    ({"schedule": "1,,2 * * * *"}, "schedule", "1,,2 * * * *"),  # whatever the API server took
    ({"suspend": True}, "suspend", True),
    ({"failedJobsHistoryLimit": 50}, "historyLimit", 20),
]


@pytest.mark.parametrize(("spec", "field", "value"), DEFAULTS)
def test_what_a_cronjob_does_without_saying_so_is_written_out(
    tmp_path: Path, spec: dict[str, Any], field: str, value: object
) -> None:
    assert cronjob(tmp_path, spec)[field] == value


def test_a_list_of_cronjobs_becomes_several_documents_that_lint_takes(tmp_path: Path) -> None:
    other = {**CRONJOB, "metadata": {"name": "other"}}
    done = convert(tmp_path, "cronjob", {"kind": "List", "items": [CRONJOB, other, {"kind": "Pod"}]})
    tasks = tmp_path / "tasks.yaml"
    tasks.write_text(done.out)
    linted = run("lint", "-f", str(tasks))
    assert linted.code == 0
    assert [line.split(": ", 1)[1] for line in linted.out.splitlines()] == [
        "team/report is fine",
        "default/other is fine",
    ]


def test_a_cronjob_that_never_runs_is_not_converted(tmp_path: Path) -> None:
    job = {**CRONJOB, "spec": {"schedule": "0 0 31 2 *", "jobTemplate": {}}}
    done = convert(tmp_path, "cronjob", job)
    assert (done.code, done.out) == (1, "")
    assert "CronJob report: NOT CONVERTED: spec.schedule: no date ever matches" in done.err


XXL: dict[str, Any] = {
    "id": 7,
    "jobGroup": 1,
    "jobDesc": "nightly report",
    "scheduleType": "CRON",
    "scheduleConf": "0 30 2 ? * 2-6 *",
    "misfireStrategy": "FIRE_ONCE_NOW",
    "executorRouteStrategy": "ROUND",
    "executorHandler": "reportJobHandler",
    "executorParam": '{"region": "north"}',
    "executorBlockStrategy": "DISCARD_LATER",
    "executorTimeout": 600,
    "executorFailRetryCount": 2,
    "glueType": "BEAN",
    "triggerStatus": 1,
    "alarmEmail": "ann@example.org",
}


def test_a_job_of_xxl_job_becomes_a_task(tmp_path: Path) -> None:
    done = convert(tmp_path, "xxl-job", [XXL], "--pool", "reports", "--time-zone", "Asia/Shanghai")
    assert done.code == 0, done.err
    assert yaml.safe_load(done.out) == {
        "apiVersion": "warmcron.dev/v1alpha1",
        "kind": "ScheduledTask",
        "metadata": {"name": "report-job-handler-7"},
        "spec": {
            "schedule": "0 30 2 ? * 1-5",  # Quartz counts Sunday as 1, and has a year
            "timeZone": "Asia/Shanghai",
            "suspend": False,
            "pool": "reports",
            "handler": "reportJobHandler",
            "routingPolicy": "RoundRobin",
            "concurrencyPolicy": "Forbid",
            "missedRunPolicy": "RunLatest",
            "backoffLimit": 2,
            "attemptDeadlineSeconds": 600,
            "payload": {"region": "north"},
        },
    }
    assert "job 7 nightly report: alarmEmail: alert on the metric" in done.err


SPECS: list[tuple[dict[str, Any], str, object]] = [
    ({"scheduleType": "FIX_RATE", "scheduleConf": "30"}, "schedule", "@every 30s"),
    ({"scheduleConf": "0 0/5 * * * ?"}, "schedule", "0 0/5 * * * ?"),
    ({"scheduleConf": "0 0 2 ? * 6L"}, "schedule", "0 0 2 ? * 5L"),  # the last Friday
    ({"scheduleConf": "0 0 2 ? * 2#1"}, "schedule", "0 0 2 ? * 1#1"),
    ({"scheduleConf": "0 0 2 ? * MON,7"}, "schedule", "0 0 2 ? * MON,6"),
    ({"triggerStatus": 0}, "suspend", True),
    ({"executorBlockStrategy": "SERIAL_EXECUTION"}, "concurrencyPolicy", "Queue"),
    ({"executorBlockStrategy": "COVER_EARLY"}, "concurrencyPolicy", "Replace"),
    ({"misfireStrategy": "DO_NOTHING"}, "missedRunPolicy", "Skip"),
    ({"executorRouteStrategy": "FAILOVER"}, "routingPolicy", "LeastLoaded"),
    ({"executorParam": "north"}, "payload", {"param": "north"}),
    ({"executorTimeout": 7200}, "activeDeadlineSeconds", 7200),
]


@pytest.mark.parametrize(("job", "field", "value"), SPECS)
def test_each_setting_of_xxl_job_has_its_counterpart(
    tmp_path: Path, job: dict[str, Any], field: str, value: object
) -> None:
    done = convert(tmp_path, "xxl-job", {"data": [{**XXL, **job}]})
    assert done.code == 0, done.err
    assert yaml.safe_load(done.out)["spec"][field] == value


NOT_CONVERTED = [
    ({"scheduleConf": "0 0 0 1 1 ? 2030"}, "a year cannot be said in a schedule"),
    ({"scheduleType": "NONE"}, "there is no schedule; start it with `warmcron trigger`"),
    ({"executorHandler": ""}, "spec.handler"),
]


@pytest.mark.parametrize(("job", "words"), NOT_CONVERTED)
def test_what_cannot_be_a_task_is_said_and_is_exit_code_1(tmp_path: Path, job: dict[str, Any], words: str) -> None:
    done = convert(tmp_path, "xxl-job", [{**XXL, **job}])
    assert (done.code, done.out) == (1, "")
    assert "NOT CONVERTED" in done.err
    assert words in done.err


MISTAKES = [
    (["convert", "cronjob", "-f", "/nowhere"], "cannot be read"),
    (["lint", "-f", "/nowhere"], "cannot be read"),
    (["lint"], "--file"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES)
def test_a_mistake_is_exit_code_2(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


@pytest.mark.parametrize("content", ["[1]", "{}", "no json"])
def test_a_file_that_is_no_export_says_so(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    done = run("convert", "xxl-job", "-f", str(file))
    assert done.code == 2
    assert "not a job export" in done.err
    assert run("convert", "cronjob", "-f", str(file)).code == 2


def test_lint_names_every_mistake_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "apiVersion: warmcron.dev/v1alpha1\nkind: ScheduledTask\nmetadata: {name: x}\nspec:\n  schedule: '61 * * * *'\n"
        "  pool: p\n  handler: h\n  backofLimit: 3\n"
    )
    done = run("lint", "-f", str(file))
    assert done.code == 2
    assert f"warmcron: {file}:8: spec.backofLimit: unknown field; did you mean backoffLimit?" in done.err
