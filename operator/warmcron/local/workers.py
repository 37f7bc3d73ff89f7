"""What a Deployment and the kubelet are in a cluster: so many worker processes for each pool, probed and replaced."""

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import aiohttp
import structlog

from warmcron.core import standing
from warmcron.core.pool import Address, Worker
from warmcron.core.tasks import PoolKey
from warmcron.errors import LocalError
from warmcron.local import process
from warmcron.local.process import Plan, Process
from warmcron.spec.task import POOL_LABEL

log = structlog.get_logger("warmcron.dev")

PROBE_SECONDS: Final = 1.0
STARTING_SECONDS: Final = 0.05
LAST_WORD_SECONDS: Final = 0.3
# A worker that ends at once is not started again at once.
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 1.0, 10.0
STABLE_SECONDS: Final = 10.0
# After its grace a worker has this long for its last reports; then it is killed.
LAST_SECONDS: Final = 1.5


class Workers:
    """All worker processes.

    Args:
        count: how many for each pool.
        seen: a worker exists as described; gone: it does not any more, and why.
        running: how many runs a worker has, by uid.
    """

    def __init__(  # noqa: PLR0913 - what it is wired to, each by name
        self,
        plan: Plan,
        *,
        count: int,
        folder: Path,
        lock_fd: int,
        seen: Callable[[Worker], None],
        gone: Callable[[str, str], None],
        running: Callable[[str], int],
    ) -> None:
        self._plan, self._count = plan, count
        self._folder, self._lock_fd = folder, lock_fd
        self._seen, self._gone, self._running = seen, gone, running
        self._slots: dict[tuple[PoolKey, int], asyncio.Task[None]] = {}
        self._live: dict[str, Process] = {}  # by name
        self._ready: set[str] = set()  # uids
        self._stopping = False
        self.any_ready = asyncio.Event()

    async def open(self) -> None:
        """Makes ready to start workers."""
        shutil.rmtree(self._folder, ignore_errors=True)  # run tables of pods that are gone
        self._folder.mkdir(parents=True)
        self._session = aiohttp.ClientSession(trust_env=False)
        self._keeper = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "warmcron.local.keeper", stdin=asyncio.subprocess.PIPE, start_new_session=True
        )

    def serve(self, pools: Iterable[PoolKey]) -> None:
        """These pools are to have workers, and no others."""
        wanted = {(key, number) for key in pools for number in range(1, self._count + 1)}
        for slot in [slot for slot in self._slots if slot not in wanted]:
            self._slots.pop(slot).cancel()
        for key, number in sorted(wanted - self._slots.keys()):
            self._slots[key, number] = asyncio.create_task(self._keep(key, number))

    async def replace(self) -> None:
        """Starts every worker anew, one after the other, as a rolling update does: its code has changed."""
        for name, worker in list(self._live.items()):
            worker.stop()
            until = time.monotonic() + self._plan.grace + LAST_SECONDS + PAUSE_SECONDS_MAX
            while time.monotonic() < until:
                now = self._live.get(name)
                if self._stopping or (now and now is not worker and now.uid in self._ready):
                    break
                await asyncio.sleep(STARTING_SECONDS)

    def hurry(self) -> None:
        """Ends all workers without a grace."""
        for worker in self._live.values():
            worker.kill()

    async def close(self) -> None:
        """Stops all workers: each finishes what it has, within its grace."""
        self._stopping = True
        slots = list(self._slots.values())
        for slot in slots:
            slot.cancel()
        await asyncio.gather(*slots, return_exceptions=True)
        if self._keeper.stdin:
            self._keeper.stdin.close()
        await self._keeper.wait()
        await self._session.close()
        shutil.rmtree(self._folder / "runs", ignore_errors=True)

    async def _keep(self, key: PoolKey, number: int) -> None:
        """Keeps one worker alive until cancelled."""
        name = f"{key.name}-{number}" if key.namespace == "default" else f"{key.namespace}-{key.name}-{number}"
        pause = PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                worker = await process.start(name, self._plan, folder=self._folder, lock_fd=self._lock_fd)
            except LocalError as error:
                log.error("worker not started", worker=name, reason=str(error))  # noqa: TRY400 - a user's mistake
            else:
                self._live[name] = worker
                self._tell(f"+{worker.pid}")
                try:
                    await self._attend(key, worker)
                finally:
                    self._tell(f"-{worker.pid}")
                    del self._live[name]
            stable = time.monotonic() - began > STABLE_SECONDS
            pause = PAUSE_SECONDS if stable else min(pause * 2, PAUSE_SECONDS_MAX)
            await asyncio.sleep(0 if stable else pause / 2)

    async def _attend(self, key: PoolKey, worker: Process) -> None:
        """Probes a worker until it ends; when cancelled, ends it."""
        end = asyncio.create_task(worker.ended())
        try:
            while not end.done():
                reason = await worker.ready(self._session)
                if reason and worker.proved:  # its end, which explains it, may be on its way
                    await asyncio.wait({end}, timeout=LAST_WORD_SECONDS)
                if not end.done():
                    self._saw(key, worker, reason)
                pause = STARTING_SECONDS if reason == standing.STARTING else PROBE_SECONDS
                await asyncio.wait({end}, timeout=pause)
        except asyncio.CancelledError:
            worker.stop()
            _, late = await asyncio.wait({end}, timeout=self._plan.grace + LAST_SECONDS)
            if late:
                worker.kill()
                await end
            self._lost(worker, "stopped")
            raise
        self._report(worker, end.result())

    def _saw(self, key: PoolKey, worker: Process, reason: str) -> None:
        if not reason and worker.uid not in self._ready:
            self._ready.add(worker.uid)
            self.any_ready.set()
            log.info("worker ready", worker=worker.name, pid=worker.pid, port=worker.port)
        elif reason and worker.uid in self._ready:
            self._ready.discard(worker.uid)
            log.warning("worker not ready", worker=worker.name, pid=worker.pid, reason=reason)
        address = Address("127.0.0.1", worker.port) if worker.port else None
        seen = Worker(
            worker.uid,
            worker.name,
            key,
            address,
            not reason,
            started=worker.started,
            reason=reason,
            labels=((POOL_LABEL, key.name),),
        )
        self._seen(seen)

    def _report(self, worker: Process, how: str) -> None:
        """A worker ended that nobody had told to, or whose code has changed."""
        runs = self._running(worker.uid)
        if worker.proved:
            log.warning("worker ended", worker=worker.name, pid=worker.pid, reason=how, runs=runs)
        else:
            log.error("worker failed", worker=worker.name, pid=worker.pid, reason=how, said=worker.last_words())
        self._lost(worker, f"worker {how}")

    def _lost(self, worker: Process, reason: str) -> None:
        self._ready.discard(worker.uid)
        self._gone(worker.uid, reason)

    def _tell(self, line: str) -> None:
        if self._keeper.stdin and not self._keeper.stdin.is_closing():
            self._keeper.stdin.write(f"{line}\n".encode())
