"""The verbs on a cluster: what they print, what they ask of the API server, what a mistake looks like."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.command import Done, run
from fakes.kube_api import TASKS, KubeApi
from warmcron.core.tasks import manual_run_id

Ctl = Callable[..., Done]
REPORT = f"{TASKS}/namespaces/team/scheduledtasks/report"


def test_list_shows_the_columns_of_kubectl(api: KubeApi, ctl: Ctl) -> None:
    api.add_task("report")
    api.add_task("backup", spec={"schedule": "@daily", "suspend": True})
    api.add_task("hidden", namespace="elsewhere")
    lines = ctl("list").out.splitlines()
    assert lines[0].split() == ["NAME", "SCHEDULE", "TIMEZONE", "SUSPEND", "ACTIVE", "LAST", "NEXT", "READY", "AGE"]
    assert [line.split()[0] for line in lines[1:]] == ["backup", "report"]
    assert "true" in lines[1]
    assert lines[2].split("   ")[1].strip() == "*/5 * * * *"


def test_list_knows_namespaces_selectors_and_contexts(api: KubeApi, ctl: Ctl) -> None:
    api.add_task("report", labels={"team": "billing"})
    api.add_task("backup", labels={"team": "ops"})
    api.add_task("other", namespace="elsewhere", labels={"team": "ops"})

    def names(*arguments: str) -> list[str]:
        return ctl("list", "-o", "name", *arguments).out.split()

    assert names() == ["scheduledtasks/backup", "scheduledtasks/report"]
    assert names("-l", "team=billing") == ["scheduledtasks/report"]
    assert names("-n", "elsewhere") == ["scheduledtasks/other"]
    assert names("--context", "other") == ["scheduledtasks/other"]
    assert names("-A", "-l", "team=ops") == ["scheduledtasks/other", "scheduledtasks/backup"]
    assert ctl("list", "-A").out.startswith("NAMESPACE   NAME")


def test_list_as_json_and_yaml_is_a_kubernetes_list(api: KubeApi, ctl: Ctl) -> None:
    task = api.add_task("report")
    found = ctl("list", "-o", "json").json
    assert (found["kind"], found["items"][0]["spec"]) == ("List", task["spec"])
    assert "managedFields" not in found["items"][0]["metadata"]
    assert yaml.safe_load(ctl("list", "-o", "yaml").out) == found


def test_an_empty_list_is_a_word_beside_the_data(ctl: Ctl) -> None:
    done = ctl("list")
    assert (done.code, done.out, done.err) == (0, "", "no tasks in namespace team; -A shows those of all\n")


def test_describe_shows_conditions_and_runs(api: KubeApi, ctl: Ctl) -> None:
    recent = {"runId": "r-1", "scheduledTime": "2026-11-24T13:55:00Z", "outcome": "Failed", "reason": "boom"}
    api.add_task("report", status={"recentRuns": [recent], "failed": 1})
    out = ctl("describe", "report").out
    for words in ("*/5 * * * * (UTC)", "1 failed", "Ready", "Scheduled", "r-1", "boom"):
        assert words in out
    assert ctl("describe", "report", "-o", "json").json["metadata"]["name"] == "report"


def test_trigger_sets_the_annotation_and_prints_the_run_s_id(api: KubeApi, ctl: Ctl) -> None:
    task = api.add_task("report")
    done = ctl("trigger", "report", "--payload", '{"region": "north"}')
    ((path, patch),) = api.patches
    annotations = patch["metadata"]["annotations"]
    assert path == REPORT
    assert annotations["warmcron.dev/trigger-payload"] == '{"region":"north"}'
    assert done.out.strip() == manual_run_id(task["metadata"]["uid"], annotations["warmcron.dev/trigger"])


def test_a_trigger_without_payload_takes_the_last_one_away(api: KubeApi, ctl: Ctl) -> None:
    api.add_task("report")
    ctl("trigger", "report", "--payload", "{}")
    ctl("trigger", "report")
    assert list(api.objects[REPORT]["metadata"]["annotations"]) == ["warmcron.dev/trigger"]


@pytest.mark.parametrize(("outcome", "code"), [("Succeeded", 0), ("Failed", 1), ("Skipped", 1)])
def test_wait_ends_with_the_run_and_its_outcome_is_the_exit_code(
    api: KubeApi, ctl: Ctl, monkeypatch: pytest.MonkeyPatch, outcome: str, code: int
) -> None:
    task = api.add_task("report")
    patched = api.patches.append

    class Operator(list[tuple[str, dict[str, Any]]]):
        """Runs what is asked for as soon as it is."""

        def append(self, patch: tuple[str, dict[str, Any]]) -> None:
            value = patch[1]["metadata"]["annotations"]["warmcron.dev/trigger"]
            run_id = manual_run_id(task["metadata"]["uid"], value)
            task["status"]["recentRuns"] = [{"runId": run_id, "outcome": outcome, "reason": "Why"}]
            patched(patch)

    api.patches = Operator()
    done = ctl("trigger", "report", "--wait", "--timeout", "60")
    assert (done.code, done.err) == (code, f"{outcome} Why\n")


def test_wait_gives_up_after_its_time(api: KubeApi, ctl: Ctl) -> None:
    api.add_task("report")
    done = ctl("trigger", "report", "--wait", "--timeout", "0.5")
    assert done.code == 1
    assert "goes on after 0.5 s" in done.err


def test_suspend_and_resume_patch_what_is_not_so_already(api: KubeApi, ctl: Ctl) -> None:
    api.add_task("report")
    api.add_task("backup", spec={"suspend": True})
    assert ctl("suspend", "report", "backup").out.splitlines() == [
        "scheduledtasks/report suspended",
        "scheduledtasks/backup was suspended already",
    ]
    assert api.patches == [(REPORT, {"spec": {"suspend": True}})]
    assert ctl("resume", "--all").out.splitlines() == ["scheduledtasks/backup resumed", "scheduledtasks/report resumed"]


def test_suspend_by_label_over_all_namespaces(api: KubeApi, ctl: Ctl) -> None:
    api.add_task("report", labels={"team": "x"})
    api.add_task("other", namespace="elsewhere", labels={"team": "x"})
    api.add_task("kept")
    ctl("suspend", "-A", "-l", "team=x")
    assert sorted(path.rsplit("/", 1)[-1] for path, _ in api.patches) == ["other", "report"]


def test_workers_are_the_pods_of_pools_with_their_reasons(api: KubeApi, ctl: Ctl) -> None:
    api.add_pod("pod-a")
    api.add_pod("pod-b", ready=False)
    api.add_pod("pod-c", pool="q")
    rows = [line.split() for line in ctl("workers").out.splitlines()[1:]]
    assert [row[:3] for row in rows] == [["pod-a", "p", "Ready"], ["pod-b", "p", "NotReady"], ["pod-c", "q", "Ready"]]
    assert rows[1][-1] == "ContainersNotReady"
    assert ctl("workers", "--pool", "q", "-o", "name").out == "pod/pod-c\n"
    assert ctl("workers", "-l", "warmcron.dev/pool=q", "-o", "name").out == "pod/pod-c\n"


DOCTOR: list[tuple[str, dict[str, Any], list[dict[str, Any]], int, list[str]]] = [
    (
        "all is well",
        {},
        [{"name": "pod-a"}],
        0,
        ["ok  scheduled: */5 * * * * (UTC), next at", "ok  1 of 1 workers of pool p"],
    ),
    ("no pod", {}, [], 1, ["!!  no pod in namespace team has the label warmcron.dev/pool=p"]),
    (
        "another pool",
        {},
        [{"name": "pod-a", "pool": "q"}],
        1,
        ["!!  no pod in namespace team has the label warmcron.dev/pool=p", "--  pools that have pods here: q"],
    ),
    (
        "nobody is ready",
        {},
        [{"name": "pod-a", "ready": False}, {"name": "pod-b", "phase": "Pending"}],
        1,
        [
            "!!  no worker of pool p can take it: NoReadyWorker",
            "--  pod-a is passed over: not ready: ContainersNotReady",
            "--  pod-b is passed over: not ready: Pending",
        ],
    ),
    (
        "one of two",
        {},
        [{"name": "pod-a"}, {"name": "pod-b", "ready": False}],
        0,
        ["ok  1 of 2 workers of pool p can take it", "--  pod-b is passed over"],
    ),
    ("suspended", {"spec": {"suspend": True}}, [{"name": "pod-a"}], 1, ["!!  suspended: `warmcron resume report`"]),
    (
        "not accepted",
        {
            "status": {
                "conditions": [
                    {"type": "Ready", "status": "False", "reason": "InvalidSchedule", "message": "spec.schedule: no"}
                ]
            }
        },
        [{"name": "pod-a"}],
        1,
        ["!!  not accepted: InvalidSchedule: spec.schedule: no"],
    ),
    ("no operator", {"status": {"observedGeneration": 0}}, [{"name": "pod-a"}], 1, ["!!  the operator has not seen"]),
    (
        "Forbid and a run that goes on",
        {"status": {"active": [{"runId": "r-1"}]}},
        [{"name": "pod-a"}],
        0,
        ["--  1 run(s) go on: r-1; ticks are skipped meanwhile"],
    ),
    (
        "Forbid and a run for which a tick was skipped",
        {
            "status": {
                "active": [{"runId": "r-1"}],
                "recentRuns": [{"runId": "r-2", "outcome": "Skipped", "reason": "ForbidConcurrent"}],
            }
        },
        [{"name": "pod-a"}],
        1,
        ["!!  1 run(s) go on: r-1; ticks are skipped meanwhile"],
    ),
]


@pytest.mark.parametrize(("task", "pods", "code", "lines"), [row[1:] for row in DOCTOR], ids=[row[0] for row in DOCTOR])
def test_doctor_says_why(
    api: KubeApi, ctl: Ctl, task: dict[str, Any], pods: list[dict[str, Any]], code: int, lines: list[str]
) -> None:
    api.add_task("report", **task)
    for pod in pods:
        api.add_pod(**pod)
    done = ctl("doctor", "report")
    assert done.code == code
    told = json.loads(ctl("doctor", "report", "-o", "json").out)
    assert told["canRun"] is not bool(code)
    assert [finding["text"] for finding in told["findings"]] == [line[4:] for line in done.out.splitlines()]
    for line in lines:
        assert line in done.out, done.out


MISTAKES = [
    (["describe", "nobody"], 1, "no task 'nobody' in namespace 'team'"),
    (["trigger", "report", "--payload", "[1]"], 2, "--payload: expected a JSON object"),
    (["trigger", "report", "--payload", "{"], 2, "--payload: not JSON"),
    (["trigger", "report", "--payload", "@/nowhere"], 2, "--payload: not JSON"),
    (["trigger", "report", "--payload", json.dumps({"a": "x" * 70_000})], 2, "--payload: over 64 KiB"),
    (["suspend"], 2, "name tasks, or choose them with --selector or --all"),
    (["suspend", "report", "--all"], 2, "one of the three"),
    (["suspend", "report", "-A"], 2, "a name is a name in one namespace"),
    (["list", "--context", "mars"], 2, "no context 'mars'; known are here, other"),
    (["list", "-o", "xml"], 2, "xml"),
    (["logs", "r-1"], 2, "kubectl is not on the PATH: install it, or name the API with --server URL"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES)
def test_a_mistake_is_told_in_words(
    ctl: Ctl, api: KubeApi, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    api.add_task("report")
    done = ctl(*arguments)
    assert done.code == code
    assert words in done.err.replace("\n", " ")
    assert "Traceback" not in done.err


def test_a_cluster_without_the_crd_is_told_from_a_task_that_is_not_there(api: KubeApi, ctl: Ctl) -> None:
    api.crd = False
    assert "no ScheduledTasks: install the CRD first" in ctl("list").err
    assert "install the CRD" in ctl("describe", "report").err


def test_no_permission_is_the_api_server_s_own_word(api: KubeApi, ctl: Ctl) -> None:
    api.forbidden = (TASKS,)
    done = ctl("list")
    assert done.code == 1
    assert '403 User "ann" cannot use' in done.err


def test_a_wrong_token_and_a_server_that_is_gone(api: KubeApi, tmp_path: Path) -> None:
    config = api.kubeconfig(tmp_path, token="bad")
    assert "401 Unauthorized" in run("list", "--kubeconfig", str(config)).err
    config.write_text(config.read_text().replace(api.url, "http://127.0.0.1:9"))
    gone = run("list", "--kubeconfig", str(config))
    assert gone.code == 1
    assert "no answer" in gone.err


def test_without_any_kubeconfig_the_message_says_what_to_do() -> None:
    done = run("list")
    assert done.code == 2
    assert "--kubeconfig" in done.err
    assert "warmcron dev" in done.err
