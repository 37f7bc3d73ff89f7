"""Who asks and what they may is the cluster's answer to their own token; the operator's own is never used for it."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fakes.web import FakeHistory, cluster, run_row, task_row
from warmcron.core.tasks import TaskRef, manual_run_id
from warmcron.errors import KubeError
from warmcron.history.nothing import NothingKept
from warmcron.kube.callers import Caller, Callers
from warmcron.kube.client import KubeClient, nobody
from warmcron.kube.orders import KubeOrders
from warmcron.web.sources import Order, OrderError

UID = "6f1b2c3d-0000-4000-8000-000000000001"
# token: name, and the namespaces where they may list and patch; an empty one stands for all
PEOPLE: dict[str, tuple[str, dict[str, tuple[str, ...]]]] = {
    "t-admin": ("admin", {"": ("list", "patch")}),
    "t-dev": ("dev", {"a": ("list", "patch"), "b": ("list",)}),
}


class Cluster:
    """The few paths of an API server that are asked, with people and their rights."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.patches: list[tuple[str, str, Any]] = []
        self.down = False

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/apis/authentication.k8s.io/v1/selfsubjectreviews", self._self)
        app.router.add_post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self._access)
        app.router.add_patch("/apis/warmcron.dev/v1alpha1/namespaces/{namespace}/scheduledtasks/{name}", self._patch)
        return app

    def _who(self, request: web.Request) -> tuple[str, dict[str, tuple[str, ...]]]:
        self.asked[request.path.rsplit("/", 1)[-1]] += 1
        if self.down:
            raise web.HTTPServiceUnavailable
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in PEOPLE:
            raise web.HTTPUnauthorized
        return PEOPLE[token]

    async def _self(self, request: web.Request) -> web.Response:
        return web.json_response({"status": {"userInfo": {"username": self._who(request)[0]}}})

    async def _access(self, request: web.Request) -> web.Response:
        _, rights = self._who(request)
        asked = (await request.json())["spec"]["resourceAttributes"]
        assert (asked["group"], asked["resource"]) == ("warmcron.dev", "scheduledtasks")
        verbs = rights.get("", ()) + rights.get(asked["namespace"], ())
        return web.json_response({"status": {"allowed": asked["verb"] in verbs}})

    async def _patch(self, request: web.Request) -> web.Response:
        name, rights = self._who(request)
        namespace = request.match_info["namespace"]
        if "patch" not in rights.get("", ()) + rights.get(namespace, ()):
            return web.json_response({"message": f"{name} cannot patch"}, status=403)
        self.patches.append((name, f"{namespace}/{request.match_info['name']}", await request.json()))
        return web.json_response({"metadata": {"uid": UID}})


@pytest.fixture
def api() -> Cluster:
    return Cluster()


@pytest.fixture
async def client(api: Cluster) -> AsyncIterator[KubeClient]:
    async with TestServer(api.app()) as server:
        ours = kopf.ConnectionInfo(server=str(server.make_url("")), token="t-admin")
        found = KubeClient(nobody(ours), timeout=5, limit=4)
        yield found
        await found.close()


@pytest.fixture
def callers(client: KubeClient) -> Callers:
    return Callers(client=client, namespaces=lambda: ["a", "b", "c"])


async def caller(callers: Callers, token: str) -> Caller:
    found = await callers.viewer(token)
    assert found
    return found


@pytest.mark.parametrize("token", ["", "nothing", "t-admin t-admin", "t-admin\r\nx: y", "é", "x" * 20_000])
async def test_a_token_that_the_cluster_does_not_know_is_nobody(callers: Callers, token: str) -> None:
    assert await callers.viewer(token) is None


async def test_each_sees_the_namespaces_in_which_they_may_list(callers: Callers) -> None:
    admin, dev = await caller(callers, "t-admin"), await caller(callers, "t-dev")

    assert (admin.name, await admin.namespaces()) == ("admin", None)
    assert (dev.name, await dev.namespaces()) == ("dev", ("a", "b"))
    assert [await dev.may(Order.TRIGGER, namespace) for namespace in ("a", "b", "c")] == [True, False, False]


async def test_answers_are_believed_for_a_while(callers: Callers, api: Cluster) -> None:
    for _ in range(5):
        await (await caller(callers, "t-dev")).namespaces()

    assert api.asked == {"selfsubjectreviews": 1, "selfsubjectaccessreviews": 4}


class FakeKnown:
    """What an engine knows of runs: who waits, and what they were given."""

    def __init__(self) -> None:
        self.waiting: dict[str, TaskRef] = {}
        self.payloads: dict[str, bytes] = {}

    def task_of(self, run_id: str) -> TaskRef | None:
        return self.waiting.get(run_id)

    def own_payload(self, uid: str, run_id: str) -> bytes | None:
        return self.payloads.get(run_id)


async def test_a_cluster_that_does_not_answer_lets_nobody_in(callers: Callers, api: Cluster) -> None:
    api.down = True

    with pytest.raises(KubeError):
        await callers.viewer("t-admin")


async def test_orders_are_patches_in_the_callers_name(callers: Callers, client: KubeClient, api: Cluster) -> None:
    dev = await caller(callers, "t-dev")
    orders = KubeOrders(client=client, reader=FakeHistory(), known=FakeKnown())

    run_id = await orders.trigger(dev, "a", "report", payload={"n": 1})
    await orders.suspend(dev, "a", "report", suspend=True)

    (who, what, patch), suspended = api.patches
    annotations = patch["metadata"]["annotations"]
    assert (who, what) == ("dev", "a/report")
    assert run_id == manual_run_id(UID, annotations["warmcron.dev/trigger"])
    assert annotations["warmcron.dev/trigger-payload"] == '{"n":1}'
    assert suspended == ("dev", "a/report", {"spec": {"suspend": True}})


async def test_a_run_is_cancelled_by_an_annotation_and_only_while_it_goes_on(
    callers: Callers, client: KubeClient, api: Cluster
) -> None:
    admin, history = await caller(callers, "t-admin"), cluster(10).history
    orders = KubeOrders(client=client, reader=history, known=FakeKnown())
    running = next(row for row in history.rows.values() if row.finished is None and row.state == "Running")
    over = next(row for row in history.rows.values() if row.finished is not None)

    await orders.cancel(admin, running.run_id)
    with pytest.raises(OrderError, match="is over"):
        await orders.cancel(admin, over.run_id)
    with pytest.raises(OrderError, match="not known"):
        await orders.cancel(admin, "other")

    (patch,) = api.patches
    assert patch[1:] == (
        f"{running.namespace}/{running.task}",
        {"metadata": {"annotations": {"warmcron.dev/cancel": running.run_id}}},
    )


async def test_a_run_that_waits_for_its_turn_is_cancelled_though_the_history_does_not_have_it(
    callers: Callers, client: KubeClient, api: Cluster
) -> None:
    known = FakeKnown()
    known.waiting["waits"] = TaskRef(UID, "a", "report")
    orders = KubeOrders(client=client, reader=NothingKept(), known=known)

    await orders.cancel(await caller(callers, "t-admin"), "waits")

    (patch,) = api.patches
    assert patch[1:] == ("a/report", {"metadata": {"annotations": {"warmcron.dev/cancel": "waits"}}})


@pytest.mark.parametrize(
    ("payloads", "sent"),
    [
        ({"old": b'{"n":1}'}, '{"n":1}'),  # what it was given
        ({"another": b'{"n":1}'}, None),  # it had none, or nobody knows any more: the task's own
    ],
)
async def test_a_run_is_repeated_with_the_payload_that_it_was_given(
    callers: Callers, client: KubeClient, api: Cluster, payloads: dict[str, bytes], sent: str | None
) -> None:
    history, known = FakeHistory(), FakeKnown()
    history.add(run_row(task_row("a", "report"), 1_700_000_000, trigger="Manual", run_id="old"))
    known.payloads = payloads
    orders = KubeOrders(client=client, reader=history, known=known)

    await orders.retry(await caller(callers, "t-admin"), "old")

    ((_, _, patch),) = api.patches
    assert patch["metadata"]["annotations"]["warmcron.dev/trigger-payload"] == sent


async def test_what_the_cluster_refuses_is_refused_in_its_words(
    callers: Callers, client: KubeClient, api: Cluster
) -> None:
    orders = KubeOrders(client=client, reader=FakeHistory(), known=FakeKnown())

    with pytest.raises(OrderError, match="dev cannot patch") as refusal:
        await orders.trigger(await caller(callers, "t-dev"), "b", "report", payload=None)

    assert refusal.value.status == 403
    assert api.patches == []


def test_a_client_for_others_has_nothing_of_ours() -> None:
    ours = kopf.ConnectionInfo(
        server="https://api",
        ca_data=b"ca",
        token="t",
        certificate_data=b"c",
        private_key_data=b"k",
        username="u",
        password="p",
    )

    theirs = nobody(ours)

    assert (theirs.server, theirs.ca_data) == ("https://api", b"ca")
    assert not theirs.as_http_headers()
    assert theirs.certificate_data is None
