"""Joins everything: the only module that knows all the others. Start order, stop order, and what a new term does."""

import asyncio
import sys
from random import SystemRandom
from typing import Any, Final, cast

import kopf
import structlog
from aiohttp import web

from warmcron import garbage, probes
from warmcron.api.cluster import Port
from warmcron.config import Settings
from warmcron.core import lease, runs
from warmcron.core.tasks import RunRecord
from warmcron.errors import ConfigError, KubeError
from warmcron.hub import Hub
from warmcron.kube import client, paths, translate, watch
from warmcron.kube.elector import Elector
from warmcron.kube.mirror import Mirror
from warmcron.kube.recorder import Recorder
from warmcron.kube.reflector import Reflector
from warmcron.kube.statuses import StatusWriter
from warmcron.listeners import Listeners
from warmcron.observe import Metrics
from warmcron.spec.task import GROUP, PLURAL
from warmcron.workers.channels import CONNECT_SECONDS
from warmcron.workers.tls import Tls

log = structlog.get_logger("warmcron")

FLUSH_SECONDS: Final = 0.7


class App:
    """One replica of the operator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._random = SystemRandom()
        self._metrics = Metrics(eager=settings.log_level == "debug", named_tasks=settings.metrics_tasks)
        self._connection = client.connect()
        self._services: list[asyncio.Task[Any]] = []
        self._stopped = False

    async def run(self) -> None:
        """Runs until told to stop by SIGTERM or SIGINT."""
        await self._build()
        await self._check_crd()
        garbage.spare()
        runners = [await self._serve(self._probes(), self._settings.http_port)]
        runners.append(await self._serve(self._hub.callbacks.app(), self._settings.callback_port, self._tls))
        # Before kopf: what exists when it starts it leaves alone when it stops; we stop in `_stop`, in our order.
        works = [self._engine.run(), self._sync.run(), self._stand(), *self._listeners.works()]
        self._services += [asyncio.create_task(work) for work in works + ([self._tls.run()] if self._tls else [])]
        self._api.start()
        failed = asyncio.create_task(self._first_failure())
        try:
            await kopf.operator(
                registry=watch.registry(
                    login=client.connect,
                    on_pod=self._sync.on_pod,
                    on_stop=self._stop,
                ),
                settings=watch.settings(),
                # kopf would make one up from the user's name, which a numeric user in a container does not have.
                identity=cast("Any", self._settings.pod_name),
                clusterwide=not self._settings.watch_namespaces,
                namespaces=self._settings.watch_namespaces,
                stop_flag=failed,
            )
        finally:
            await self._stop()
            failed.cancel()
            for runner in runners:
                await runner.cleanup()
            await self._api.close()
            await self._hub.close()
            await self._listeners.close()
            await self._kube.close()
            await self._watch_kube.close()
            await self._lease_kube.close()

    async def _build(self) -> None:
        settings = self._settings
        self._kube = client.KubeClient(self._connection, timeout=15, limit=settings.status_writers + 2)
        self._watch_kube = client.KubeClient(self._connection, timeout=60, limit=0)
        self._lease_kube = client.KubeClient(self._connection, timeout=settings.lease_duration_seconds / 2, limit=2)
        signer, self._tls = settings.signer(), settings.tls()
        log.info("requests to workers are signed", public_keys=signer.public_keys)
        self._elector = self._make_elector()
        self._listeners = self._make_listeners()
        self._hub = Hub(
            gate=self._elector,
            recorder=self,
            intents=self,
            leader_address=lambda: self._elector.leader_address if not self._elector.may_send() else "",
            callback_url=settings.callback_url,
            callback_key=settings.callback_key(),
            signer=signer,
            tls=self._tls,
            metrics=self._metrics,
            random=self._random,
            reread=self._reread,
            journal=self._listeners.listener,
        )
        self._engine = self._hub.engine
        self._api = Port(
            settings, connection=self._connection, hub=self._hub, elector=self._elector, history=self._listeners.history
        )
        self._recorder = Recorder(
            writer=StatusWriter(client=self._kube, source=self._engine, metrics=self._metrics),
            gate=self._elector,
            inbox=self._engine,
            herd=self._hub.herd,
            writers=settings.status_writers,
            interval=settings.status_interval_seconds,
            random=self._random,
        )
        self._sync = watch.Sync(
            client=self._kube,
            namespaces=settings.watch_namespaces,
            tasks=[self._reflector(namespace) for namespace in settings.watch_namespaces or ("",)],
            pods=Mirror(apply=self._apply_pod, forget=self._forget_pod),
            seconds=settings.resync_seconds,
            random=self._random,
        )

    def _reflector(self, namespace: str) -> Reflector:
        return Reflector(
            client=self._watch_kube,
            path=paths.tasks(namespace),
            apply=self._apply_task,
            forget=self._forget_task,
            random=self._random,
        )

    def _make_listeners(self) -> Listeners:
        return Listeners(
            self._settings,
            epoch=lambda: self._elector.epoch,
            leading=self._elector.may_send,
            herd=lambda: self._hub.herd(),  # noqa: PLW0108 - the hub is made after this
            find=lambda uid: self._engine.tasks.get(uid),  # noqa: PLW0108 - the same
            follower=self,
            registry=self._metrics.registry,
            random=self._random,
            connection=self._connection,
        )

    def _make_elector(self) -> Elector:
        settings = self._settings
        duration = settings.lease_duration_seconds
        election = lease.Election(
            f"{settings.pod_name}_{self._random.randbytes(4).hex()}",
            duration=duration,
            margin=duration / 8,
            # How often a standby looks: 4 times a second by default, so a released lease waits 0.25 s at most.
            retry=duration / 16,
        )
        return Elector(
            client=self._lease_kube,
            election=election,
            namespace=settings.namespace,
            name=settings.lease_name,
            address=f"{'https' if self._tls else 'http'}://{_bracketed(settings.pod_ip)}:{settings.callback_port}",
            interval=duration / 4,
            send_seconds=min(CONNECT_SECONDS, duration / 4),
            on_lead=self._lead,
            on_follow=self._follow,
        )

    def note(self, uid: str, *, urgent: bool) -> None:
        """The engine's recorder: handed on, because engine and recorder need each other."""
        self._recorder.note(uid, urgent=urgent)
        self._listeners.note(uid)

    def commit(self, run: runs.Run) -> None:
        """The engine's writer of intents: the same."""
        self._recorder.commit(run)

    async def _reread(self, namespace: str) -> None:
        await self._sync.reread_tasks(namespace)

    def follows(self, run_id: str) -> bool | None:
        """Whether a run goes on; None until we lead and have heard every worker out."""
        return run_id in self._engine.runner.runs if self._engine.settled else None

    def record(self, task_uid: str, run_id: str) -> RunRecord | None:
        """How a run ended, if its task's status remembers it."""
        task = self._engine.tasks.get(task_uid)
        return next((each for each in task.history.recent if each.run_id == run_id), None) if task else None

    # ---- what the watch says ---------------------------------------------------------------------------------

    def _apply_task(self, raw: dict[str, Any]) -> None:
        try:
            self._hub.task_seen(raw)
        except Exception:  # one object that we cannot read must not take the others with it
            self._metrics.errors.labels("task").inc()
            log.exception("task not understood", object=str(raw.get("metadata", {}).get("name")))

    def _forget_task(self, raw: dict[str, Any]) -> None:
        uid = raw["metadata"]["uid"]
        self._hub.task_gone(uid)
        self._recorder.forget(uid)

    def _apply_pod(self, raw: dict[str, Any]) -> None:
        try:
            seen = translate.worker(raw)
            if seen is None:
                self._engine.forget_worker(raw["metadata"]["uid"], translate.why_gone(raw))
            else:
                self._hub.worker_seen(seen)
        except Exception:  # one pod that we cannot read must not take the others with it
            self._metrics.errors.labels("pod").inc()
            log.exception("pod not understood", object=str(raw.get("metadata", {}).get("name")))

    def _forget_pod(self, raw: dict[str, Any]) -> None:
        self._engine.forget_worker(raw["metadata"]["uid"], translate.why_gone(raw))

    # ---- leadership ------------------------------------------------------------------------------------------

    async def _stand(self) -> None:
        """Stands for election once everything has been seen: a leader that knows half would miss the other half."""
        await self._sync.done.wait()
        garbage.settle()
        await self._elector.run()

    def _lead(self) -> None:
        self._hub.lead()

    def _follow(self) -> None:
        self._hub.follow()
        self._listeners.follow()
        self._recorder.clear()
        if not self._stopped:
            self._sync.refresh()  # what the new leader writes must be read as a follower reads it

    # ---- start, stop, probes ---------------------------------------------------------------------------------

    async def _check_crd(self) -> None:
        namespace = next(iter(self._settings.watch_namespaces), "")
        try:
            await self._kube.get(paths.tasks(namespace), limit="1")
        except KubeError as error:
            hint = "install crds/ first" if error.status == 404 else "check the cluster and the operator's rights"  # noqa: PLR2004
            raise ConfigError(f"{PLURAL}.{GROUP} cannot be listed ({error}); {hint}") from None

    async def _serve(self, app: web.Application, port: int, tls: Tls | None = None) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            context = tls.server if tls else None
            await web.TCPSite(runner, self._settings.bind_address, port, ssl_context=context).start()
        except OSError as error:
            raise ConfigError(f"port {port} cannot be listened on: {error.strerror}") from None
        return runner

    def _probes(self) -> web.Application:
        return probes.app(
            alive=self._fault, ready=self._not_ready, metrics=self._metrics, refresh=self._hub.refresh_metrics
        )

    def _fault(self) -> str:
        dead = [task for task in self._services if task.done()]
        return f"{len(dead)} services have ended\n" if dead and not self._stopped else ""

    def _not_ready(self) -> str:
        return self._fault() or ("" if self._sync.done.is_set() else "not yet in sync\n")

    async def _first_failure(self) -> None:
        """Ends when a service ends, which none should: the process then stops and is started anew."""
        done, _ = await asyncio.wait(self._services, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled() and (error := task.exception()):
                log.error("service failed", exc_info=error)

    async def _stop(self) -> None:
        """Stops sending, writes what is known, gives leadership up. In that order: the standby starts at once."""
        if self._stopped:
            return
        self._stopped = True
        engine_task, *rest = self._services
        engine_task.cancel()
        await self._recorder.flush(FLUSH_SECONDS)
        await self._recorder.close()
        for task in rest:
            task.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        await self._elector.stop()
        self._metrics.write_lines(limit=sys.maxsize)


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip
