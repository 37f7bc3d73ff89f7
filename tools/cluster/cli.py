"""Reads the command line and calls the verb; it knows no details of any of them."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from cluster import appimages, engine, gobuild, kindcluster, lock, paths, status, toolbox, work
from cluster.errors import ClusterError
from cluster.paths import Paths
from cluster.progress import Progress
from cluster.shell import Runner, Shell


def parser() -> argparse.ArgumentParser:
    """Describes the verbs."""
    top = argparse.ArgumentParser(prog="tools/cluster", description="A kind cluster and the images for warmcron.")
    verbs = top.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="give a running kind cluster; a healthy one is reused")
    down = verbs.add_parser("down", help="delete the cluster")
    down.add_argument("--all", action="store_true", help="also stop the Docker engine that `up` started")
    images = verbs.add_parser("images", help="build the images and load them into the cluster")
    images.add_argument("--force", action="store_true", help="build even when nothing has changed")
    images.add_argument("names", nargs="*", help="operator, worker; both when none is named")
    verbs.add_parser("tools", help="print the folder that holds kind, kubectl, helm3 and helm4")
    verbs.add_parser("status", help="say as JSON what is up")
    return top


def say(text: str) -> None:
    """Prints one line for people."""
    print(text, file=sys.stderr, flush=True)


def down(where: Paths, run: Runner, *, everything: bool) -> None:
    """Deletes the cluster, and with it the engine that we started when everything is to go."""
    if engine.answers(run):
        kindcluster.delete(where, run)
        say("the cluster is deleted")
    else:
        say("no Docker engine answers, so there is no cluster")
    if everything:
        say("the Docker engine is stopped" if engine.stop(where) else "no Docker engine here was started by `up`")


def tools(where: Paths, run: Runner) -> None:
    """Prints the folder of tools, building what is missing."""
    names = [tool.name for tool in toolbox.TOOLS]
    toolbox.link_built(where, names)
    toolbox.link_installed(where, run, names)
    if lacking := toolbox.absent(where, names):
        env, never = gobuild.check_go(where, run), threading.Event()
        build = gobuild.GoBuild(where, env, gobuild.missing(where, lacking), never)
        progress = Progress(total=1)
        with progress.step(f"build {', '.join(lacking)}", expect="2 min after `up`", far=build.far):
            build.run()
        toolbox.link_built(where, names)
    print(where.tools)


def call(options: argparse.Namespace, where: Paths, run: Runner) -> None:
    """Calls the verb; those that change something wait for each other."""
    if options.verb == "status":
        print(json.dumps(status.status(where, run), indent=2))
        return
    with lock.held(where.lock, say):
        match options.verb:
            case "up":
                work.up(where, run)
            case "down":
                down(where, run, everything=options.all)
            case "images":
                appimages.images(where, run, options.names, force=options.force)
            case "tools":
                tools(where, run)


def main(argv: Sequence[str]) -> int:
    """Runs one verb; a problem ends as one message and an exit code."""
    options = parser().parse_args(argv)
    # What `make` or CI ends gets the same tidy end as Ctrl-C: no compiler goes on without us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        call(options, paths.here(), Shell())
    except ClusterError as problem:
        say(f"tools/cluster: {problem}")
        return problem.exit_code
    except KeyboardInterrupt:
        say("tools/cluster: interrupted; what was built stays in the cache")
        return 130
    return 0
