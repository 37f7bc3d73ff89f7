"""The chart on a cluster without an operator: install, test, demo, uninstall, with Helm 4 and Helm 3."""

import json
from collections.abc import Iterator

import pytest
import yaml

from e2e import release
from e2e.cluster import CRD, Cluster, CommandError, until
from e2e.release import Release
from e2e.tasks import Task, manifest

# What is in every namespace and is nobody's rubbish.
ALWAYS_THERE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
KINDS = (
    "pods,deployments,replicasets,services,jobs,configmaps,secrets,serviceaccounts,roles,rolebindings,"
    "leases,poddisruptionbudgets,networkpolicies"
)
ESTABLISHED = "jsonpath={.status.conditions[?(@.type=='Established')].status}"
CLUSTER_KINDS = "clusterroles,clusterrolebindings"


@pytest.fixture
def namespace(cluster: Cluster, no_operator: None) -> Iterator[str]:
    name = release.new_namespace("install")
    yield name
    cluster.drop_namespace(name)


def left(cluster: Cluster, namespace: str) -> set[str]:
    """What is in a namespace and on the cluster and looks like ours."""
    there = cluster.kubectl("-n", namespace, "get", KINDS, "-o", "name").split()
    whole = cluster.kubectl("get", CLUSTER_KINDS, "-l", "app.kubernetes.io/part-of=warmcron", "-o", "name").split()
    short = {name.replace(".apps", "").replace(".v1", "") for name in there + whole}
    return short - ALWAYS_THERE


@pytest.mark.parametrize("helm", ["helm4", "helm3"])
def test_install_test_demo_and_uninstall(cluster: Cluster, namespace: str, helm: str) -> None:
    # Helm 4 installs the definition and for the whole cluster; Helm 3 without the one and for one namespace alone.
    alone = helm == "helm3"
    if not alone:
        release.drop_unused_definition(cluster)
    else:
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(release.CRD_FILE))
    found = Release(cluster, namespace, name="try", helm=helm)
    more = ["--set", f"watchNamespaces={{{namespace}}}"] if alone else []
    found.install("--set", "demo.enabled=true", "--set", "demo.task.schedule=@every 2s", *more, crds=not alone)
    assert len(found.pods()) == 2
    hello = Task(cluster, namespace, "hello")
    until("hello has run on both workers", lambda: len({run["podName"] for run in hello.recent}) == 2)
    assert hello.status["failed"] == 0
    assert "Succeeded" in found.test()
    roles = cluster.kubectl("get", CLUSTER_KINDS, "-l", "app.kubernetes.io/part-of=warmcron", "-o", "name")
    assert (roles == "") is alone, "cluster roles are for an operator that watches the whole cluster"
    # The demo can be given up alone: its task goes with its workers.
    found.install("--set", "demo.enabled=false", *more, crds=not alone)
    until("the task is gone", lambda: not cluster.kubectl("-n", namespace, "get", "stask", "-o", "name"))
    found.uninstall()

    def nothing_left() -> bool:
        rest = left(cluster, namespace)
        assert not rest, rest
        return True

    until("nothing is left", nothing_left, seconds=45)
    assert cluster.kubectl("get", "crd", CRD, "-o", "name"), "the definition, and so every task, is kept"


def test_the_api_server_keeps_every_word_of_the_definition(cluster: Cluster, no_operator: None) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(release.CRD_FILE))
    until("it is established", lambda: "True" in cluster.kubectl("get", "crd", CRD, "-o", ESTABLISHED))
    ours = yaml.safe_load(release.CRD_FILE.read_text())["spec"]
    stored = json.loads(cluster.kubectl("get", "crd", CRD, "-o", "json"))["spec"]
    assert stored["versions"][0]["schema"] == ours["versions"][0]["schema"]
    assert stored["versions"][0]["additionalPrinterColumns"] == ours["versions"][0]["additionalPrinterColumns"]
    assert stored["names"] == ours["names"]


def test_a_task_that_was_there_before_the_operator_runs_once_it_is_installed(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(release.CRD_FILE))
    cluster.make_namespace(namespace)
    cluster.apply(manifest("early", schedule="@every 1s", pool="demo", handler="hello"), namespace=namespace)
    found = Release(cluster, namespace, name="late")
    found.install(
        "--set", f"watchNamespaces={{{namespace}}}", "--set", "demo.enabled=true", "--set", "replicaCount=1", crds=False
    )
    early = Task(cluster, namespace, "early")
    status = until("it has run", lambda: s if (s := early.status).get("succeeded") else None)
    assert status is not None
    # Minutes may lie between the task and the operator: RunLatest makes up for one tick, and counts the others.
    assert status["skipped"] >= status["missed"] >= 0
    found.uninstall()


def test_a_wrong_value_is_refused_before_anything_is_installed(cluster: Cluster, namespace: str) -> None:
    found = Release(cluster, namespace, name="wrong")
    with pytest.raises(CommandError, match="replicaCount"):
        found.install("--set", "replicaCount=many", crds=False)
    assert not left(cluster, namespace)
