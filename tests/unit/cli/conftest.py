"""A cluster that is none, and a shell that sees nothing of the one who runs the tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.command import Done, run
from fakes.kube_api import KubeApi


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "WARMCRON_SERVER", "WARMCRON_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def api() -> Iterator[KubeApi]:
    found = KubeApi()
    yield found
    found.close()


@pytest.fixture
def ctl(api: KubeApi, tmp_path: Path) -> Callable[..., Done]:
    """The command line with the kubeconfig of that cluster."""
    config = api.kubeconfig(tmp_path)

    def call(*arguments: str) -> Done:
        return run(*arguments, "--kubeconfig", str(config))

    return call
