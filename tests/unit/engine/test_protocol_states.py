"""The run protocol under everything that can happen to it: real engines, pods with a run table, a network that loses,
delays and repeats, leaders that die between any two steps, and statuses written by compare-and-set.

Never: one attempt on two pods that live; a run on a second pod while the first still works on it; an AtMostOnce run
started twice. Always: when the faults end, every tick has ended, and has been counted once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.engine import START, World
from fakes.pods import FAILED, SUCCEEDED, Pod
from warmcron.core import runs
from warmcron.core.pool import Worker
from warmcron.engine import terms as terms_module
from warmcron.kube.statuses import holds
from warmcron.workers.protocol import Report

EVERY = 20
TASKS = {"once": "AtMostOnce", "least": "AtLeastOnce"}


@dataclass
class Request:
    """On its way to a pod. `leader` is who waits for the answer; nobody once that one has died."""

    leader: "Leader"
    kind: str
    about: runs.Attempt
    epoch: int
    task_uid: str
    scheduled: int


@dataclass
class Write:
    """A status on its way to the API server, after `version`; with an intent that waits for it, or without."""

    leader: "Leader"
    task: str
    body: dict[str, Any]
    version: int
    intent: runs.Attempt | None


class Leader(World):
    """One term of one replica. What it sends goes into the cluster's network."""

    def __init__(self, cluster: "Cluster", epoch: int) -> None:
        super().__init__(leading=False, now=cluster.now)
        self.cluster, self.clock = cluster, cluster.clock
        for part in (self.engine, self.engine.runner, self.engine._ticks, self.engine._terms):
            part._clock = cluster.clock
        self.gate.epoch = epoch
        self.engine.runner._sender = self
        self.engine.runner._intents = self
        self.versions: dict[str, int] = {}  # of what was written or read back in this term, as StatusWriter has them
        self.takeovers: list[Iterator[None]] = []
        self.intended: list[tuple[str, runs.Attempt]] = []

    def lead_with(self, reports: list[Report]) -> None:
        self.takeovers = [self.engine.opening(key, reports) for key in self.engine.lead()]

    def take_over(self, *, to_the_end: bool) -> None:
        """One task, or all; whatever else happens may happen between."""
        for takeover in self.takeovers:
            for _ in takeover:
                if not to_the_end:
                    break
        self.turn()

    def see(self, task: str) -> None:
        """The watch tells of a task as it was told to the standby by then."""
        version, written = self.cluster.seen[task]
        spec: dict[str, Any] = {"deliveryPolicy": TASKS[task], "schedule": f"@every {EVERY}s", "backoffLimit": 1}
        self.cluster.uids[task] = self.task(
            task,
            written=written,
            version=str(version),
            created=START,
            activeDeadlineSeconds=10_000,
            noWorkerPolicy="Wait",
            **spec,
        )

    # ---- sender and intents ----------------------------------------------------------------------------------

    def execute(self, run: runs.Run, worker: Worker) -> None:
        self._send("execute", run, worker)

    def ask(self, run: runs.Run, worker: Worker, *, fence: bool) -> None:
        self._send("fence" if fence else "ask", run, worker)

    def cancel(self, run: runs.Run, worker: Worker) -> None:
        self._send("cancel", run, worker)

    def _send(self, kind: str, run: runs.Run, worker: Worker) -> None:
        about = runs.Attempt(run.id, run.attempt, worker.uid)
        request = Request(self, kind, about, self.gate.epoch, run.task.uid, run.scheduled)
        self.cluster.network.append(request)

    def commit(self, run: runs.Run) -> None:
        """As the recorder does it: the status is rendered when the engine has finished what it is at."""
        self.intended.append((run.task.name, runs.Attempt(run.id, run.attempt, run.pod_uid)))

    def write_intents(self) -> None:
        while self.intended:
            self.write(*self.intended.pop(0))

    def write(self, task: str, intent: runs.Attempt | None = None) -> None:
        found = self.engine.status_of(self.cluster.uids[task])
        if found:
            version = self.versions.get(task) or int(self.engine.version_of(self.cluster.uids[task]))
            self.cluster.writes.append(Write(self, task, found[1], version, intent))
        elif intent:
            self.hear(intent, runs.NotCommitted("StatusNotWritten"))

    def hear(self, about: runs.Attempt, event: runs.Event) -> None:
        if self is self.cluster.leader:
            self.engine.on_event(about, event)


class Cluster(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.clock = World().clock
        self.pods: dict[str, Pod] = {}
        self.all_pods: list[Pod] = []
        self.network: list[Request] = []
        self.writes: list[Write] = []
        self.statuses: dict[str, tuple[int, dict[str, Any]]] = {name: (1, {}) for name in TASKS}
        self.uids: dict[str, str] = {}
        self.epoch = 0
        self.seen = dict(self.statuses)  # as the watch has told them so far
        self.slice, terms_module.SLICE = terms_module.SLICE, 1  # type: ignore[misc]
        for _ in range(2):
            self._add_pod()
        self._lead()

    @property
    def now(self) -> float:
        return self.clock.time

    # ---- leaders ---------------------------------------------------------------------------------------------

    def _lead(self) -> None:
        self.epoch += 1
        self.leader = Leader(self, self.epoch)
        for pod in self.pods.values():
            pod.epoch = self.epoch  # asked for its runs, it is told the term
            self.leader.worker(pod.name)
        for name in TASKS:
            self.leader.see(name)
        self.leader.lead_with([report for pod in self.pods.values() for report in pod.reports()])

    @rule()
    def the_leader_dies(self) -> None:
        """At once: what it sent is on its way, what it knew and did not write is lost."""
        self._lead()

    @rule(to_the_end=st.booleans())
    def the_takeover_goes_on(self, to_the_end: bool) -> None:
        self.leader.take_over(to_the_end=to_the_end)

    @rule(task=st.sampled_from(sorted(TASKS)))
    def the_watch_tells(self, task: str) -> None:
        """Of a write of this leader, of a user, or of the leader before: late, or later still."""
        self.seen[task] = self.statuses[task]
        self.leader.see(task)

    @rule(seconds=st.sampled_from([1, 5, EVERY, EVERY]))
    def time_passes(self, seconds: int) -> None:
        self.clock.time += seconds
        self.leader.turn()

    @rule(task=st.sampled_from(sorted(TASKS)))
    def a_status_is_sent(self, task: str) -> None:
        self.leader.write(task)

    @precondition(lambda self: self.writes)
    @rule(data=st.data(), answered=st.booleans())
    def a_write_arrives(self, data: st.DataObject, answered: bool) -> None:
        self._take(self.writes.pop(data.draw(st.integers(0, len(self.writes) - 1))), answered=answered)

    def _take(self, write: Write, *, answered: bool = True) -> None:
        version, _ = self.statuses[write.task]
        if version == write.version:
            self.statuses[write.task] = (version + 1, write.body)
            if write.leader.gate.epoch == self.epoch:
                write.leader.versions[write.task] = version + 1
        elif write.leader is self.leader and answered:
            self._conflict(write)
        self._settle(write)

    def _conflict(self, write: Write) -> None:
        """As StatusWriter does: read, take the task over again if nothing was written in this term, follow on."""
        version, found = self.statuses[write.task]
        first = write.task not in write.leader.versions
        write.leader.versions[write.task] = version
        if first:
            write.leader.engine.reread(self.uids[write.task], found, str(version))

    def _settle(self, write: Write) -> None:
        """An intent is believed only if the object is seen to hold it."""
        if write.intent is None:
            return
        _, found = self.statuses[write.task]
        there = holds(found, write.intent, write.leader.gate.epoch)
        write.leader.hear(write.intent, runs.Committed() if there else runs.NotCommitted("StatusNotWritten"))

    # ---- the network -----------------------------------------------------------------------------------------

    @precondition(lambda self: self.network)
    @rule(data=st.data(), fate=st.sampled_from(["answered", "answered", "answer lost", "repeated", "lost"]))
    def a_request_arrives(self, data: st.DataObject, fate: str) -> None:
        number = data.draw(st.integers(0, len(self.network) - 1))
        request = self.network[number] if fate == "repeated" else self.network.pop(number)
        self._deliver(request, fate)

    @precondition(lambda self: self.network)
    @rule()
    def all_requests_arrive(self) -> None:
        for request in list(self.network):
            self.network.remove(request)
            self._deliver(request)

    @precondition(lambda self: any(pod.running() for pod in self.pods.values()))
    @rule(data=st.data())
    def a_pod_with_runs_goes_and_the_leader_with_it(self, data: st.DataObject) -> None:
        """The rarest chance of all, and the one for which AtMostOnce is there."""
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if pod.running()]))
        del self.pods[pod.uid]
        self._add_pod()
        self._lead()

    def _deliver(self, request: Request, fate: str = "answered") -> None:
        silence = runs.NoAnswer("ConnectionLost") if request.kind == "execute" else runs.Unreachable()
        pod = self.pods.get(request.about.pod_uid)
        if pod is None or fate == "lost":
            request.leader.hear(request.about, silence)
            return
        answer = self._handle(pod, request)
        request.leader.hear(request.about, answer if fate == "answered" else silence)

    def _handle(self, pod: Pod, request: Request) -> runs.Event:
        run_id, attempt = request.about.run_id, request.about.number
        match request.kind:
            case "execute":
                scheduled, uid = request.scheduled, request.task_uid
                return pod.execute(run_id, attempt, epoch=request.epoch, task_uid=uid, scheduled=scheduled)
            case "fence":
                return pod.fence(run_id, attempt, epoch=request.epoch)
            case "cancel":
                return pod.cancel(run_id)
        return pod.ask(run_id)

    # ---- the pods --------------------------------------------------------------------------------------------

    def _add_pod(self) -> None:
        pod = Pod(f"pod-{len(self.all_pods)}")
        self.all_pods.append(pod)
        self.pods[pod.uid] = pod

    @precondition(lambda self: any(pod.running() for pod in self.pods.values()))
    @rule(data=st.data(), event=st.sampled_from([SUCCEEDED, SUCCEEDED, FAILED]), heard=st.booleans())
    def a_run_ends(self, data: st.DataObject, event: runs.Event, heard: bool) -> None:
        pod = data.draw(st.sampled_from([pod for pod in self.pods.values() if pod.running()]))
        run_id = data.draw(st.sampled_from(pod.running()))
        pod.end(run_id, event)
        if heard:
            self.leader.hear(runs.Attempt(run_id, pod.table[run_id].attempt, pod.uid), event)

    @rule(data=st.data())
    def a_container_restarts(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(list(self.pods.values()))).restart()

    @rule(data=st.data())
    def a_pod_is_replaced(self, data: st.DataObject) -> None:
        pod = self.pods.pop(data.draw(st.sampled_from(sorted(self.pods))))
        self._add_pod()
        self.leader.worker(self.all_pods[-1].name)
        self.leader.engine.forget_worker(pod.uid, "PodGone")

    # ---- what must hold --------------------------------------------------------------------------------------

    @invariant()
    def intents_are_on_their_way(self) -> None:
        if hasattr(self, "leader"):
            self.leader.write_intents()

    @invariant()
    def no_attempt_is_started_twice_among_pods_that_live(self) -> None:
        """What only a pod knew that is gone, and a leader that died before it wrote, nobody can know."""
        starts = [start for pod in self.pods.values() for start in pod.starts]
        assert len(starts) == len(set(starts)), starts

    @invariant()
    def no_run_goes_on_on_two_pods(self) -> None:
        running = [run_id for pod in self.pods.values() for run_id in pod.running()]
        assert len(running) == len(set(running)), running

    @invariant()
    def at_most_once_is_at_most_once(self) -> None:
        runs_of_once = {
            run_id for pod in self.all_pods for run_id, had in pod.table.items() if had.task_uid == self.uids["once"]
        }
        started = [run_id for pod in self.all_pods for run_id, _ in pod.starts if run_id in runs_of_once]
        assert len(started) == len(set(started)), started

    def teardown(self) -> None:
        """The faults end: all that is on its way arrives, and runs that go on succeed."""
        if hasattr(self, "leader"):
            terms_module.SLICE = self.slice  # type: ignore[misc]
            self.leader.take_over(to_the_end=True)
        for _ in range(400):
            if not hasattr(self, "leader"):
                return
            while self.network:
                self._deliver(self.network.pop(0))
            for pod in self.pods.values():
                for run_id in pod.running():
                    pod.end(run_id, SUCCEEDED)
                    self.leader.hear(runs.Attempt(run_id, pod.table[run_id].attempt, pod.uid), SUCCEEDED)
            self.leader.write_intents()
            while self.writes:
                self._take(self.writes.pop(0))
            self.leader.turn()
            self.leader.write_intents()
            found = [self.leader.status(uid) for uid in self.uids.values()]
            if not self.network and not self.writes and not any(each["active"] for each in found):
                break
            self.clock.time += 1
            self.leader.turn()
        for uid in self.uids.values():
            status = self.leader.status(uid)
            ended = status["succeeded"] + status["failed"] + status["skipped"]
            assert status["active"] == []
            assert ended == (int(self.now) - int(START)) // EVERY, status


TestCluster = Cluster.TestCase
TestCluster.settings = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # to shrink a failing history takes minutes, and explains little
)
