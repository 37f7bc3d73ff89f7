"""warmcron's own HTTP API: the whole of the embedded mode, and the history of a cluster's."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp

from warmcron.cli.backend import Json, TaskView, WorkerView
from warmcron.errors import NotThereError, ServerError

PREFIX: Final = "/api/v1"
TIMEOUT: Final = 30.0
NOT_FOUND: Final = 404
AGAIN_SECONDS: Final = 1.0


class Server:
    """Fits `Backend`; and what only the API knows: runs, their logs, and how to end or repeat one.

    Args:
        token: the bearer token; empty for the embedded mode, which asks for none.
        namespace: the one that is meant when none is named.
    """

    def __init__(self, url: str, token: str = "", *, namespace: str = "default") -> None:
        self.namespace = namespace
        self._url = url.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._session = aiohttp.ClientSession(headers=headers)

    async def close(self) -> None:
        """Ends the connection."""
        await self._session.close()

    # ---- tasks and workers -----------------------------------------------------------------------------------

    async def tasks(self, namespace: str | None, selector: str) -> list[TaskView]:
        """Tasks by namespace and name."""
        wanted = {name: value for name, value in (("namespace", namespace), ("selector", selector)) if value}
        found: list[TaskView] = []
        page, pages = 1, 1
        while page <= pages:
            answer = await self._get("/tasks", page=str(page), **wanted)
            found += [_view(item) for item in answer["items"]]
            page, pages = page + 1, answer["pages"]
        return sorted(found, key=lambda task: (task.namespace, task.name))

    async def task(self, namespace: str, name: str) -> TaskView:
        """One task."""
        found = await self._get(f"/tasks/{namespace}/{name}")
        return _view(found["task"], found)

    async def trigger(self, task: TaskView, payload: Json | None) -> str:
        """Asks for a manual run."""
        body = {} if payload is None else {"payload": payload}
        answer = await self._post(f"/tasks/{task.namespace}/{task.name}/trigger", body)
        return str(answer["runId"])

    async def outcome(self, task: TaskView, run_id: str) -> Json | None:  # noqa: ARG002 - the protocol's signature
        """What the history says of a run."""
        try:
            run = (await self.run(run_id))["run"]
        except NotThereError:
            return None  # it is in the history once the operator has seen the request
        if run["state"] in ("Pending", "Running"):
            return None
        return {"outcome": run["state"], "reason": run["reason"], "podName": run["podName"]}

    async def suspend(self, task: TaskView, *, suspended: bool) -> None:
        """Suspends or resumes."""
        await self._post(f"/tasks/{task.namespace}/{task.name}/{'suspend' if suspended else 'resume'}", None)

    async def workers(self, namespace: str | None, selector: str = "") -> list[WorkerView]:
        """Workers with what they run and can."""
        wanted = {name: value for name, value in (("namespace", namespace), ("selector", selector)) if value}
        answer = await self._get("/workers", **wanted)
        return [
            WorkerView(
                namespace=item["namespace"],
                pool=item["pool"],
                name=item["name"],
                uid=item["uid"],
                state=item["state"],
                reason=item["reason"],
                runs=len(item["runs"]),
                capacity=item["capacity"],
                handlers=None if item["handlers"] is None else tuple(item["handlers"]),
                version=item["version"],
                raw=item,
            )
            for item in answer["items"]
        ]

    # ---- runs ------------------------------------------------------------------------------------------------

    async def runs(self, *, limit: int, **wanted: str | list[str]) -> list[Json]:
        """Runs, newest first. A search is gone on with until there are as many, or no line is left."""
        found: dict[str, Json] = {}  # a run with lines in two parts of a search comes with each
        cursor = ""
        while len(found) < limit:
            page = str(min(limit - len(found), 500))
            answer = await self._get("/runs", limit=page, **wanted, **({"cursor": cursor} if cursor else {}))
            found |= {run["runId"]: run for run in answer["items"]}
            cursor = answer["cursor"]
            if not cursor:
                break
        return list(found.values())

    async def run(self, run_id: str, *, namespace: str | None = None) -> Json:
        """One run with its attempts. Raises NotThereError for one of another namespace than was named."""
        found = await self._get(f"/runs/{run_id}")
        if namespace and (other := found["run"]["namespace"]) != namespace:
            raise NotThereError(f"no run {run_id} in namespace {namespace}: it is one of namespace {other}")
        return found

    async def expect(self, run_id: str, namespace: str | None) -> None:
        """Holds a run to the namespace that was named; without one, its id alone says which run it is."""
        if namespace:
            await self.run(run_id, namespace=namespace)

    async def tick(self, namespace: str, name: str, tick: str) -> Json:
        """What became of a tick: its run, the attempts, their lines."""
        return await self._get(f"/tasks/{namespace}/{name}/ticks/{tick}", lines="5000")

    async def last_lines(self, run_id: str, count: int) -> list[Json]:
        """The end of a run's log."""
        return list((await self._get(f"/runs/{run_id}/logs", tail=str(count)))["items"])

    async def cancel(self, run_id: str) -> None:
        """Tells a run to stop."""
        await self._post(f"/runs/{run_id}/cancel", None)

    async def retry(self, run_id: str) -> str:
        """Runs a run's task once more; returns the new run's id."""
        return str((await self._post(f"/runs/{run_id}/retry", None))["runId"])

    async def logs(self, run_id: str, *, follow: bool, tail: int | None = None) -> AsyncIterator[Json]:
        """Lines of a run, in order; of those so far only the last ones with `tail`; with `follow` until it is over."""
        if follow:
            async for line in self._stream(run_id, {} if tail is None else {"tail": str(tail)}):
                yield line
            return
        if tail is not None:
            for line in await self.last_lines(run_id, tail):
                yield line
            return
        after = 0
        while lines := (await self._get(f"/runs/{run_id}/logs", after=str(after), limit="1000"))["items"]:
            for line in lines:
                yield line
            after = lines[-1]["seq"]

    async def _stream(self, run_id: str, wanted: dict[str, str]) -> AsyncIterator[Json]:
        """Server-sent events; a connection that breaks is taken up where it was."""
        place, over = "", False
        while not over:
            back = {"last-event-id": place} if place else {}
            params = {"follow": "true", **wanted}
            async with self._ask("GET", f"/runs/{run_id}/logs", params=params, headers=back, seconds=None) as response:
                kind = ""
                async for raw in response.content:
                    field, _, value = raw.decode().rstrip("\r\n").partition(": ")
                    if field == "event":
                        kind = value
                    elif field == "id":
                        place = value
                    elif field == "data" and kind == "end":
                        over = True
                    elif field == "data":
                        yield json.loads(value)
            if not over:
                await asyncio.sleep(AGAIN_SECONDS)

    # ---- HTTP ------------------------------------------------------------------------------------------------

    async def _get(self, path: str, **params: str | list[str]) -> Json:
        pairs = [(key, one) for key, value in params.items() for one in ([value] if isinstance(value, str) else value)]
        async with self._ask("GET", path, params=pairs) as response:
            return dict(await response.json(content_type=None))

    async def _post(self, path: str, body: Json | None) -> Json:
        async with self._ask("POST", path, body=body) as response:
            return dict(await response.json(content_type=None) or {}) if response.status != 204 else {}  # noqa: PLR2004

    @contextlib.asynccontextmanager
    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        body: Json | None = None,
        headers: dict[str, str] | None = None,
        seconds: float | None = TIMEOUT,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; an answer that is a problem becomes an error that says it."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        url = self._url + PREFIX + path
        try:
            async with self._session.request(
                method, url, params=params, json=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status >= 300:  # noqa: PLR2004
                    message = _detail(await response.read()) or f"{self._url} answers {response.status}"
                    raise NotThereError(message) if response.status == NOT_FOUND else ServerError(message)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServerError(f"{self._url} does not answer: {error or type(error).__name__}") from None


def _detail(content: bytes) -> str:
    try:
        return str(json.loads(content)["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def _view(item: Json, detail: Json | None = None) -> TaskView:
    detail = detail or {}
    conditions = {found["type"]: found for found in detail.get("conditions", ())}
    ready = conditions.get("Ready", {})
    flags = item["flags"]
    settings = detail.get("settings", {})
    return TaskView(
        namespace=item["namespace"],
        name=item["name"],
        uid=item["uid"],
        schedule=item["schedule"],
        time_zone=item["timeZone"],
        suspended="Suspended" in flags,
        active=tuple(item["active"]),
        last=_time(item["lastScheduleTime"]),
        next=_time(item["nextScheduleTime"]),
        ready=ready.get("status", "False" if "Invalid" in flags else "True"),
        reason=ready.get("reason", ",".join(flags)),
        message=ready.get("message", item["message"]),
        created=_time(detail.get("created")),
        pool=item["pool"],
        handler=item["handler"],
        failures=item["consecutiveFailures"],
        concurrency=settings.get("concurrencyPolicy", ""),
        routing=settings.get("routingPolicy", ""),
        seen=True,
        workers_available="False" if "NoWorker" in flags else "True",
        counters=detail.get("counters", {}),
        recent=tuple({**run, "scheduledTime": _time(run["scheduledTime"])} for run in detail.get("recentRuns", ())),
        conditions=tuple(detail.get("conditions", ())),
        raw=detail or item,
    )


def _time(value: Any) -> str:
    return str(value)[:19] + "Z" if value else ""
