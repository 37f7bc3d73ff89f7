"""The operator as `helm install` puts it into the cluster, and who of its replicas leads."""

import json
import secrets
from dataclasses import dataclass
from typing import Final

from e2e.cluster import CRD, ROOT, Cluster, CommandError, Json, until

CHART: Final = str(ROOT / "charts" / "warmcron")
CRD_FILE: Final = ROOT / "crds" / f"{CRD}.yaml"
IMAGES: Final = ("--set", "image.tag=dev", "--set", "demo.image.tag=dev")
OPERATOR: Final = "app.kubernetes.io/component=operator"


@dataclass
class Release:
    """One Helm release of the chart, in a namespace of its own."""

    cluster: Cluster
    namespace: str = "warmcron-system"
    name: str = "warmcron"
    helm: str = "helm4"

    @property
    def installed(self) -> bool:
        """Whether Helm knows it as deployed."""
        try:
            found = json.loads(self._helm("status", self.name, "-o", "json"))
        except CommandError:
            return False
        return bool(found["info"]["status"] == "deployed")

    def install(self, *more: str, crds: bool = True) -> None:
        """Installs it into a namespace that allows nothing special, or brings it up to date."""
        self.cluster.make_namespace(self.namespace)
        flags = [*IMAGES, "--set", f"crds.enabled={str(crds).lower()}", *more]
        if crds and self.helm == "helm4":  # a definition that kubectl has applied since is taken back from it
            flags += ["--server-side=true", "--force-conflicts"]
        self._helm("upgrade", "--install", self.name, CHART, "--wait", "--timeout", "3m", *flags)

    def renew(self) -> None:
        """Sees to it that it is installed, and that its pods run the images and the chart as they are now."""
        old = self.installed
        crds = self._owns_definition() or drop_unused_definition(self.cluster)
        # Other tests apply the definition by kubectl, and own its versions from then on.
        self.install(*(("--force-conflicts",) if old and self.helm == "helm4" else ()), crds=crds)
        if not crds:
            self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRD_FILE))
        if old:
            self.restart()

    def _owns_definition(self) -> bool:
        found = json.loads(self.cluster.kubectl("get", "crd", CRD, "--ignore-not-found", "-o", "json") or "{}")
        marks = found.get("metadata", {}).get("annotations", {})
        owner = (marks.get("meta.helm.sh/release-namespace"), marks.get("meta.helm.sh/release-name"))
        return owner == (self.namespace, self.name)

    def restart(self) -> None:
        """Replaces all pods, one after the other."""
        rollout = ("-n", self.namespace, "rollout")
        self.cluster.kubectl(*rollout, "restart", f"deployment/{self.name}")
        self.cluster.kubectl(*rollout, "status", f"deployment/{self.name}", "--timeout=120s")

    def uninstall(self) -> str:
        """Uninstalls it; returns what Helm says."""
        return self._helm("uninstall", self.name, "--wait", "--timeout", "2m")

    def test(self) -> str:
        """`helm test`."""
        return self._helm("test", self.name, "--timeout", "3m")

    def _helm(self, *argv: str) -> str:
        return self.cluster.helm(self.helm, "--namespace", self.namespace, *argv)

    # ---- the replicas ----------------------------------------------------------------------------------------

    def pods(self) -> list[str]:
        """Names of the replicas that are ready."""
        return self.cluster.ready_pods(self.namespace, OPERATOR)

    def holder(self) -> str:
        """The pod that holds the lease; empty if nobody does."""
        return str(self._lease().get("holderIdentity", "").rpartition("_")[0])

    def term(self) -> int:
        """The number of the term: it grows with every new leader."""
        return int(self._lease().get("leaseTransitions", 0))

    def _lease(self) -> Json:
        """The Lease's spec; empty before the first leader has made one."""
        find = ("get", "lease", self.name, "--ignore-not-found", "-o", "json")
        found = json.loads(self.cluster.kubectl("-n", self.namespace, *find) or "{}")
        return dict(found.get("spec", {}))

    def leader(self) -> str:
        """Waits until two replicas are ready and one of them leads."""

        def found() -> str | None:
            pods, holder = self.pods(), self.holder()
            return holder if len(pods) >= 2 and holder in pods else None

        return until("two replicas are ready and one leads", found, seconds=120) or ""

    def logs(self) -> list[Json]:
        """What all replicas have logged."""
        found: list[Json] = []
        for pod in self.cluster.pods(self.namespace, OPERATOR):
            text = self.cluster.kubectl("-n", self.namespace, "logs", pod.metadata.name)
            found += [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return found

    def scale(self, replicas: int) -> None:
        """Changes the number of replicas, and waits until as many are ready, and no other pod is left."""
        self.cluster.kubectl("-n", self.namespace, "scale", f"deployment/{self.name}", f"--replicas={replicas}")

        def done() -> bool:
            return len(self.pods()) == replicas == len(self.cluster.pods(self.namespace, OPERATOR))

        until(f"{replicas} replicas are there", done, seconds=120)

    def kill_process(self, pod: str) -> None:
        """SIGKILL to the operator's process."""
        self.cluster.kill(self.cluster.core.read_namespaced_pod(pod, self.namespace))


def drop_unused_definition(cluster: Cluster) -> bool:
    """Deletes a definition that an earlier release kept, unless there are tasks. True if there is none (any more)."""
    if not cluster.kubectl("get", "crd", CRD, "--ignore-not-found", "-o", "name"):
        return True
    if cluster.kubectl("get", "stask", "-A", "-o", "name"):
        return False
    cluster.kubectl("delete", "crd", CRD)
    return True


def new_namespace(slug: str) -> str:
    """A name that nobody has used."""
    return f"e2e-{slug}-{secrets.token_hex(3)}"
