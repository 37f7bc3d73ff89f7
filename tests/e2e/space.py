"""A namespace of a test's own: its ledger, its workers and its tasks."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from e2e.cluster import ROOT, Cluster, Json, until
from e2e.ledger import POD as LEDGER
from e2e.ledger import Ledger
from e2e.tasks import Task, manifest

SOURCES: Final = Path(__file__).parent / "worker_module"
IMAGE: Final = "warmcron/worker:dev"
POOL: Final = "warmcron.dev/pool"
PUBLIC_KEYS: Final = "warmcron-public-keys"
SECURITY: Final[Json] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
POD_SECURITY: Final[Json] = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Space:
    """One namespace."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.ledger = Ledger(cluster, name)

    def kubectl(self, *argv: str) -> str:
        """kubectl in this namespace."""
        return self.cluster.kubectl("-n", self.name, *argv)

    def apply(self, *objects: Json) -> None:
        """kubectl apply in this namespace."""
        self.cluster.apply(*objects, namespace=self.name)

    def task(self, name: str, **spec: Any) -> Task:
        """Applies a task."""
        self.apply(manifest(name, **spec))
        return Task(self.cluster, self.name, name)

    def open(self) -> None:
        """Starts the ledger, and lays out the modules for the workers."""
        self.lay_out()
        port = {"name": "http", "port": 8080}
        service = _object("v1", "Service", LEDGER, {"selector": {"app": LEDGER}, "ports": [port]})
        container = _container(["python", "-u", "/app/ledger_server.py"], probe="/", port="http")
        pod = _object("v1", "Pod", LEDGER, _pod_spec(container, grace=1), {"app": LEDGER})
        self.apply(service, pod)
        self.wait_ready(1, f"app={LEDGER}")

    def lay_out(self) -> None:
        """Lays out the modules for the workers."""
        modules = {path.name: path.read_text() for path in sorted(SOURCES.glob("*.py"))}
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "modules"}, "data": modules})

    def workers(self, count: int, *, name: str = "worker", pool: str = "main", wait: bool = True, **pod: Any) -> None:
        """Starts a Deployment of workers."""
        labels = {"app": name, POOL: pool}
        template = {"metadata": {"labels": labels}, "spec": worker_spec(**pod)}
        spec = {"replicas": count, "selector": {"matchLabels": {"app": name}}, "template": template}
        self.apply(_object("apps/v1", "Deployment", name, spec))
        if wait:
            self.wait_ready(count, f"app={name}")

    def worker(self, name: str, *, pool: str = "main", wait: bool = True, **pod: Any) -> None:
        """Starts a single worker that nothing replaces."""
        self.apply(_object("v1", "Pod", name, worker_spec(**pod), {"app": name, POOL: pool}))
        if wait:
            self.wait_ready(1, f"app={name}")

    def scale(self, count: int, name: str = "worker") -> None:
        """Scales a Deployment, and waits until as many pods as asked for are there."""
        self.kubectl("scale", f"deployment/{name}", f"--replicas={count}")
        self.wait_ready(count, f"app={name}")

    def ready(self, selector: str = POOL) -> list[str]:
        """Names of the ready pods."""
        return self.cluster.ready_pods(self.name, selector)

    def wait_ready(self, count: int, selector: str) -> list[str]:
        """Waits for exactly so many ready pods."""

        def enough() -> list[str] | None:
            found = self.ready(selector)
            return found if len(found) == count else None

        return until(f"{count} pods {selector} are ready in {self.name}", enough, seconds=120) or []

    def restarts(self, pod: str) -> int:
        """How often the containers of a pod have started anew."""
        found = self.cluster.core.read_namespaced_pod(pod, self.name).status.container_statuses or []
        return sum(status.restart_count for status in found)


def worker_spec(
    *,
    ready: bool = True,
    grace: int = 10,
    pre_stop: int = 0,
    concurrency: int = 10,
    behind_proxy: bool = False,
    wire_log: bool = False,
    tls: str = "",
    client_name: str = "",
) -> Json:
    """The pod of a worker with the ledgered handlers.

    Args:
        ready: False for one that serves but never says that it is ready.
        pre_stop: for so many seconds after its deletion it does not hear of it.
        behind_proxy: the operator reaches it through one that loses answers.
        wire_log: it is no worker of the SDK, but writes down all that reaches it.
        tls: the Secret with its certificate; empty for plain HTTP.
        client_name: what the certificate of the operator has to hold; empty for not asking for one.
    """
    probe = "/readyz" if ready else "/nobody-is-ready-here"
    command = ["python", "-u", "/app/wire_log.py"] if wire_log else ["warmworker", "serve", "ledgered"]
    container = _container(command, probe=probe, port="warmcron")
    container["env"] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "WARMWORKER_PUBLIC_KEYS_FILE", "value": "/etc/warmcron/public-keys/keys"},
        {"name": "LEDGER_URL", "value": f"http://{LEDGER}:8080/"},
        {"name": "WARMWORKER_GRACE_SECONDS", "value": str(max(grace - pre_stop - 2, 1))},
        {"name": "WARMWORKER_CONCURRENCY", "value": str(concurrency)},
    ]
    if pre_stop:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": pre_stop}}}
    spec = _pod_spec(container, grace=grace)
    if tls:
        _speak_tls(spec, tls, client_name)
    if behind_proxy:
        container["env"].append({"name": "WARMWORKER_PORT", "value": "8081"})
        proxy = _container(["python", "-u", "/app/lossy_proxy.py"], probe="/livez", port="warmcron")
        proxy["name"] = "proxy"
        for probe in ("startupProbe", "readinessProbe"):
            spec["containers"][0].pop(probe, None)
        spec["containers"][0].pop("ports")
        spec["containers"].insert(0, {key: value for key, value in proxy.items() if value is not None})
    return spec


def _speak_tls(spec: Json, secret: str, client_name: str) -> None:
    """By the lines of docs/security/tls.md."""
    directory = "/var/run/secrets/warmworker-tls"
    (container,) = spec["containers"]
    container["env"] += [
        {"name": "WARMWORKER_TLS_DIR", "value": directory},
        {"name": "WARMWORKER_TLS_CLIENT_NAME", "value": client_name},
    ]
    container["volumeMounts"].append({"name": "tls", "mountPath": directory, "readOnly": True})
    spec["volumes"].append({"name": "tls", "secret": {"secretName": secret}})
    for probe in ("startupProbe", "readinessProbe"):
        container[probe]["httpGet"]["scheme"] = "HTTPS"


def _container(command: list[str], *, probe: str, port: str) -> Json:
    return {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "ports": [{"name": port, "containerPort": 8080}],
        "startupProbe": {"httpGet": {"path": "/livez", "port": port}, "periodSeconds": 1, "failureThreshold": 60}
        if port == "warmcron"
        else None,
        "readinessProbe": {"httpGet": {"path": probe, "port": port}, "periodSeconds": 1, "timeoutSeconds": 2},
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": SECURITY,
        "volumeMounts": [
            {"name": "modules", "mountPath": "/app", "readOnly": True},
            {"name": "public-keys", "mountPath": "/etc/warmcron/public-keys", "readOnly": True},
            {"name": "state", "mountPath": "/var/lib/warmworker"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }


def _pod_spec(container: Json, *, grace: int) -> Json:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace,
        "securityContext": POD_SECURITY,
        "containers": [{key: value for key, value in container.items() if value is not None}],
        "volumes": [
            {"name": "modules", "configMap": {"name": "modules"}},
            {"name": "public-keys", "configMap": {"name": PUBLIC_KEYS, "optional": True}},
            {"name": "state", "emptyDir": {"sizeLimit": "64Mi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def _object(version: str, kind: str, name: str, spec: Json, labels: Json | None = None) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def publish_keys(cluster: Cluster, namespace: str) -> None:
    """Gives the workers of a namespace the operator's public keys, by the line of docs/security/keys.md."""
    text = (ROOT / "docs" / "security" / "keys.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("kubectl create configmap"))
    line = line.replace("--namespace warmcron ", "--namespace warmcron-system ").replace("my-namespace", namespace)
    cluster.run("sh", "-ec", line)


@contextmanager
def opened(cluster: Cluster, slug: str, *, ledger: bool = True) -> Iterator[Space]:
    """A namespace for as long as the test takes."""
    space = Space(cluster, f"e2e-{slug}-{secrets.token_hex(3)}")
    cluster.make_namespace(space.name)
    publish_keys(cluster, space.name)
    try:
        if ledger:
            space.open()
        yield space
    finally:
        cluster.drop_namespace(space.name)
