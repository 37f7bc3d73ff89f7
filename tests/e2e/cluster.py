"""The kind cluster as a user has it: kubectl and helm as programs, and the API for reading. It asserts nothing."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import kubernetes
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
KUBECONFIG: Final = ROOT / ".cache" / "kubeconfig"
CONTEXT: Final = "kind-warmcron"
NODE: Final = "warmcron-control-plane"
GROUP: Final = "warmcron.dev"
VERSION: Final = "v1alpha1"
PLURAL: Final = "scheduledtasks"
PROGRAMS: Final = ("kubectl", "helm3", "helm4")
CRD: Final = f"{PLURAL}.{GROUP}"

Json = dict[str, Any]
T = TypeVar("T")


class ClusterUnavailableError(Exception):
    """There is no cluster to test on."""


class CommandError(AssertionError):
    """A program ended with an error; the message holds what it printed."""


def until(what: str, probe: Callable[[], T], *, seconds: float = 60, pause: float = 0.25) -> T:
    """Asks until the answer is true, and gives it back. An AssertionError of the probe counts as "not yet"."""
    end = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            if found := probe():
                return found
            last = found
        except AssertionError as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds:.0f} s. Last: {last}")
        time.sleep(pause)


def never(what: str, probe: Callable[[], object], *, seconds: float, pause: float = 0.5) -> None:
    """Watches for a while that something does not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        assert not found, f"{what}: {found}"
        time.sleep(pause)


def measured(text: str) -> None:
    """Something that was measured and is not judged; it is printed at the end of the session."""
    measurements.append(text)


measurements: list[str] = []


def call(*argv: str, stdin: str | None = None, timeout: float = 180, env: dict[str, str] | None = None) -> str:
    """Runs a program and returns its output; raises CommandError with everything it said."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=env, check=False)
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{' '.join(argv)}: no end within {timeout:.0f} s") from error
    if done.returncode:
        raise CommandError(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _path(tools: str) -> str:
    return f"{tools}{os.pathsep}{os.environ['PATH']}"


@dataclass(frozen=True)
class Cluster:
    """One cluster."""

    tools: str
    env: dict[str, str] = field(repr=False)

    @classmethod
    def have(cls) -> "Cluster":
        """Makes sure of a cluster that holds the images as they are now; raises ClusterUnavailableError."""
        tool = (sys.executable, str(ROOT / "tools" / "cluster"))
        try:
            if os.environ.get("WARMCRON_E2E_READY") != "1":
                call(*tool, "up", timeout=3600)
                call(*tool, "images", timeout=1800)
            tools = os.environ.get("WARMCRON_TOOLS") or call(*tool, "tools", timeout=900).strip()
        except (CommandError, OSError) as error:
            raise ClusterUnavailableError(str(error)) from error
        if missing := [name for name in PROGRAMS if not shutil.which(name, path=_path(tools))]:
            raise ClusterUnavailableError(f"not found: {', '.join(missing)}; `python3 tools/cluster tools` builds them")
        if not KUBECONFIG.exists():
            raise ClusterUnavailableError(f"there is no {KUBECONFIG}; `python3 tools/cluster up` writes it")
        env = {**os.environ, "KUBECONFIG": str(KUBECONFIG), "PATH": _path(tools)}
        cluster = cls(tools, env)
        try:
            cluster.kubectl("get", "--raw", "/readyz", timeout=20)
        except (CommandError, OSError) as error:
            raise ClusterUnavailableError(str(error)) from error
        return cluster

    def run(self, program: str, *argv: str, stdin: str | None = None, timeout: float = 180) -> str:
        """Runs a program that finds the tools and this cluster."""
        found = shutil.which(program, path=self.env["PATH"]) or program
        return call(found, *argv, stdin=stdin, timeout=timeout, env=self.env)

    def kubectl(self, *argv: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Runs kubectl on this cluster and on no other."""
        return self.run("kubectl", "--context", CONTEXT, *argv, stdin=stdin, timeout=timeout)

    def helm(self, program: str, *argv: str) -> str:
        """Runs `helm3` or `helm4` on this cluster and on no other."""
        return self.run(program, "--kube-context", CONTEXT, *argv, timeout=300)

    def apply(self, *objects: Json, namespace: str) -> str:
        """`kubectl apply` of objects."""
        return self.kubectl("apply", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all(objects))

    def get(self, path: str) -> Json:
        """Reads any path of the API; raises CommandError where kubectl would."""
        found: Json = json.loads(self.kubectl("get", "--raw", path))
        return found

    @cached_property
    def api(self) -> Any:
        """The Python client's connection."""
        connect: Any = kubernetes.config.new_client_from_config
        return connect(str(KUBECONFIG), context=CONTEXT)

    @cached_property
    def core(self) -> Any:
        """Pods, namespaces, events, logs."""
        return kubernetes.client.CoreV1Api(self.api)

    @cached_property
    def custom(self) -> Any:
        """ScheduledTasks."""
        return kubernetes.client.CustomObjectsApi(self.api)

    def pods(self, namespace: str, selector: str = "") -> list[Any]:
        """The pods of a namespace, oldest first."""
        found = self.core.list_namespaced_pod(namespace, label_selector=selector).items
        return sorted(found, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))

    def ready_pods(self, namespace: str, selector: str = "") -> list[str]:
        """Names of the pods that are ready and not on their way out."""
        return [
            pod.metadata.name
            for pod in self.pods(namespace, selector)
            if not pod.metadata.deletion_timestamp
            and any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or [])
        ]

    def kill(self, pod: Any) -> None:
        """SIGKILL to a pod's process, from the node: process 1 of a container does not hear it from inside."""
        self._tell(pod, "kill", "--signal", "SIGKILL")

    @contextmanager
    def frozen(self, pod: Any) -> Iterator[None]:
        """No process of a pod gets any further for as long as this takes."""
        self._tell(pod, "pause")
        try:
            yield
        finally:
            self._tell(pod, "resume")

    def _tell(self, pod: Any, verb: str, *flags: str) -> None:
        container = pod.status.container_statuses[0].container_id.partition("://")[2]
        call("docker", "exec", NODE, "ctr", "--namespace", "k8s.io", "tasks", verb, *flags, container)

    def answers(self) -> bool:
        """Whether the API server is there."""
        try:
            self.kubectl("get", "--raw", "/readyz", timeout=20)
        except CommandError:
            return False
        return True

    def make_namespace(self, name: str) -> None:
        """Creates a namespace in which only pods that ask for nothing special may run."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "warmcron.dev/e2e": "true"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body))

    def drop_leftovers(self) -> None:
        """Deletes what a run of the tests that was cut off has left: its tasks would keep the definition in use."""
        for name in self.kubectl("get", "namespaces", "-l", "warmcron.dev/e2e=true", "-o", "name").split():
            if name.startswith("namespace/e2e-"):
                self.kubectl("delete", name, timeout=180)

    def drop_namespace(self, name: str, *, wait: bool = False) -> None:
        """Deletes a namespace with everything in it."""
        self.kubectl("delete", "namespace", name, "--ignore-not-found", f"--wait={str(wait).lower()}")
