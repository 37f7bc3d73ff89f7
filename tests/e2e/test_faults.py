"""Workers that are killed, crash, come and go: what becomes of the runs they had."""

import time
from collections.abc import Callable
from typing import Any

import yaml

from e2e import ledger
from e2e.cluster import ROOT, measured, until
from e2e.release import Release
from e2e.space import Space
from e2e.tasks import Task
from faults import checker

# Longer than a worker with the SDK takes to say that it will report later.
SLOW_SECONDS = 8
QUICK: dict[str, Any] = {"initialSeconds": 0.5, "multiplier": 1, "maxSeconds": 1}


def attempts(here: Space, task: Task) -> list[tuple[int, str]]:
    """Number and run id of each attempt, in the order of the ledger."""
    return [(entry.attempt, entry.run_id) for entry in here.ledger.starts(task.name)]


def test_a_run_goes_on_elsewhere_when_its_pod_is_deleted_by_force(make_space: Callable[[str], Space]) -> None:
    here = make_space("forced")
    here.workers(2)
    # No retry is allowed: a pod that is gone costs none.
    task = here.task("long", handler="nap", payload={"seconds": 8}, backoffLimit=0)
    task.trigger("now")
    run_id = ledger.manual_run_id(task.uid, "now")
    first = (until("it runs", lambda: here.ledger.starts(task.name)) or [])[0]
    until("the status says where", lambda: [one["podName"] for one in task.status.get("active", [])] == [first.pod])
    deleted = time.time()
    here.kubectl("delete", "pod", first.pod, "--grace-period=0", "--force")
    until("it has started again", lambda: len(here.ledger.starts(task.name)) > 1)
    second = here.ledger.starts(task.name)[1]
    measured(f"pod deleted by force: its run starts elsewhere {second.arrived - deleted:.2f} s later")
    record = task.finished(run_id)
    assert attempts(here, task) == [(1, run_id), (2, run_id)]
    assert second.pod_uid != first.pod_uid
    assert second.scheduled == first.scheduled
    assert (record["outcome"], record["attempts"], record["podName"]) == ("Succeeded", 2, second.pod)
    assert record.get("reason"), "nothing says why there were two attempts"


def test_a_worker_that_is_stopped_gives_back_what_it_cannot_finish(make_space: Callable[[str], Space]) -> None:
    here = make_space("drained")
    here.worker("first", grace=6)
    task = here.task("long", handler="nap", payload={"seconds": 60, "until_attempt": 1}, backoffLimit=0)
    task.trigger("now")
    until("it runs", lambda: here.ledger.starts(task.name))
    here.worker("second")
    here.kubectl("delete", "pod", "first", "--wait=false")
    record = task.finished()
    assert (record["outcome"], record["attempts"], record["podName"]) == ("Succeeded", 2, "second")
    assert [(entry.attempt, entry.pod) for entry in here.ledger.starts(task.name)] == [(1, "first"), (2, "second")]
    assert task.status["failed"] == 0


def test_a_run_that_kills_its_worker_is_retried_and_counted(make_space: Callable[[str], Space]) -> None:
    here = make_space("dies")
    here.workers(2)
    pods = here.ready()
    once = here.task("once", handler="die", payload={"until_attempt": 1}, backoff=QUICK)
    once.trigger("now")
    record = once.finished()
    assert (record["outcome"], record["attempts"]) == ("Succeeded", 2)
    assert attempts(here, once) == [(1, record["runId"]), (2, record["runId"])]
    first, second = here.ledger.starts(once.name)
    assert first.pod != second.pod
    until("its container has started anew", lambda: here.restarts(first.pod) == 1)
    here.wait_ready(2, "app=worker")
    assert here.ready() == pods, "a container that dies must not cost its pod"
    assert until("counted", lambda: once.status["succeeded"] == 1)


def test_a_run_that_kills_every_worker_ends_at_its_backoff_limit(make_space: Callable[[str], Space]) -> None:
    here = make_space("kills")
    here.workers(2)
    task = here.task("killer", handler="die", payload={}, backoffLimit=1, backoff=QUICK)
    task.trigger("now")
    record = task.finished(seconds=90)
    assert (record["outcome"], record["attempts"]) == ("Failed", 2)
    assert record.get("reason")
    assert attempts(here, task) == [(1, record["runId"]), (2, record["runId"])]
    assert len({entry.pod for entry in here.ledger.starts(task.name)}) == 2
    status = task.status
    assert (status["failed"], status["consecutiveFailures"]) == (1, 1)
    assert task.condition("LastRunSucceeded")["status"] == "False"
    assert task.condition("Ready")["status"] == "True"


def test_a_run_is_retried_when_its_worker_is_out_of_memory(make_space: Callable[[str], Space]) -> None:
    here = make_space("memory")
    here.workers(2)
    task = here.task("hungry", handler="eat", payload={"until_attempt": 1}, backoff=QUICK)
    task.trigger("now")
    record = task.finished(seconds=90)
    assert (record["outcome"], record["attempts"]) == ("Succeeded", 2)
    first, second = here.ledger.starts(task.name)
    assert first.pod != second.pod
    pod = here.cluster.core.read_namespaced_pod(first.pod, here.name)
    assert pod.status.container_statuses[0].last_state.terminated.reason == "OOMKilled"


def test_a_crash_in_a_process_of_its_own_costs_the_attempt_and_not_the_worker(shared: Space) -> None:
    task = shared.task("crash", handler="crash", backoffLimit=1, backoff=QUICK)
    task.trigger("now")
    record = task.finished()
    assert (record["outcome"], record["attempts"]) == ("Failed", 2)
    assert "HandlerFailed" in record["reason"]
    assert len(attempts(shared, task)) == 2
    assert [shared.restarts(pod) for pod in shared.ready()] == [0, 0]


def test_a_worker_without_the_sdk_may_take_its_time(make_space: Callable[[str], Space]) -> None:
    here = make_space("plain")
    script, deployment = yaml.safe_load_all((ROOT / "examples" / "plain-worker" / "plain-worker.yaml").read_text())
    line = "result = HANDLERS["
    assert line in script["data"]["worker.py"]
    slow = f"__import__('time').sleep({SLOW_SECONDS}); print('once', flush=True); {line}"
    script["data"]["worker.py"] = script["data"]["worker.py"].replace(line, slow)
    here.apply(script, deployment)
    here.wait_ready(2, "app=plain-worker")
    task = here.task("slow", handler="greet", pool="plain")
    task.trigger("now")
    record = task.finished()
    assert (record["outcome"], record["attempts"]) == ("Succeeded", 1)
    assert here.kubectl("logs", "-l", "app=plain-worker", "--tail=-1").count("once") == 1


def test_scaling_up_and_down_loses_and_doubles_no_tick(make_space: Callable[[str], Space]) -> None:
    here = make_space("scaled")
    here.workers(1)
    task = here.task("steady", schedule="@every 1s", concurrencyPolicy="Allow", missedRunPolicy="RunAll")
    # Runs that take longer than a worker lives on after SIGTERM is sent are not among these: half a second each.
    naps = here.task(
        "naps", schedule="@every 1s", concurrencyPolicy="Allow", missedRunPolicy="RunAll",
        handler="nap", payload={"seconds": 0.5},
    )  # fmt: skip
    until("ticks on one", lambda: len(here.ledger.starts(task.name)) >= 2)
    here.scale(3)
    until("ticks on three", lambda: len({e.pod for e in here.ledger.starts(task.name)}) == 3)
    here.scale(1)
    until("the others are gone", lambda: len(here.cluster.pods(here.name, "app=worker")) == 1)
    done = len(here.ledger.starts(task.name))
    until("more ticks on one", lambda: len(here.ledger.starts(task.name)) >= done + 3)
    for one in (task, naps):
        one.suspend()
        one.rest()
        starts = here.ledger.starts(one.name)
        last = starts[-1].scheduled
        ledger.check_ticks(one.uid, starts, ledger.every(1, created=one.created, after=0, until=last))
        version = checker.Version(one.created, checker.every(1, created=one.created))
        ledger.judge(one.uid, here.ledger.entries(one.name), version, until=last)
        status = one.status
        counts = (status["succeeded"], status["failed"], status["skipped"], status["missed"])
        assert counts == (len(starts), 0, 0, 0)
        measured(f"scaled 1-3-1: longest delay of {len(starts)} ticks {ledger.longest_delay(starts):.3f} s")


def test_operator_and_workers_run_under_the_restricted_standard(shared: Space, operator: Release) -> None:
    for namespace in (shared.name, operator.namespace):
        labels = shared.cluster.core.read_namespace(namespace).metadata.labels
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert len(operator.pods()) == 2
    assert len(shared.ready()) == 2
