"""One real API server for all tests in here."""

from collections.abc import Iterator

import pytest

from fakes import apiserver
from fakes.apiserver import ApiServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with apiserver.running(tmp_path_factory.mktemp("apiserver")) as found:
        yield found
