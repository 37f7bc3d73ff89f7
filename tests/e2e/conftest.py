"""Fixtures of the tests on a real cluster, and what is printed when one of them fails."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from e2e import release, space
from e2e.cluster import Cluster, ClusterUnavailableError, CommandError, measurements
from e2e.release import Release
from e2e.space import Space

HERE: Final = Path(__file__).parent
TEST_SECONDS: Final = 240
_clusters: list[Cluster] = []
_installed: set[str] = set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the installation come first: they need a cluster without an operator."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))
    first = [item for item in ours if item.path.name in ("test_install.py", "test_readme.py")]
    rest = [item for item in items if item not in first]
    items[:] = [item for item in rest if item not in ours] + first + [item for item in rest if item in ours]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """A test that fails says what the cluster looked like."""
    report = yield
    if report.failed and HERE in item.path.parents and _clusters:
        report.sections.append(("cluster", _what_is_there(_clusters[0])))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Figures are for reading, not for judging."""
    if measurements:
        terminalreporter.section("measured on the cluster")
        for line in measurements:
            terminalreporter.line(line)


def _what_is_there(cluster: Cluster) -> str:
    system = ("-n", "warmcron-system")
    commands = {
        "pods": ("get", "pods", "-A", "-o", "wide", "--field-selector=metadata.namespace!=kube-system"),
        "tasks": ("get", "stask", "-A", "-o", "yaml"),
        "leases": ("get", "leases", *system, "-o", "yaml"),
        "events": ("get", "events", "-A", "--sort-by=.lastTimestamp"),
        "operator": ("logs", *system, "-l", release.OPERATOR, "--prefix", "--tail=150"),
        "operator before": ("logs", *system, "-l", release.OPERATOR, "--prefix", "--tail=50", "--previous"),
    }
    parts = []
    for title, argv in commands.items():
        try:
            text = cluster.kubectl(*argv, timeout=30)
        except CommandError as error:
            text = str(error)
        parts.append(f"==== {title} ====\n{text[-60_000:]}")
    return "\n".join(parts)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    try:
        found = Cluster.have()
    except ClusterUnavailableError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"no cluster to test on: {error}", pytrace=False)
        pytest.skip(f"NOTHING HAS BEEN TESTED ON A CLUSTER: {error}")
    _clusters.append(found)
    found.drop_leftovers()
    yield found
    found.api.close()


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> Release:
    """The operator that watches the whole cluster, installed once for all tests."""
    found = Release(cluster)
    if found.namespace not in _installed:
        found.renew()
        _installed.add(found.namespace)
    found.leader()
    return found


@pytest.fixture(scope="module")
def no_operator(cluster: Cluster) -> None:
    """No operator that watches the whole cluster."""
    found = Release(cluster)
    if found.installed:
        found.uninstall()
    _installed.clear()


@pytest.fixture
def make_space(cluster: Cluster, operator: Release) -> Iterator[Callable[[str], Space]]:
    """Namespaces with a ledger in each."""
    with ExitStack() as stack:
        yield lambda slug: stack.enter_context(space.opened(cluster, slug))


@pytest.fixture(scope="module")
def shared(cluster: Cluster, operator: Release) -> Iterator[Space]:
    """One namespace with a ledger and two workers, for tests that do the workers no harm."""
    with space.opened(cluster, "shared") as found:
        found.workers(2)
        yield found
