"""Secrets as canaries: each is used on the live cluster, then looked for in everything that people or programs read."""

import base64
import json
import secrets as random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest

from e2e import wire
from e2e.cluster import NODE, Cluster, call, until
from e2e.release import Release
from e2e.space import Space, opened

SECRET: Final = "canaries"
# Everything that the container can read of a process: words of the command line and variables, and nothing of memory.
PROCESSES: Final = """
import pathlib, sys
for place in pathlib.Path("/proc").glob("[0-9]*"):
    for name in ("cmdline", "environ"):
        try:
            sys.stdout.write((place / name).read_bytes().decode(errors="replace").replace(chr(0), "\\n"))
        except OSError:
            pass
"""
DATABASE: Final = """
import pathlib, sys
for path in sorted(pathlib.Path("/var/lib/warmcron").rglob("*")):
    if path.is_file():
        sys.stdout.write(path.read_bytes().decode("latin-1"))
"""
# Asks from inside the cluster, and prints each status. The token comes by stdin, as it would by a file.
ASK: Final = """
import sys, urllib.request, urllib.error
token = sys.stdin.read()
for url in sys.argv[2:]:
    body = b'{"attempt":1,"podUID":"x","events":[]}' if sys.argv[1] == "POST" else None
    request = urllib.request.Request(url, body, {"authorization": "Bearer " + token})
    try:
        print(urllib.request.urlopen(request, timeout=10).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


@dataclass
class Canaries:
    """What must be nowhere, by what it is."""

    space: Space
    found: dict[str, str] = field(default_factory=dict)

    def draw(self, what: str) -> str:
        """A new one: a text that no program makes by itself."""
        self.found[what] = f"canary-{what}-{random.token_hex(20)}"
        return self.found[what]

    def sought(self) -> dict[str, str]:
        """All of them, and each as it looks in base64."""
        more = {f"{what} in base64": base64.b64encode(text.encode()).decode() for what, text in self.found.items()}
        return self.found | more

    def check(self, places: dict[str, str]) -> None:
        """None of them is in any place; every place has something in it, for nothing is proved by an empty one."""
        for place, text in places.items():
            assert text, f"{place} is empty"
            for what, canary in self.sought().items():
                at = text.find(canary)
                assert at < 0, f"{place} holds the {what} at {at}: …{text[max(at - 60, 0) : at]}<here>"


@pytest.fixture(scope="module")
def canaries(cluster: Cluster, operator: Release) -> Iterator[Canaries]:
    """The operator with secrets of ours, all of which have been used; afterwards it is as it was."""
    with opened(cluster, "canaries") as space:
        found = Canaries(space)
        hook = base64.b64encode(found.draw("webhook-secret").encode()).decode()
        found.found["webhook-secret as given"] = f"whsec_{hook}"
        values = {"callback-key": found.draw("callback-key"), "webhook": f"whsec_{hook}"}
        keep(cluster, operator, **values)
        crds = operator._owns_definition()
        try:
            # Taken up by pods that are made after this: the key of the release is another one from here on.
            operator.install(
                *set_(
                    f"callbackKey.existingSecret={SECRET}",
                    "callbackKey.secretKey=callback-key",
                    f"notifications.existingSecret={SECRET}",
                    "notifications.secretKey=webhook",
                    f"notifications.url=http://ledger.{space.name}.svc:8080/",
                ),
                crds=crds,
            )
            operator.leader()
            yield found
        finally:
            operator.install(crds=crds)
            operator.leader()


def set_(*values: str) -> list[str]:
    return [word for value in values for word in ("--set", value)]


def keep(cluster: Cluster, operator: Release, **values: str) -> None:
    metadata = {"name": SECRET}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
    cluster.apply(body, namespace=operator.namespace)


def ask(space: Space, token: str, *urls: str, method: str = "GET") -> list[int]:
    """What a pod that has this token is answered."""
    argv = ("-n", space.name, "exec", "-i", "ledger", "--", "python", "-c", ASK, method, *urls)
    return [int(line) for line in space.cluster.kubectl(*argv, stdin=token).split()]


def places(cluster: Cluster, operator: Release) -> dict[str, str]:
    """Everything that somebody without a right to Secrets may come to read."""
    found = {
        "events": cluster.kubectl("get", "events", "-A", "-o", "json"),
        "tasks": cluster.kubectl("get", "stask", "-A", "-o", "json", "--show-managed-fields"),
        "objects": cluster.kubectl(
            "get", "pods,deployments,replicasets,configmaps,leases,services", "-A", "-o", "json"
        ),
        "command lines of the node": call(
            "docker", "exec", NODE, "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null; true"
        ),
    }
    for pod in operator.pods():
        inside = ("-n", operator.namespace, "exec", pod, "--", "python", "-I", "-c")
        proxy = f"/api/v1/namespaces/{operator.namespace}/pods/{pod}:8080/proxy/metrics"
        found[f"log of {pod}"] = cluster.kubectl("-n", operator.namespace, "logs", pod)
        found[f"metrics of {pod}"] = cluster.kubectl("get", "--raw", proxy)
        found[f"processes of {pod}"] = cluster.kubectl(*inside, PROCESSES)
    return found


def history(cluster: Cluster, operator: Release) -> dict[str, str]:
    """The database of each replica, byte by byte."""
    found = {}
    for pod in operator.pods():
        argv = ("-n", operator.namespace, "exec", pod, "--", "python", "-I", "-c", DATABASE)
        found[f"history of {pod}"] = cluster.kubectl(*argv)
    return found


def test_no_secret_is_in_anything_that_people_read(canaries: Canaries, cluster: Cluster, operator: Release) -> None:
    space = canaries.space
    # The private key of the release: its base64 lines are as good as a drawn text.
    stored = json.loads(cluster.kubectl("-n", operator.namespace, "get", "secrets", "-o", "json"))["items"]
    for secret in stored:
        if "signing" in secret["metadata"]["name"]:
            for name, text in secret["data"].items():
                lines = base64.b64decode(text).decode().splitlines()
                canaries.found[f"signing key {name}"] = next(
                    line for line in lines if len(line) > 30 and "PRIVATE" not in line
                )
    assert any("signing" in what for what in canaries.found)
    # A person's token, good and spoiled, by header and by query.
    space.kubectl("create", "serviceaccount", "reader")
    space.kubectl(
        "create", "rolebinding", "reader", "--clusterrole=warmcron-view", f"--serviceaccount={space.name}:reader"
    )
    token = space.kubectl("create", "token", "reader").strip()
    canaries.found["token of the API"] = token.rpartition(".")[2]
    canaries.found["spoiled token of the API"] = spoiled = f"eyJ.{canaries.draw('spoiled-token')}.x"
    service = f"http://{operator.name}.{operator.namespace}.svc"
    tasks = f"{service}:8082/api/v1/tasks"
    assert ask(space, token, f"{tasks}?namespace={space.name}") == [200]
    assert set(ask(space, spoiled, tasks, f"{tasks}?access_token={spoiled}")) == {401}
    # Capabilities of runs, as a worker gets them; one of them reports, one is used for a run that it is not for.
    space.workers(1)
    space.worker("wired", pool="wired", wire_log=True)
    for name, spec in (
        ("plain", {"pool": "wired", "handler": "tick"}),
        ("long", {"handler": "nap", "payload": {"seconds": 3}}),
        ("bad", {"handler": "fail", "backoffLimit": 0}),
    ):
        task = space.task(name, schedule="@every 1s", **spec)
        until(f"{name} has run", lambda task=task: task.recent, seconds=90)  # type: ignore[misc]
    sent = [json.loads(one.body) for one in wire.read(cluster, space.name, "wired").requests if one.task]
    capability = sent[-1]["callback"]["token"]
    canaries.found["capability of a run"] = capability.rpartition(".")[2]
    reports = f"{service}:8081/api/task/runs"
    assert ask(space, capability, f"{reports}/{'0' * 36}/events", method="POST") == [401], "good for its own run only"

    def told() -> bool:
        proxy = space.cluster.core.connect_get_namespaced_pod_proxy_with_path
        entries = json.loads(proxy("ledger:8080", space.name, "entries", _preload_content=False).data)
        return any("what" not in entry for entry in entries)  # handlers say what they do

    until("the webhook was told of the failure", told, seconds=60)
    canaries.check(places(cluster, operator) | history(cluster, operator))
    logs = {pod: space.kubectl("logs", pod) for pod in space.ready("app=worker")}
    canaries.check({f"log of the worker {pod}": text or "nothing" for pod, text in logs.items()})


def test_a_database_that_is_away_is_named_without_its_password(
    canaries: Canaries, cluster: Cluster, operator: Release
) -> None:
    """Whoever reports an error of a database likes to show the URL."""
    password = canaries.draw("database-password")
    url = f"postgresql://warmcron:{password}@ledger.{canaries.space.name}.svc:8080/warmcron"
    keep(cluster, operator, url=url, **{"callback-key": canaries.draw("callback-key")})
    crds = operator._owns_definition()
    operator.install(
        *set_(
            f"history.existingSecret={SECRET}",
            "history.secretKey=url",
            f"callbackKey.existingSecret={SECRET}",
            "callbackKey.secretKey=callback-key",
        ),
        crds=crds,
    )
    leader = operator.leader()

    def complained() -> bool:
        return "history not open" in cluster.kubectl("-n", operator.namespace, "logs", leader)

    until("the operator has said that its database is away", complained, seconds=60)
    canaries.check(places(cluster, operator))
