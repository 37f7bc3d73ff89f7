"""A PostgreSQL server of Debian's packages in a folder of its own, on loopback; tests start theirs by it, too."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.processes import StartError

ROOT: Final = Path("/usr/lib/postgresql")
NOBODY: Final = 65534
ADMINISTRATOR: Final = "warmcron"


def programs() -> Path:
    """The folder with the newest initdb and pg_ctl; raises StartError where there is none."""
    found = sorted(ROOT.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise StartError("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


class Postgres:
    """One server on a port of its own; it can be stopped, killed, frozen and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._bin = folder, programs()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        """As its administrator."""
        return self.url_of(ADMINISTRATOR)

    def url_of(self, user: str, database: str = "postgres", password: str = "") -> str:
        """As somebody."""
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def init(self, *, wal_segment_megabytes: int = 16, **settings: str) -> None:
        """Makes its folder; settings are those of postgresql.conf."""
        self._run(
            "initdb",
            *("-D", self._data, "-U", ADMINISTRATOR, "-A", "trust"),
            *("-E", "UTF8", "--no-sync", "--locale=C.UTF-8", f"--wal-segsize={wal_segment_megabytes}"),
        )
        self.configure(port=str(self.port), listen_addresses="127.0.0.1", unix_socket_directories="", **settings)

    def configure(self, **settings: str) -> None:
        """Adds to postgresql.conf, for the next start or `reload`."""
        with (self.folder / "data" / "postgresql.conf").open("a") as config:
            config.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def admit(self, *rules: str) -> None:
        """Replaces the rules of who may connect and how (pg_hba.conf), for the next start or `reload`."""
        (self.folder / "data" / "pg_hba.conf").write_text("\n".join(rules) + "\n")

    def certify(self, certificate: Path, key: Path) -> None:
        """Turns TLS on, for the next start."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)  # fails here rather than in the server's log
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            target = self.folder / "data" / name
            target.touch(mode=0o600)
            target.write_bytes(source.read_bytes())
            if os.geteuid() == 0:
                os.chown(target, NOBODY, NOBODY)
        self.configure(ssl="on")

    def start(self) -> None:
        """Starts it and waits until it answers."""
        self._run("pg_ctl", "-D", self._data, "-w", "-t", "60", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops it; `immediate` is how a power cut would."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def reload(self) -> None:
        """Reads its configuration again."""
        self._run("pg_ctl", "-D", self._data, "reload")

    def sql(self, *texts: str) -> str:
        """What psql says, as the administrator; each text is a transaction."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", ADMINISTRATOR)
        commands = [part for text in texts for part in ("-c", text)]
        return self._run("psql", *where, "-v", "ON_ERROR_STOP=1", "-At", *commands, "postgres")

    def pids(self) -> list[int]:
        """The server's processes: its own and one for each connection and chore."""
        main = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def signal(self, number: signal.Signals) -> None:
        """Signals all of them: SIGSTOP is a server that answers nobody any more, SIGCONT its return."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):  # one that has just ended
                os.kill(pid, number)

    def limit_files(self, size: str) -> None:
        """None of its files may grow beyond that many bytes: a disk without room, as it sees it; or `unlimited`."""
        for pid in self.pids():
            try:
                self._run("/usr/bin/prlimit", "--pid", str(pid), f"--fsize={size}:")
            except StartError:
                if Path(f"/proc/{pid}").exists():  # else it was one that has just ended
                    raise

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
                check=False,
                timeout=600,
                **user,  # type: ignore[call-overload]
            )
        if done.returncode:
            raise StartError(f"{program} {' '.join(arguments)[:200]}: {self.tail()}")
        return str((done.stdout or b"").decode().strip())

    def tail(self) -> str:
        """The end of what its programs said."""
        return "\n".join((self.folder / "tool.log").read_text(errors="replace").splitlines()[-10:])


def _give_away(folder: Path) -> None:
    try:
        os.chown(folder, NOBODY, NOBODY)
    except OSError as error:  # root is all that there is in the namespace of a user
        raise StartError(
            "PostgreSQL refuses to run as root: run `python -m benchmarks history` by itself, without `all`"
        ) from error


@contextmanager
def started(*, wal_segment_megabytes: int = 16, **settings: str) -> Iterator[Postgres]:
    """A server that is stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="warmcron-pg-"))
    try:
        if os.geteuid() == 0:
            _give_away(folder)
        (folder / "tool.log").touch(mode=0o666)
        server = Postgres(folder)
        server.init(wal_segment_megabytes=wal_segment_megabytes, **settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
