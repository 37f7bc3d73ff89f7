"""A network of the benchmark's own: the process starts itself again in a new network namespace. Nothing leaves it.

Pods need addresses that are not loopback (the operator refuses those, and is not told otherwise for a benchmark), so
the whole range 10.99.0.0/16 is made local to the namespace. It vanishes with the last process in it.
"""

import os
import resource
import shutil
import subprocess
import sys
from ipaddress import IPv4Address
from typing import Final

NETWORK: Final = "10.99.0.0/16"
FIRST: Final = IPv4Address("10.99.0.1")
MARK: Final = "WARMCRON_BENCH_ISOLATED"


class CannotIsolateError(Exception):
    """The kernel gives no network namespace. Run as root, or allow unprivileged user namespaces."""


def enter() -> None:
    """Replaces this process by itself inside a namespace of its own; returns at once when it already is inside."""
    if os.environ.get(MARK):
        _set_up()
        return
    unshare = shutil.which("unshare")
    if unshare is None:
        raise CannotIsolateError("the program `unshare` (util-linux) is missing")
    flags = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    if subprocess.run([unshare, *flags, "true"], check=False).returncode:
        raise CannotIsolateError(CannotIsolateError.__doc__)
    command = [unshare, *flags, sys.executable, *sys.orig_argv[1:]]
    os.execvpe(unshare, command, {**os.environ, MARK: "1"})  # noqa: S606 - ourselves, with the same arguments


def _set_up() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Kubernetes wants to know by which address it is reached, and looks at the default route for it.
    subprocess.run(["ip", "route", "replace", "local", NETWORK, "dev", "lo"], check=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def address(number: int) -> str:
    """The address of the pod with this number."""
    return str(FIRST + number)
