"""One ScheduledTask on the cluster: applied, edited and triggered by kubectl as users do it, and read by the API."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from e2e.cluster import GROUP, PLURAL, VERSION, Cluster, Json, until

# A schedule that never comes up in a test: for tasks that are only triggered by hand.
RARELY = "0 0 1 1 *"


def epoch(text: str) -> int:
    """A time of the API as UTC epoch seconds."""
    return int(datetime.fromisoformat(text).timestamp())


def manifest(name: str, *, handler: str = "tick", pool: str = "main", schedule: str = RARELY, **spec: Any) -> Json:
    """A ScheduledTask as a user writes it."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ScheduledTask",
        "metadata": {"name": name},
        "spec": {"schedule": schedule, "pool": pool, "handler": handler, **spec},
    }


@dataclass
class Task:
    """A ScheduledTask by its name."""

    cluster: Cluster
    namespace: str
    name: str

    def read(self) -> Json:
        """The object as it is now."""
        found: Json = self.cluster.custom.get_namespaced_custom_object(
            GROUP, VERSION, self.namespace, PLURAL, self.name
        )
        return found

    @property
    def uid(self) -> str:
        """The uid, from which run ids are made."""
        return str(self.read()["metadata"]["uid"])

    @property
    def created(self) -> int:
        """When it was created, in UTC epoch seconds: `@every` counts from there."""
        return epoch(self.read()["metadata"]["creationTimestamp"])

    @property
    def status(self) -> Json:
        """The status, empty as long as the operator has said nothing."""
        found: Json = self.read().get("status") or {}
        return found

    @property
    def recent(self) -> list[Json]:
        """The runs that ended, newest first."""
        found: list[Json] = self.status.get("recentRuns") or []
        return found

    def condition(self, kind: str) -> Json:
        """One condition; empty if the operator has not set it for the spec as it is now."""
        raw = self.read()
        for found in (raw.get("status") or {}).get("conditions") or []:
            if found["type"] == kind and found["observedGeneration"] == raw["metadata"]["generation"]:
                return dict(found)
        return {}

    def events(self) -> list[Json]:
        """The Kubernetes Events about it, in the order in which they came up."""
        found = self.cluster.core.list_namespaced_event(
            self.namespace, field_selector=f"involvedObject.uid={self.uid}", _preload_content=False
        )
        items: list[Json] = json.loads(found.data)["items"]
        return sorted(items, key=lambda one: str(one["eventTime"]))

    def edit(self, **spec: Any) -> None:
        """Changes fields of the spec."""
        self._kubectl("patch", "stask", self.name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def suspend(self) -> None:
        """Suspends it, and waits until the operator says that it knows."""
        self.edit(suspend=True)
        until(f"{self.name} is suspended", lambda: self.condition("Ready").get("reason") == "Suspended")

    def accepted(self) -> bool:
        """Whether the operator has taken the spec as it is now."""
        return bool(self.condition("Ready").get("status") == "True")

    def rest(self) -> None:
        """Waits until nothing runs any more."""
        until(f"{self.name} is at rest", lambda: self.status["activeCount"] == 0)

    def ended(self, trigger: str) -> Json:
        """The newest run that ended of those by `Schedule`, or of those by `Manual`; empty if there is none."""
        return next((run for run in self.recent if run["trigger"] == trigger), {})

    def trigger(self, value: str, payload: Json | None = None) -> None:
        """Asks for a manual run."""
        more = [f"{GROUP}/trigger-payload={json.dumps(payload)}"] if payload is not None else []
        self._kubectl("annotate", "stask", self.name, "--overwrite", f"{GROUP}/trigger={value}", *more)

    def finished(self, run_id: str = "", *, seconds: float = 60) -> Json:
        """Waits for the record of a run, or of any run if none is named."""

        def found() -> Json | None:
            return next((run for run in self.recent if run_id in ("", run["runId"])), None)

        record = until(f"{self.name} has a finished run {run_id}", found, seconds=seconds)
        assert record is not None
        return record

    def _kubectl(self, *argv: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *argv)
