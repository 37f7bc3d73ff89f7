"""Starts a Docker engine where none answers, and stops only the one that it started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster import runc_bounded
from cluster.errors import ClusterError
from cluster.paths import Paths
from cluster.shell import Runner, must

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
NETWORK = "kind"
BRIDGE = "warmcron0"
CONTAINERD_PID = Path("/var/run/docker/containerd/containerd.pid")


@dataclass(frozen=True, slots=True)
class Started:
    """The engine that we started, with the kernel's start time: a reused process id is not taken for it."""

    pid: int
    start_time: str


def answers(run: Runner) -> bool:
    """Says whether an engine answers."""
    return run.run("docker", "version", "--format", "{{.Server.Version}}", timeout=20).ok


def start_time(pid: int, proc: Path = Path("/proc")) -> str | None:
    """Returns when a process started, in the kernel's ticks, or None where none runs."""
    try:
        # The name in brackets may hold spaces; everything after the last bracket is fields.
        fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A killed process that nobody has waited for is still listed, as a zombie.
    return None if fields[0] in {"Z", "X"} else fields[19]


def ours(paths: Paths) -> Started | None:
    """Returns the engine that we started and that still runs."""
    try:
        started = Started(**json.loads((paths.run / "engine.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return started if start_time(started.pid) == started.start_time else None


def start(paths: Paths, run: Runner) -> None:
    """Starts dockerd in a session of its own, so that it outlives this call, and waits until it answers."""
    paths.run.mkdir(parents=True, exist_ok=True)
    paths.logs.mkdir(parents=True, exist_ok=True)
    pid_file, log = paths.run / "dockerd.pid", paths.logs / "dockerd.log"
    # Nobody but us writes the first, and ours is not running. A killed engine leaves the second behind,
    # and the next one would wait for a containerd that is gone.
    pid_file.unlink(missing_ok=True)
    remove_stale(CONTAINERD_PID, "containerd")
    argv = ["dockerd", "--pidfile", str(pid_file), "--ip-masq=false", *_runtime(paths)]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [run.which("dockerd") or "dockerd", *argv[1:]],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    began = start_time(process.pid)
    (paths.run / "engine.json").write_text(json.dumps(asdict(Started(process.pid, began or ""))))
    until = time.monotonic() + READY_SECONDS
    while not answers(run):
        if process.poll() is not None or time.monotonic() > until:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise ClusterError(f"dockerd did not come up; the end of its log {log}:\n{tail}")
        time.sleep(0.3)


def _runtime(paths: Paths) -> list[str]:
    """Asks for the bounded runtime where no privileged container could start without it."""
    if not runc_bounded.lacks_capability(Path("/proc/self/status").read_text()):
        return []
    program = paths.run / "runc-bounded"
    shutil.copyfile(paths.tool / "runc_bounded.py", program)
    program.chmod(0o755)
    return ["--add-runtime", f"bounded={program}", "--default-runtime", "bounded"]


def remove_stale(pid_file: Path, name: str, proc: Path = Path("/proc")) -> None:
    """Removes a pid file whose process is gone, or whose number another program has now."""
    try:
        pid = int(pid_file.read_text())
    except FileNotFoundError:
        return
    except ValueError:
        pid = 0
    running = start_time(pid, proc) is not None and (proc / str(pid) / "comm").read_text().strip() == name
    if not running:
        pid_file.unlink(missing_ok=True)


def keep_traffic_here(run: Runner) -> None:
    """Lets nothing leave the cluster's bridge for another network; only called for an engine of ours."""
    if not run.run("docker", "network", "inspect", NETWORK).ok:
        must(
            run.run(
                "docker", "network", "create", "--driver", "bridge",
                "--opt", f"com.docker.network.bridge.name={BRIDGE}",
                "--opt", "com.docker.network.bridge.enable_ip_masquerade=false", NETWORK,
            ),
            "creating the cluster's network",
        )  # fmt: skip
    bridge = _bridge(run)
    rule = ("DOCKER-USER", "-i", bridge, "!", "-o", bridge, "-j", "REJECT")
    iptables = run.which("iptables") or "iptables"
    if not run.run(iptables, "-w", "-C", *rule).ok:
        must(run.run(iptables, "-w", "-I", *rule), "keeping the cluster's traffic on this machine")


def _bridge(run: Runner) -> str:
    found = json.loads(must(run.run("docker", "network", "inspect", NETWORK), "reading the cluster's network"))[0]
    named: str | None = (found.get("Options") or {}).get("com.docker.network.bridge.name")
    return named or f"br-{found['Id'][:12]}"


def stop(paths: Paths) -> bool:
    """Stops the engine that we started, and says whether there was one."""
    started = ours(paths)
    if started is None:
        return False
    os.kill(started.pid, signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while start_time(started.pid) == started.start_time:
        _reap(started.pid)
        if time.monotonic() > until:
            raise ClusterError(
                f"dockerd (process {started.pid}) does not stop; its log is {paths.logs / 'dockerd.log'}"
            )
        time.sleep(0.2)
    (paths.run / "engine.json").unlink(missing_ok=True)
    return True


def _reap(pid: int) -> None:
    """Takes the exit of an engine that this very process started; any other is none of ours to wait for."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
