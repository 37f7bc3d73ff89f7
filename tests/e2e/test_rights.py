"""What the operator may do on the live cluster: exactly the golden list, and nothing of it can be left out."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import yaml

from e2e.cluster import ROOT, Cluster, CommandError, Json, never, until
from e2e.release import CRD_FILE, Release, new_namespace
from e2e.space import POOL, Space
from e2e.tasks import Task

GOLDEN = yaml.safe_load((ROOT / "tests/contract/golden/chart/rights-cluster.yaml").read_text())
Right = tuple[str, str, str]  # resource with its group, name of the object, verb


def flat(roles: list[Json]) -> set[Right]:
    """Rules one by one, as `kubectl auth can-i --list` would print them."""
    return {
        (f"{resource}.{group}" if group else resource, name, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    }


def bound_to(account: str) -> list[Json]:
    return [role for role in GOLDEN if any(bound.endswith(f"/{account}") for bound in role["bound"])]


def can(cluster: Cluster, namespace: str, account: str) -> set[Right]:
    """`kubectl auth can-i --list` of a ServiceAccount of the operator's namespace, as seen in a namespace."""
    who = f"system:serviceaccount:warmcron-system:{account}"
    text = cluster.kubectl("auth", "can-i", "--list", "--no-headers", "--as", who, "--namespace", namespace)
    found: set[Right] = set()
    for line in text.splitlines():
        # Resources, [non-resource URLs], [resource names], [verbs]; the first is empty for URLs.
        start, _, rest = line.partition("[")
        _, names, verbs = (part.strip(" ]") for part in rest.split("["))
        if resource := start.strip():
            # kubectl writes resource.group/subresource, roles have resource/subresource and the group apart.
            whole, _, part = resource.partition("/")
            plural, _, group = whole.partition(".")
            if part and group:
                resource = f"{plural}/{part}.{group}"
            found |= {(resource, name, verb) for name in names.split() or [""] for verb in verbs.split()}
    return found


def test_the_live_account_may_do_what_the_golden_list_says_and_nothing_else(
    cluster: Cluster, operator: Release
) -> None:
    everybody = can(cluster, operator.namespace, "nobody-of-that-name")
    roles = bound_to("warmcron")
    whole = [role for role in roles if role["role"].startswith("ClusterRole")]
    assert can(cluster, operator.namespace, "warmcron") - everybody == flat(roles)
    assert can(cluster, "kube-system", "warmcron") - everybody == flat(whole)


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        *((verb, "secrets") for verb in ("get", "list")),
        *((verb, "pods") for verb in ("get", "create", "delete", "patch")),
        *((verb, "scheduledtasks.warmcron.dev") for verb in ("get", "create", "patch", "delete")),
        ("create", "pods --subresource=exec"),
        ("get", "pods --subresource=log"),
        ("get", "configmaps"),
        ("get", "nodes"),
        ("list", "namespaces"),
        *((verb, "events") for verb in ("get", "list", "patch", "delete")),
        ("impersonate", "users"),
        ("escalate", "clusterroles"),
        ("create", "serviceaccounts --subresource=token"),
        ("update", "leases.coordination.k8s.io/another"),
    ],
)
def test_what_a_thief_of_its_token_would_want_is_refused(
    cluster: Cluster, operator: Release, verb: str, what: str
) -> None:
    who = f"system:serviceaccount:{operator.namespace}:{operator.name}"
    with pytest.raises(CommandError):
        cluster.kubectl("auth", "can-i", verb, *what.split(), "--as", who, "--namespace", operator.namespace)


def test_people_get_by_the_view_and_edit_roles_what_their_names_say(cluster: Cluster, shared: Space) -> None:
    for role, verbs, not_verbs in (
        ("view", ("get", "list", "watch"), ("create", "patch", "delete")),
        ("edit", ("get", "create", "update", "patch", "delete"), ("deletecollection",)),
    ):
        user = f"{role}er-{secrets.token_hex(2)}"
        shared.kubectl("create", "rolebinding", user, f"--clusterrole=warmcron-{role}", f"--user={user}")

        def may(verb: str, what: str, user: str = user) -> bool:
            try:
                return "yes" in shared.kubectl("auth", "can-i", verb, *what.split(), "--as", user)
            except CommandError:
                return False

        assert all(may(verb, "scheduledtasks.warmcron.dev") for verb in verbs), role
        assert not any(may(verb, "scheduledtasks.warmcron.dev") for verb in not_verbs), role
        status = "scheduledtasks.warmcron.dev --subresource=status"
        assert not may("patch", status), "a status that people write could be believed"
        assert not may("get", "secrets")
        assert not may("get", "pods")


# ---- without one of them -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(cluster: Cluster, no_operator: None) -> Iterator[Space]:
    """A namespace with an operator of its own, of one replica, whose roles can be spoiled."""
    space = Space(cluster, new_namespace("rights"))
    cluster.make_namespace(space.name)
    found = Release(cluster, space.name, name="spoiled")
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD_FILE))
    flags = ("replicaCount=1", "demo.enabled=true", "demo.workers=1", f"watchNamespaces={{{space.name}}}")
    found.install(*(word for flag in flags for word in ("--set", flag)), crds=False)
    yield space
    found.uninstall()
    cluster.drop_namespace(space.name)


@contextmanager
def without(space: Space, role: str, right: Right) -> Iterator[None]:
    """A role lacks one verb; before and after, the operator is started anew and works."""
    stored: dict[str, Any] = yaml.safe_load(space.kubectl("get", "role", role, "-o", "yaml"))
    resource, _, verb = right
    rules = []
    for rule in stored["rules"]:
        named = {f"{name}.{group}" if group else name for name in rule["resources"] for group in rule["apiGroups"]}
        rules.append({**rule, "verbs": [each for each in rule["verbs"] if not (each == verb and resource in named)]})
    metadata = {"name": role, "namespace": space.name}
    spoiled = {"apiVersion": stored["apiVersion"], "kind": "Role", "metadata": metadata}
    space.apply({**spoiled, "rules": [rule for rule in rules if rule["verbs"]]})
    try:
        yield
    finally:
        space.apply({**spoiled, "rules": stored["rules"]})


# Without this one everything goes on, but for what `kubectl describe` shows.
EVENTS: Right = ("events", "", "create")
RIGHTS = sorted(flat(bound_to("warmcron")) - {EVENTS})
OPERATOR = "app.kubernetes.io/component=operator"


def begin_anew(space: Space) -> Task:
    """A new operator, then a new worker, then a new task: each has to be seen for the task to run."""
    space.kubectl("delete", "pod", "--selector", OPERATOR, "--wait=true")
    with suppress(AssertionError):  # without some rights it is never ready
        until("the operator is ready", lambda: space.cluster.ready_pods(space.name, OPERATOR), seconds=15)
    space.kubectl("delete", "pod", "--selector", POOL, "--wait=true")
    space.wait_ready(1, POOL)
    return space.task(f"probe-{secrets.token_hex(3)}", schedule="@every 1s", pool="demo", handler="hello")


def test_with_all_of_its_rights_a_run_is_recorded(alone: Space) -> None:
    task = begin_anew(alone)
    until("a run is recorded", lambda: task.status.get("succeeded", 0) > 0)
    alone.kubectl("delete", "stask", task.name)


def test_with_all_of_its_rights_an_event_is_seen(alone: Space) -> None:
    task = alone.task(f"never-{secrets.token_hex(3)}", schedule="0 0 30 2 *", pool="demo")
    until("an Event says why", task.events)
    assert [one["reason"] for one in task.events()] == ["InvalidSchedule"]
    alone.kubectl("delete", "stask", task.name)


def test_without_the_right_to_create_events_none_is_seen(alone: Space) -> None:
    assert EVENTS in flat(bound_to("warmcron"))
    with without(alone, "spoiled-warmcron-operator", EVENTS):
        working = begin_anew(alone)
        until("a run is recorded", lambda: working.status.get("succeeded", 0) > 0)
        task = alone.task(f"never-{secrets.token_hex(3)}", schedule="0 0 30 2 *", pool="demo")
        until("the status says why", lambda: task.condition("Ready").get("status") == "False")
        never("an Event is seen without it", task.events, seconds=5)
        for one in (task, working):
            alone.kubectl("delete", "stask", one.name)


@pytest.mark.parametrize("right", RIGHTS, ids=[f"{verb}-{resource}" for resource, _, verb in RIGHTS])
def test_without_any_one_of_its_rights_no_run_is_recorded(alone: Space, right: Right) -> None:
    lease = right[0].startswith("leases")
    with without(alone, "spoiled-warmcron-leader" if lease else "spoiled-warmcron-operator", right):
        if lease and right[2] == "create":
            alone.kubectl("delete", "lease", "--all")
        elif lease:  # without one, the new operator would make it and lead a whole term before it needs this right
            until("somebody leads", lambda: alone.kubectl("get", "lease", "-o", "jsonpath={..holderIdentity}"))
        task = begin_anew(alone)
        never("a run is recorded without it", lambda: task.status.get("succeeded", 0) > 0, seconds=8)
        alone.kubectl("delete", "stask", task.name)
