"""The command `warmworker`: reads options and imports the user's modules; never handles a request or a signal."""

import argparse
import importlib
import logging
import os
import socket
import sys
from collections.abc import Sequence
from typing import Final

from warmworker import logs, server, serving, settings
from warmworker.errors import PortInUse, UnknownModule, UsageError
from warmworker.settings import Settings
from warmworker.version import VERSION

USAGE_ERROR: Final = 2
_OPTIONS: Final = {
    "host": "address to listen on (0.0.0.0)",
    "port": "port to listen on (8080); 0 takes a free one",
    "concurrency": "how many runs at the same time (10)",
    "state_dir": "where the run table is kept (/var/lib/warmworker)",
    "grace_seconds": "how long running work may go on after SIGTERM (25)",
    "log_format": "text or json (text)",
    "public_keys": "public keys of the operator, whpk_..., separated by commas",
    "public_keys_file": "file with them; it is read again when it changes",
    "tls_dir": "directory with tls.crt, tls.key and ca.crt: serve and report by TLS",
    "tls_client_name": "name in the operator's certificate: let in nobody who shows another or none, probes apart",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 after a drain, 2 when the author or deployer has something to fix."""
    options = _parser().parse_args(argv)
    try:
        given = {name: getattr(options, name) for name in (*_OPTIONS, "insecure_accept_unsigned")}
        return _serve(options.modules, settings.read(**given))
    except UsageError as error:
        sys.stderr.write(f"warmworker: {error}\n")
        return USAGE_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="warmworker", description="Runs handlers for the warmcron operator.")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve the handlers of modules")
    serve.add_argument("modules", nargs="+", metavar="MODULE", help="a Python module with @task functions")
    for name, text in _OPTIONS.items():
        option = "--" + name.replace("_", "-")
        serve.add_argument(option, metavar="X", help=f"{text}; else the variable WARMWORKER_{name.upper()}")
    serve.add_argument(
        "--insecure-accept-unsigned",
        action="store_const",
        const="true",
        help="take requests from anybody who reaches the port: for trying things out on one machine only",
    )
    return parser


def _serve(modules: Sequence[str], configured: Settings) -> int:
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a path entry is text; modules in the working directory are found
    for module in modules:
        _import(module)
    logs.set_up(configured.log_format)
    application = server.app(configured)
    with _listen(configured) as listening:
        left = serving.serve(application, listening, configured)
    if left:
        # Threads that did not look at `cancelled` would keep the process until the kubelet kills it.
        logging.shutdown()
        os._exit(0)
    return 0


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except UsageError:
        raise
    except ModuleNotFoundError as error:
        absent = error.name is not None and f"{module}.".startswith(f"{error.name}.")
        what = "cannot be found" if absent else f"needs {error.name!r}, which cannot be found"
        raise UnknownModule(f"Module {module!r} {what}. Check its name, PYTHONPATH and what is installed.") from None
    except BaseException as error:  # whatever the user's module raises, sys.exit included
        cause = f"{type(error).__name__}: {error}"
        raise UnknownModule(f"Module {module!r} cannot be imported ({cause}). Import it in a Python shell.") from error


def _listen(configured: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in configured.host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay off for sockets that say they are TCP, and only for
    # those: without it, each answer waited 40 ms for an acknowledgement (measured).
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((configured.host, configured.port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        where = f"{configured.host} port {configured.port}"
        raise PortInUse(f"Cannot listen on {where} ({error}). Choose another with --host and --port.") from None
    return listening
