"""Label selectors: a real API server reads them as the embedded mode does, and with the caller's own token."""

import uuid
from collections.abc import AsyncIterator
from urllib.parse import quote

import kopf
import pytest

from fakes.apiserver import ApiServer
from unit.local.test_labels import NONSENSE, OBJECTS, SELECTORS
from warmcron.kube import client as kube_client
from warmcron.kube.callers import Caller
from warmcron.kube.client import KubeClient, nobody
from warmcron.kube.labels import KubeLabels
from warmcron.web.sources import OrderError

TASKS = "/apis/warmcron.dev/v1alpha1/namespaces/{}/scheduledtasks"


@pytest.fixture(scope="module")
def namespace(server: ApiServer) -> str:
    name = f"t-{uuid.uuid4().hex[:8]}"
    assert server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})[0] == 201
    for task, labels in OBJECTS.items():
        body = {
            "apiVersion": "warmcron.dev/v1alpha1",
            "kind": "ScheduledTask",
            "metadata": {"name": task, "labels": labels},
            "spec": {"schedule": "@daily", "pool": "p", "handler": "h"},
        }
        status, answer = server.ask("POST", TASKS.format(name), body)
        assert status == 201, answer
    return name


def ask(server: ApiServer, namespace: str, selector: str) -> tuple[int, str]:
    """The status, and the names that were chosen."""
    status, answer = server.ask("GET", f"{TASKS.format(namespace)}?labelSelector={quote(selector)}")
    return status, "".join(sorted(item["metadata"]["name"] for item in answer.get("items", ())))


@pytest.mark.parametrize(("text", "names"), SELECTORS)
def test_the_api_server_chooses_the_same(server: ApiServer, namespace: str, text: str, names: str) -> None:
    assert ask(server, namespace, text) == (200, names)


@pytest.mark.parametrize("text", NONSENSE)
def test_the_api_server_refuses_the_same(server: ApiServer, namespace: str, text: str) -> None:
    assert ask(server, namespace, text)[0] == 400


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[KubeClient]:
    address = f"https://127.0.0.1:{server.port}"
    ours = kopf.ConnectionInfo(server=address, token=server.token, ca_path=str(server.certificate))
    found = KubeClient(nobody(ours), timeout=30, limit=2)
    yield found
    await found.close()


def caller(token: str) -> Caller:
    return Caller(name="", token=token, mark="", callers=None)  # type: ignore[arg-type]  # its rights are the server's to know


async def test_the_operator_asks_with_the_caller_s_token_and_page_by_page(
    server: ApiServer, namespace: str, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_client, "PAGE", 1)
    labels = KubeLabels(client)
    known = {
        item["metadata"]["uid"]: item["metadata"]["name"]
        for item in server.ask("GET", TASKS.format(namespace))[1]["items"]
    }

    found = await labels.select(caller(server.token), "team", namespaces=(namespace,))
    everywhere = await labels.select(caller(server.token), "team=shop", namespaces=None)

    assert {known[uid] for uid in found} == {"a", "b"}
    assert {known.get(uid) for uid in everywhere} >= {"b"}
    assert await labels.select(caller(server.token), "team", namespaces=()) == frozenset()


@pytest.mark.parametrize(("token", "selector", "status"), [("nobody-token", "team", 403), ("", "team", 401)])
async def test_what_the_cluster_refuses_the_caller_is_refused(
    client: KubeClient, namespace: str, token: str, selector: str, status: int
) -> None:
    with pytest.raises(OrderError, match="the cluster refused") as found:
        await KubeLabels(client).select(caller(token), selector, namespaces=(namespace,))
    assert found.value.status == status
