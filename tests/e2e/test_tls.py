"""TLS on the live cluster: runs and reports go by it, nothing goes without it, certificates change under load."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from e2e.cluster import Cluster, Json, until
from e2e.ledger import check_ticks, every
from e2e.release import OPERATOR, Release
from e2e.space import Space, opened
from fakes.authority import Authority

SECRET: Final = "warmcron-workers-tls"
OURS, NEXT, OTHERS = Authority(), Authority(), Authority()
# Asks one URL from inside the cluster; the authority comes by stdin. Prints the status, or what was wrong.
ASK: Final = """
import ssl, sys, urllib.error, urllib.request
trusted = sys.stdin.read()
context = ssl.create_default_context(cadata=trusted) if trusted else None
if context:
    context.check_hostname = False  # asked by address; whose it is, is in the chain
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=10, context=context).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError as error:
    print(type(getattr(error, "reason", error)).__name__)
"""


def secret(directory: Path, authority: Authority, name: str, *, trusted: tuple[Authority, ...] = ()) -> Json:
    """The data of a Secret of type kubernetes.io/tls with a new certificate, and whom its owner believes."""
    authority.secret(directory, name)
    data = {path.name: path.read_bytes() for path in directory.iterdir()}
    if trusted:
        data["ca.crt"] = b"".join(one.pem() for one in trusted)
    return {name: base64.b64encode(content).decode() for name, content in data.items()}


def put(cluster: Cluster, namespace: str, name: str, data: Json) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name}, "data": data}
    cluster.apply(body, namespace=namespace)


def ask(space: Space, url: str, authority: Authority | None = None) -> str:
    """What a pod of the namespace hears there, if it believes this authority."""
    argv = ("-n", space.name, "exec", "-i", "ledger", "--", "python", "-c", ASK, url)
    return space.cluster.kubectl(*argv, stdin=authority.pem().decode() if authority else "").strip()


@pytest.fixture(scope="module")
def secured(cluster: Cluster, operator: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """The operator with TLS, and a namespace with two workers that speak it; afterwards it is as it was."""
    folder = tmp_path_factory.mktemp("tls")
    crds = operator._owns_definition()
    with opened(cluster, "tls") as space:
        own = f"{operator.name}.{operator.namespace}.svc"
        put(cluster, operator.namespace, "warmcron-tls", secret(folder / "operator", OURS, own))
        put(cluster, space.name, SECRET, secret(folder / "workers", OURS, f"warmcron-workers.{space.name}.svc"))
        try:
            operator.install("--set", "tls.enabled=true", crds=crds)
            operator.leader()
            space.workers(2, tls=SECRET)
            yield space
        finally:
            operator.install(crds=crds)
            operator.leader()


def address(space: Space, selector: str) -> str:
    return str(space.cluster.pods(space.name, selector)[0].status.pod_ip)


def test_runs_and_reports_go_by_tls(secured: Space) -> None:
    quick = secured.task("quick", schedule="@every 1s", backoffLimit=0)
    # Longer than an answer is waited for: how it ends is known by a report alone.
    long = secured.task("long", handler="nap", payload={"seconds": 4})
    long.trigger("once")
    assert long.finished(seconds=90)["outcome"] == "Succeeded"
    until("it runs each second", lambda: quick.status.get("succeeded", 0) > 3, seconds=90)
    sent = {
        env.name: env.value
        for pod in secured.cluster.pods("warmcron-system", OPERATOR)
        for env in pod.spec.containers[0].env
    }
    assert sent["WARMCRON_CALLBACK_URL"].startswith("https://")
    assert quick.status["failed"] == 0
    quick.suspend()


def test_nothing_goes_without_tls_or_with_another_authority(secured: Space, operator: Release) -> None:
    worker = f"{address(secured, 'app=worker')}:8080/readyz"
    reports = f"{operator.name}.{operator.namespace}.svc:8081/api/task/runs/x/events"
    assert ask(secured, f"https://{worker}", OURS) == "200"
    assert ask(secured, f"https://{reports}", OURS) == "405", "only POST is asked there, and it answers by TLS"
    for url in (worker, reports):
        assert not ask(secured, f"http://{url}").isdecimal(), "plain HTTP is answered"
        assert ask(secured, f"https://{url}", OTHERS) == "SSLCertVerificationError"


@pytest.mark.parametrize(
    ("slug", "authority", "name"),
    [
        ("authority", OTHERS, "warmcron-workers.{}.svc"),  # signed by somebody else
        ("namespace", OURS, "warmcron-workers.default.svc"),  # another namespace's
    ],
)
def test_a_worker_with_another_certificate_gets_nothing(
    secured: Space, tmp_path: Path, slug: str, authority: Authority, name: str
) -> None:
    put(secured.cluster, secured.name, f"tls-{slug}", secret(tmp_path / slug, authority, name.format(secured.name)))
    secured.workers(1, name=f"strange-{slug}", pool=f"strange-{slug}", tls=f"tls-{slug}")
    task = secured.task(f"to-{slug}", pool=f"strange-{slug}", schedule="@every 1s", activeDeadlineSeconds=3)
    until("its runs have ended", lambda: len(task.recent) > 1, seconds=90)
    assert task.status.get("succeeded", 0) == 0
    assert secured.ledger.entries(task.name) == []
    secured.kubectl("delete", "stask", task.name)


def test_a_worker_that_asks_for_the_operators_certificate_lets_in_nobody_else(
    secured: Space, operator: Release
) -> None:
    secured.workers(
        1, name="asking", pool="asking", tls=SECRET, client_name=f"{operator.name}.{operator.namespace}.svc"
    )
    task = secured.task("asked", pool="asking", schedule="@every 1s", backoffLimit=0)
    until("it runs", lambda: task.status.get("succeeded", 0) > 2, seconds=90)
    base = f"https://{address(secured, 'app=asking')}:8080"
    assert ask(secured, f"{base}/readyz", OURS) == "200", "the kubelet has no certificate"
    assert ask(secured, f"{base}/api/task/runs", OURS) == "401"
    said = secured.kubectl("logs", secured.ready("app=asking")[0])
    assert "Traceback" not in said
    secured.workers(1, name="deaf", pool="deaf", tls=SECRET, client_name="somebody-else.svc")
    refused = secured.task("unheard", pool="deaf", schedule="@every 1s", activeDeadlineSeconds=3)
    until("its runs have ended", lambda: len(refused.recent) > 0, seconds=90)
    assert secured.ledger.entries("unheard") == []
    for name in ("asked", "unheard"):
        secured.kubectl("delete", "stask", name)


def renewals(cluster: Cluster, namespace: str, selector: str, text: str) -> list[int]:
    """How often each pod has said that it has read new certificates."""
    return [
        cluster.kubectl("-n", namespace, "logs", pod.metadata.name).count(text)
        for pod in cluster.pods(namespace, selector)
    ]


def hurry(cluster: Cluster, namespace: str, selector: str, nonce: str) -> None:
    """The kubelet looks at a pod's Secrets again when the pod changes, instead of within a minute or two."""
    cluster.kubectl("-n", namespace, "annotate", "pods", "-l", selector, "--overwrite", f"example.com/hurry={nonce}")


def test_the_authority_and_all_certificates_change_under_load_and_no_run_fails(
    secured: Space, operator: Release, tmp_path: Path
) -> None:
    """Both are believed, then the new one signs, then the old one is believed no more."""
    cluster, own = secured.cluster, f"{operator.name}.{operator.namespace}.svc"
    task = secured.task("steady", schedule="@every 1s", backoffLimit=0)
    until("it runs", lambda: task.status.get("succeeded", 0) > 2, seconds=90)
    parties = (
        (operator.namespace, "warmcron-tls", own, OPERATOR, "certificates renewed"),
        (secured.name, SECRET, f"warmcron-workers.{secured.name}.svc", "app=worker", "the certificate was renewed"),
    )
    for step, (signer, trusted) in enumerate(((OURS, (OURS, NEXT)), (NEXT, (OURS, NEXT)), (NEXT, (NEXT,))), start=1):
        before = {party: renewals(cluster, party[0], party[3], party[4]) for party in parties}
        for party in parties:
            namespace, name, host, selector, _ = party
            put(cluster, namespace, name, secret(tmp_path / f"{step}-{namespace}", signer, host, trusted=trusted))
            hurry(cluster, namespace, selector, f"step-{step}")
        for party, counts in before.items():

            def all_read(party: tuple[str, str, str, str, str] = party, counts: list[int] = counts) -> bool:
                return all(
                    new > old for new, old in zip(renewals(cluster, party[0], party[3], party[4]), counts, strict=True)
                )

            until(f"step {step} is read in {party[0]}", all_read, seconds=200, pause=2)
        more = task.status["succeeded"] + 6  # connections that idle are closed, so new ones are made
        until("runs go on", lambda more=more: task.status["succeeded"] > more, seconds=90)  # type: ignore[misc]
    assert ask(secured, f"https://{address(secured, 'app=worker')}:8080/readyz", OURS) == "SSLCertVerificationError"
    task.suspend()
    task.rest()
    assert (task.status["failed"], task.status["missed"], task.status.get("skipped", 0)) == (0, 0, 0)
    starts = secured.ledger.starts(task.name)
    last = max(entry.scheduled for entry in starts)
    check_ticks(task.uid, starts, every(1, created=task.created, after=0, until=last))
    assert {entry.attempt for entry in starts} == {1}
