"""The commands of the README for a cluster, typed as they stand there, on a cluster without an operator."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from docs.blocks import cluster_blocks
from e2e import release
from e2e.cluster import CONTEXT, KUBECONFIG, ROOT, Cluster, call, until
from e2e.release import Release

NAMESPACE: Final = "warmcron"


@pytest.fixture
def shell(cluster: Cluster, no_operator: None, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody whose helm is Helm 4 and whose kubectl speaks to this cluster."""
    until("no task of an earlier test is left", lambda: release.drop_unused_definition(cluster), seconds=90)
    (tmp_path / "helm").symlink_to(Path(cluster.tools) / "helm4")
    config = tmp_path / "kubeconfig"
    config.write_text(KUBECONFIG.read_text())
    path = f"{tmp_path}{os.pathsep}{cluster.env['PATH']}"
    env = {**cluster.env, "PATH": path, "KUBECONFIG": str(config)}
    call("kubectl", "config", "use-context", CONTEXT, env=env)
    yield env
    Release(cluster, NAMESPACE).uninstall()
    cluster.drop_namespace(NAMESPACE, wait=True)


def test_the_readmes_commands_for_a_cluster_do_what_it_says(shell: dict[str, str]) -> None:
    said = [call("sh", "-eu", "-c", f"cd {ROOT}\n{block.text}", env=shell, timeout=300) for block in cluster_blocks()]
    assert len(said) > 2
    report = next(line for line in said[-1].splitlines() if line.startswith("report"))
    assert " True " in report, said[-1]
