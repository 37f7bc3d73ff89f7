"""Joins the embedded mode: the cluster's hub with files, processes and a folder. Start order, stop order, the view."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

import structlog
from rich.console import Console
from rich.live import Live

from warmcron import __version__
from warmcron.core.tasks import PoolKey
from warmcron.errors import LocalError
from warmcron.history.history import History
from warmcron.history.retention import Limits
from warmcron.hub import Hub
from warmcron.local import folder, lines, modules, overview, process, view
from warmcron.local.files import Files, example
from warmcron.local.gate import Gate
from warmcron.local.manifests import Manifest
from warmcron.local.objects import Objects
from warmcron.local.port import Listening, Port
from warmcron.local.process import Plan
from warmcron.local.workers import Workers
from warmcron.observe import Metrics
from warmcron.workers.signing import Signer

log = structlog.get_logger("warmcron.dev")

POLL_SECONDS: Final = 0.5
DRAW_SECONDS: Final = 0.25
# The schedule begins when a worker is ready, or after this long without one.
FIRST_WORKER_SECONDS: Final = 10.0
DAY: Final = 86_400.0
# Tasks that have series of their own in /metrics.
NAMED_TASKS: Final = 1000
# What the history gets at the end to write what it still has.
HISTORY_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `warmcron dev` was asked for.

    Attributes:
        paths: files and folders with tasks; empty for the built-in example.
        port: None for 8321, or a free one where that is taken.
        plain: lines instead of the live view.
    """

    paths: tuple[Path, ...] = ()
    workers: int = 2
    modules: tuple[str, ...] = ()
    command: str = ""
    port: int | None = None
    state: Path = field(default_factory=lambda: Path(".warmcron"))
    grace: float = 5.0
    plain: bool = False


class Dev:
    """One embedded warmcron.

    Attributes:
        engine: the engine, once it runs.
        lines: what has been said.
    """

    def __init__(self, options: Options, console: Console) -> None:
        self._options, self._console = options, console
        self._files = Files(options.paths or (example(),))
        self._plan = _plan(options, self._files)
        self._listening = Listening(options.port)
        try:
            self._folder = folder.claim(options.state)
        except LocalError:
            self._listening.close()
            raise
        self._url = self._listening.url
        self._metrics = Metrics(named_tasks=NAMED_TASKS)
        self._gate = Gate(self._folder.starts)
        self._live = console.is_terminal and not options.plain
        self.lines = lines.Lines(None if self._live else self._print)
        self._told: asyncio.Queue[None] = asyncio.Queue()

    @property
    def declared(self) -> dict[str, Manifest]:
        """What the files say, by namespace/name."""
        return self._objects.declared

    async def run(self) -> None:
        """Runs until told to stop by SIGINT, SIGTERM or SIGHUP."""
        self._build()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._told.put_nowait, None)
        await self._serve()
        await self._workers.open()
        services: list[asyncio.Task[Any]] = []
        try:
            self._reload(first=True)
            self._banner()
            with self._watched():
                works = (self._objects.run(), self._history.run(), self._follow(), self._show())
                services += [asyncio.create_task(work) for work in works]
                await self._until_told(services)
        finally:
            await self._stop(services)
            await self._port.close()
            await self._hub.close()
            await self._history.close(HISTORY_SECONDS)
            self._folder.close()
            self._say("stopped; the next start goes on from here")

    def _build(self) -> None:
        self._objects = Objects(self._folder, apply=self._apply, forget=self._forget)
        signer = Signer.made()  # workers end with us, so neither key outlives this start
        self._history = History(
            url=f"sqlite:///{(self._folder.path / 'history.db').resolve()}",
            limits=Limits(seconds=7 * DAY, runs=100_000, line_seconds=7 * DAY, lines=500_000),
            epoch=lambda: self._gate.epoch,
            leading=self._gate.may_send,
            herd=lambda: self._hub.dispatcher.herd(),  # noqa: PLW0108 - the hub is made after this
            registry=self._metrics.registry,
        )
        self._hub = Hub(
            gate=self._gate,
            recorder=self._objects,
            intents=self._objects,
            leader_address=lambda: "",
            callback_url=self._listening.callback_url,
            callback_key=os.urandom(32),
            signer=signer,
            metrics=self._metrics,
            random=SystemRandom(),
            journal=self._history.journal,
        )
        self.engine = self._hub.engine
        self._objects.source = self.engine
        self._workers = Workers(
            replace(self._plan, environment={"WARMWORKER_PUBLIC_KEYS": ",".join(signer.public_keys)}),
            count=self._options.workers,
            folder=self._folder.path / "workers",
            lock_fd=self._folder.lock_fd,
            seen=self._hub.worker_seen,
            gone=self.engine.forget_worker,
            running=lambda uid: len(found.runs) if (found := self.engine.pool.get(uid)) else 0,
        )
        lines.install(self.lines, name_of=self._name_of)

    async def _until_told(self, services: list[asyncio.Task[Any]]) -> None:
        """The schedule runs, until a signal comes or something that should not end does."""
        told = asyncio.create_task(self._told.get())
        ready = asyncio.create_task(self._workers.any_ready.wait())
        await asyncio.wait({told, ready}, timeout=FIRST_WORKER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not told.done():
            self._hub.lead()
            services.append(asyncio.create_task(self.engine.run()))
        await asyncio.wait({told, *services}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        for service in services:
            if service.done():
                service.result()

    async def _stop(self, services: list[asyncio.Task[Any]]) -> None:
        """Nothing new is sent, workers finish what they have, what is known is written.

        A crash on any of these lines is what `folder` and the next start are made for.
        """
        self._gate.open = False
        for service in services:
            service.cancel()
        await asyncio.gather(*services, return_exceptions=True)
        self._say("stopping: workers finish what they have; Ctrl-C again ends them now")
        closing = asyncio.create_task(self._workers.close())
        again = asyncio.create_task(self._told.get())
        await asyncio.wait({closing, again}, return_when=asyncio.FIRST_COMPLETED)
        if again.done():
            self._workers.hurry()
        again.cancel()
        await closing
        self._objects.flush()

    async def _serve(self) -> None:
        self._port = Port(
            self._listening,
            hub=self._hub,
            objects=self._objects,
            reader=self._history.reader,
            metrics=self._metrics,
        )
        await self._port.open()
        found = {"url": self._url, "pid": os.getpid(), "version": __version__}
        folder.replace(self._folder.path / "server.json", json.dumps(found).encode())

    # ---- files and workers -----------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Takes up changes of the task files and of the handlers' modules."""
        stamps = modules.stamps(self._plan.python_path)
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self._reload()
            if (now := modules.stamps(self._plan.python_path)) != stamps and self._plan.modules:
                stamps = now
                log.info("code has changed: workers are started anew, one after the other")
                await self._workers.replace()

    def _reload(self, *, first: bool = False) -> None:
        found = self._files.poll()
        if found is None:
            return
        self._objects.declare(found, complete=not self._files.faults)
        self._workers.serve({PoolKey(one.namespace, one.spec["pool"]) for one in found})
        for fault in self._files.faults:
            log.error(str(fault))
        if not first:
            log.info("tasks read anew", count=len(found))

    def _apply(self, raw: dict[str, Any]) -> None:
        self._hub.task_seen(raw)

    def _forget(self, uid: str) -> None:
        self._hub.task_gone(uid)

    def _name_of(self, run_id: str) -> str:
        run = self.engine.runner.runs.get(run_id)
        return run.task.name if run else run_id[:8]

    # ---- what is shown ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """The live view, where there is a terminal."""
        if not self._live:
            self._view = None
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._view:
            yield
        self.lines.out = self._print

    async def _show(self) -> None:
        while True:
            if self._view:
                shown = overview.of(
                    self.engine,
                    title=f"warmcron dev  {self._url}",
                    faults=[str(fault) for fault in self._files.faults],
                    lines=self.lines.kept,
                    now=time.time(),
                    declared=self.declared,
                )
                self._view.update(view.draw(shown, height=self._console.height), refresh=True)
            await asyncio.sleep(DRAW_SECONDS)

    def _banner(self) -> None:
        names = ", ".join(self._plan.modules) or self._plan.command
        what = "the built-in example" if not self._options.paths else ", ".join(map(str, self._options.paths))
        self._say(f"warmcron {__version__}, embedded mode; Ctrl-C stops it")
        self._say(f"  Dashboard  {self._url}")
        self._say(f"  API        {self._url}/api/v1")
        self._say(f"  Metrics    {self._url}/metrics")
        self._say(f"  Tasks      {len(self.declared)} of {what}")
        self._say(f"  Workers    {self._options.workers} for each pool: {names}")
        self._say(f"  State      {self._folder.path} (start {self._folder.starts})")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _plan(options: Options, files: Files) -> Plan:
    if options.command:
        if options.modules:
            raise LocalError("--command and --module exclude each other: the command is the worker")
        process.check(options.command, files.folders[0])
        return Plan(command=options.command, directory=files.folders[0].resolve(), grace=options.grace)
    modules.check_sdk()
    folders = tuple(found.resolve() for found in files.folders) if options.paths else ()
    found = options.modules or modules.beside(folders) or (modules.DEMO,)
    return Plan(modules=found, python_path=folders, grace=options.grace)
