"""The elector against an API server in memory: what it writes, and what it makes of an answer that does not come."""

import asyncio
from typing import Any

import pytest

from fakes.kube import FakeKube, until
from warmcron.core import lease
from warmcron.kube.elector import Elector, clock

LEASES = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"


class Candidate:
    def __init__(self, kube: FakeKube, name: str, *, duration: float = 30) -> None:
        self.terms: list[str] = []
        client: Any = kube
        self.election = lease.Election(name, duration=duration, margin=duration / 8, retry=duration / 8)
        self.elector = Elector(
            client=client,
            election=self.election,
            namespace="ns",
            name="warmcron",
            address=f"http://{name}",
            interval=duration / 4,
            send_seconds=0.0,
            on_lead=lambda: self.terms.append("lead"),
            on_follow=lambda: self.terms.append("follow"),
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self.elector.run())

    async def kill(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def stop(self) -> None:
        await self.kill()
        await self.elector.stop()

    async def until_it_leads(self) -> None:
        await until(self.elector.may_send)


@pytest.fixture
def kube() -> FakeKube:
    found = FakeKube()
    spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": "t", "leaseTransitions": 7}
    found.put_object(f"{LEASES}/warmcron", {"metadata": {"name": "warmcron", "uid": "u"}, "spec": spec})
    return found


def written(kube: FakeKube) -> dict[str, Any]:
    return dict(kube.objects[f"{LEASES}/warmcron"]["spec"])


async def test_one_of_two_leads_and_the_other_knows_where(kube: FakeKube) -> None:
    one, two = Candidate(kube, "one"), Candidate(kube, "two")
    one.start()
    await one.until_it_leads()
    two.start()
    await asyncio.sleep(0.3)
    assert (one.terms, two.terms) == (["lead"], [])
    assert (one.elector.epoch, two.elector.epoch) == (8, 0)
    assert two.elector.leader_address == "http://one"
    await one.kill()
    await two.kill()


async def test_a_leader_that_stops_hands_over_at_once_and_in_the_next_term(kube: FakeKube) -> None:
    one, two = Candidate(kube, "one"), Candidate(kube, "two", duration=2)
    one.start()
    await one.until_it_leads()
    two.start()
    await one.stop()
    assert one.terms == ["lead", "follow"]
    assert written(kube)["holderIdentity"] in ("", "two")
    await two.until_it_leads()
    assert two.elector.epoch == 9
    await two.kill()


async def test_a_renewal_that_came_between_does_not_keep_the_lease_from_being_released(kube: FakeKube) -> None:
    one = Candidate(kube, "one")
    one.start()
    await one.until_it_leads()
    await one.kill()

    def renew(method: str, path: str) -> None:
        if method == "PUT" and written(kube)["renewTime"] != "late":
            found = kube.objects[path]
            kube.put_object(path, {**found, "spec": {**found["spec"], "renewTime": "late"}})

    kube.before = renew
    await one.elector.stop()
    assert written(kube)["holderIdentity"] == ""


async def test_who_stops_does_not_release_the_lease_of_a_successor(kube: FakeKube) -> None:
    one = Candidate(kube, "one")
    one.start()
    await one.until_it_leads()
    await one.kill()
    found = kube.objects[f"{LEASES}/warmcron"]
    spec = {**found["spec"], "holderIdentity": "two", "leaseTransitions": 9}
    kube.put_object(f"{LEASES}/warmcron", {**found, "spec": spec})
    await one.elector.stop()
    assert written(kube)["holderIdentity"] == "two"


async def test_a_renewal_whose_answer_is_lost_costs_no_term(kube: FakeKube) -> None:
    one = Candidate(kube, "one", duration=8)
    one.start()
    await one.until_it_leads()
    kube.faults = ["lost answer"]
    await until(lambda: kube.calls.count(("PUT", f"{LEASES}/warmcron")) >= 4)
    assert (one.terms, one.elector.epoch) == (["lead"], 8)
    await one.kill()


async def test_without_an_api_server_the_term_ends_by_itself(kube: FakeKube) -> None:
    one = Candidate(kube, "one", duration=1)
    one.start()
    await one.until_it_leads()
    kube.faults = ["lost request"] * 1000
    await until(lambda: one.terms == ["lead", "follow"])
    assert not one.elector.may_send()
    await one.kill()


async def test_what_it_writes_never_claims_less_time_than_it_acts(kube: FakeKube) -> None:
    one = Candidate(kube, "one", duration=2.9)
    one.start()
    await one.until_it_leads()
    assert written(kube)["leaseDurationSeconds"] == 3
    await one.kill()


async def test_a_deleted_lease_is_made_again_with_a_term_that_no_worker_takes_for_old(kube: FakeKube) -> None:
    one = Candidate(kube, "one", duration=1)
    one.start()
    await one.until_it_leads()
    del kube.objects[f"{LEASES}/warmcron"]
    await until(lambda: f"{LEASES}/warmcron" in kube.objects)
    await one.until_it_leads()
    assert one.terms[:3] == ["lead", "follow", "lead"]
    assert written(kube)["leaseTransitions"] > 50_000_000
    await one.kill()


def test_the_clock_of_the_lease_only_grows() -> None:
    assert clock() <= clock()
