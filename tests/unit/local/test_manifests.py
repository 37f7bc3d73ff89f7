"""What a file may say, and how it is told where it is wrong."""

import subprocess
import sys

import pytest

from warmcron.local import documents, manifests
from warmcron.local.documents import Fault
from warmcron.local.manifests import Manifest
from warmcron.spec import crd, rules

HEAD = "apiVersion: warmcron.dev/v1alpha1\nkind: ScheduledTask\nmetadata: {name: a}\nspec:\n"
GOOD = HEAD + '  schedule: "* * * * *"\n  pool: demo\n  handler: hello\n'


def read(text: str) -> tuple[list[Manifest], list[Fault]]:
    found, faults = documents.read(text, "f.yaml")
    tasks = []
    for document in found:
        task, wrong = manifests.check(document)
        faults += wrong
        tasks += [task] if task else []
    return tasks, faults


def test_a_task_is_read_with_the_namespace_default() -> None:
    (task,), faults = read(GOOD)
    assert (task.key, task.line, faults) == ("default/a", 1, [])


def test_other_kinds_in_the_same_file_are_left_to_the_cluster() -> None:
    tasks, faults = read("apiVersion: v1\nkind: ConfigMap\n---\n" + GOOD + "---\n---\n")
    assert ([task.line for task in tasks], faults) == ([4], [])


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        # YAML itself
        ("a: [1\nb: 2\n", 2, "not YAML: while parsing a flow sequence"),
        ("a: 'x\n", 2, "not YAML: while scanning a quoted scalar"),
        ("- 1\n", 1, "expected an object with apiVersion, kind, metadata and spec"),
        ("a: \x00\n", 1, "not YAML: "),
        # what kind of thing it is
        ("kind: ScheduledTask\n", 1, "apiVersion: missing; a task has warmcron.dev/v1alpha1 and ScheduledTask"),
        ("apiVersion: warmcron.dev/v1\nkind: ScheduledTask\n", 1, "warmcron.dev/v1 ScheduledTask is unknown"),
        ("apiVersion: warmcron.dev/v1alpha1\nkind: ScheduledTasks\n", 2, "warmcron.dev/v1alpha1 ScheduledTasks is"),
        # the envelope
        (GOOD + "stauts: {}\n", 8, "stauts: unknown field; did you mean status?"),
        (GOOD.replace("{name: a}", "{}"), 3, "metadata.name: expected lower-case letters"),
        (GOOD.replace("{name: a}", "{name: A_b}"), 3, "metadata.name: expected lower-case letters"),
        (GOOD.replace("name: a", "name: a, namespace: x.y"), 3, "metadata.namespace: expected lower-case letters"),
        (GOOD.replace("name: a", "name: a, annotations: {k: 1}"), 3, "metadata.annotations.k: expected text"),
        (GOOD.replace("name: a", "name: a, labels: {tier: 1}"), 3, "metadata.labels.tier: expected text"),
        # fields of the spec
        (GOOD + "  shedule: x\n", 8, "spec.shedule: unknown field; did you mean schedule?"),
        (GOOD + "  time_zone: UTC\n", 8, "spec.time_zone: unknown field; did you mean timeZone?"),
        (GOOD + "  pool: again\n", 8, "spec.pool: written twice"),
        (GOOD + '  backoffLimit: "3"\n', 8, 'spec.backoffLimit: input should be a valid integer, not "3"'),
        (GOOD + "  historyLimit: 21\n", 8, "spec.historyLimit: input should be less than or equal to 20, not 21"),
        (GOOD + "  concurrencyPolicy: allow\n", 8, "spec.concurrencyPolicy: input should be 'Allow', 'Forbid'"),
        (GOOD + "  backoff:\n    initial: 3\n", 9, "spec.backoff.initial: unknown field; did you mean initialSeconds?"),
        (HEAD + '  schedule: "* * * * *"\n  pool: demo\n', 4, "spec.handler: missing"),
        (HEAD.replace("spec:", "spec: 3"), 4, "spec: missing; it says when to run what, and where"),
        # what the schedule and the zone say
        (GOOD.replace("* * * * *", "61 * * * *"), 5, "spec.schedule: "),
        (GOOD.replace("* * * * *", "0 0 31 2 *"), 5, "spec.schedule: "),
        (GOOD + "  timeZone: Europe/Berlinn\n", 8, "spec.timeZone: 'Europe/Berlinn' is not a time zone"),
        (GOOD + "  payload: {a: " + "x" * 70_000 + "}\n", 8, "spec.payload: "),
    ],
)
def test_a_fault_has_the_line_of_its_field(text: str, line: int, message: str) -> None:
    tasks, (fault,) = read(text)
    assert not tasks
    assert (fault.line, str(fault)[: len(message) + 20].split(" ", 1)[1][: len(message)]) == (line, message)


# For each rule of the CRD, in its order: what breaks it.
BROKEN_FIELDS = {
    "schedule": ["  schedule: TZ=UTC 1 1 1 1 1\n", "  schedule: nonsense\n"],
    "timeZone": ["  timeZone: Local\n"],
}
BROKEN_WHOLES = [
    "  routingKey: a\n",
    "  attemptDeadlineSeconds: 7200\n",
    "  backoff: {initialSeconds: 9, maxSeconds: 8}\n",
]


def test_every_rule_of_the_crd_is_kept_here_too() -> None:
    messages = rules.field_messages()
    assert {field: len(found) for field, found in messages.items()} == {
        field: len(found) for field, found in BROKEN_FIELDS.items()
    }
    examples = [
        (text, message)
        for field, found in BROKEN_FIELDS.items()
        for text, message in zip(found, messages[field], strict=True)
    ]
    examples += [(text, str(rule["message"])) for text, rule in zip(BROKEN_WHOLES, crd.SPEC_RULES, strict=True)]
    for text, message in examples:
        base = GOOD.replace('  schedule: "* * * * *"\n', "") if "schedule:" in text else GOOD
        _, (fault,) = read(base + text)
        assert message.split(" ", 1)[1] in fault.message


def test_a_task_that_is_written_twice_is_refused_with_both_places() -> None:
    tasks, _ = read(GOOD + "---\n" + GOOD)
    (fault,) = manifests.doubled(tasks)
    assert str(fault) == "f.yaml:9: default/a is written in f.yaml:1 already"


def test_a_null_is_a_field_that_is_not_there() -> None:
    (task,), faults = read(GOOD + "  suspend: null\n  backoff: {initialSeconds: null}\n  payload: {a: null}\n")
    assert not faults
    assert (task.spec.get("suspend"), task.spec["backoff"], task.spec["payload"]) == (None, {}, {"a": None})


def test_a_date_stays_text_as_it_does_for_kubectl() -> None:
    (task,), _ = read(GOOD + "  payload: {since: 2026-01-01}\n")
    assert task.spec["payload"] == {"since": "2026-01-01"}


HARMFUL = [
    ",".join(["05"] * 80) + "x * * * *",
    ",".join(["00/1"] * 50) + " 24 * * *",
    "0 " + ",".join(["023"] * 60) + "x * * *",
    "0 0 " + ",".join(["01-031"] * 35) + "x * *",
    "0 0 * " + ",".join(["012"] * 60) + "x *",
    "0 0 * * " + ",".join(["007"] * 60) + "x",
    "0" * 250 + "x * * *",
    "," * 250 + "x",
    "*-" * 125,
    "@every " + "1.1m" * 60 + "x",
]


@pytest.mark.parametrize("schedule", HARMFUL, ids=range(len(HARMFUL)))
def test_a_text_that_almost_fits_the_pattern_is_refused_without_trying_every_way_to_read_it(schedule: str) -> None:
    # In a process of its own: with two ways to read `05` this would go on for years.
    code = "import re, sys; from warmcron.spec.task import SCHEDULE_PATTERN as p; print(re.search(p, sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, schedule], capture_output=True, timeout=120, check=True)
    assert done.stdout == b"None\n"
