"""A PostgreSQL server of Debian's packages in a folder of its own, for the tests that must see a real one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.waiting import free_ports

ROOT = Path("/usr/lib/postgresql")
NOBODY = 65534


def programs() -> Path | None:
    """The folder with the newest initdb and pg_ctl."""
    found = sorted(ROOT.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """One server on a port of its own; it can be stopped, killed, frozen and started again."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder, self._bin = folder, binaries
        (self.port,) = free_ports(1)

    @property
    def url(self) -> str:
        return f"postgresql://warmcron@127.0.0.1:{self.port}/postgres"

    def init(self) -> None:
        self._run(
            "initdb", "-D", self._data, "-U", "warmcron", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"
        )
        settings = (
            f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nshared_buffers='64MB'\n"
        )
        with (self.folder / "data" / "postgresql.conf").open("a") as config:
            config.write(settings)

    def start(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-t", "60", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def sql(self, text: str) -> str:
        return self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "warmcron", "-Atc", text, "postgres")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> str:
        # The server refuses to run as root.
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        with (self.folder / "tool.log").open("ab") as log:
            done = subprocess.run(
                [str(self._bin / program), *arguments],
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                stdout=subprocess.PIPE if program == "psql" else log,
                stderr=log,
                check=True,
                timeout=120,
                **user,  # type: ignore[call-overload]
            )
        return str((done.stdout or b"").decode().strip())


@contextmanager
def postgres() -> Iterator[Postgres]:
    binaries = programs()
    if binaries is None:
        reason = "PostgreSQL is not installed: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="warmcron-pg-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        (folder / "tool.log").touch(mode=0o666)
        server = Postgres(folder, binaries)
        server.init()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
