"""Orders: the question before each, which names the object and the kubectl line that does the same, and the deed."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from warmcron.spec.task import GROUP, TRIGGER_ANNOTATION
from warmcron.web import guard
from warmcron.web.runs import is_run_id
from warmcron.web.site import Site, Visit, note
from warmcron.web.sources import Order, OrderError

TASKS_AT_ONCE: Final = 200
OF_RUNS: Final = (Order.CANCEL, Order.RETRY)


@dataclass(frozen=True, slots=True)
class Target:
    """What an order is about: a task, or a run of it."""

    namespace: str
    name: str
    run_id: str = ""

    @property
    def value(self) -> str:
        """As a form sends it."""
        return self.run_id or f"{self.namespace}/{self.name}"


async def confirm(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /confirm/{order}?on=…`: asks first."""
    order = _order(request)
    targets = await _targets(site, visit, order, request.query_params.getlist("on")) if order else []
    if order is None or not targets:
        return site.missing(request, visit, ", ".join(request.query_params.getlist("on")[:3]))
    return site.render(
        "confirm.html",
        request,
        visit,
        section="runs" if order in OF_RUNS else "tasks",
        order=order,
        targets=targets,
        lines=[kubectl(order, target) for target in targets],
        back=guard.local_path(request.query_params.get("back", "/")),
        allowed=[await visit.viewer.may(order, target.namespace) for target in targets],
    )


async def obey(site: Site, request: Request, visit: Visit) -> Response:
    """`POST /orders/{order}`: does it, and goes back with a sentence about how it went."""
    order = _order(request)
    form = await guard.form(request)
    back = guard.local_path(form.one("back"))
    targets = await _targets(site, visit, order, form.all("on")) if order else []
    if order is None or not targets:
        return site.missing(request, visit, "")
    t = visit.language.text
    try:
        payload = _payload(form.one("payload"))
    except ValueError:
        return note(_go(back), t("Not done: the payload is not a JSON object."))
    refused: list[str] = []
    for target in targets:
        try:
            back = await _do(site, visit, order, target, payload) or back
        except OrderError as error:
            refused.append(f"{target.value}: {error}")
    if refused:
        return note(
            _go(back), t("Refused for {n} of {total}: {why}", n=len(refused), total=len(targets), why=refused[0])
        )
    return note(_go(back), _done(order, targets, visit))


def kubectl(order: Order, target: Target) -> str:
    """The line that does the same from a shell."""
    place = f"-n {shlex.quote(target.namespace)} {shlex.quote(target.name)}"
    match order:
        case Order.SUSPEND | Order.RESUME:
            patch = json.dumps({"spec": {"suspend": order is Order.SUSPEND}}, separators=(",", ":"))
            return f"kubectl patch scheduledtask {place} --type=merge -p {shlex.quote(patch)}"
        case Order.CANCEL:
            return f"kubectl annotate scheduledtask {place} --overwrite {GROUP}/cancel={shlex.quote(target.run_id)}"
    return f'kubectl annotate scheduledtask {place} --overwrite {TRIGGER_ANNOTATION}="$(date +%s)"'


async def _do(site: Site, visit: Visit, order: Order, target: Target, payload: dict[str, Any] | None) -> str:
    """Carries one order out; returns where to go, if it leads somewhere."""
    match order:
        case Order.TRIGGER:
            run_id = await site.orders.trigger(visit.viewer, target.namespace, target.name, payload=payload)
            return f"/runs/{run_id}"
        case Order.CANCEL:
            await site.orders.cancel(visit.viewer, target.run_id)
            return ""
        case Order.RETRY:
            return f"/runs/{await site.orders.retry(visit.viewer, target.run_id)}"
    await site.orders.suspend(visit.viewer, target.namespace, target.name, suspend=order is Order.SUSPEND)
    return ""


async def _targets(site: Site, visit: Visit, order: Order, values: Sequence[str]) -> list[Target]:
    """The objects that are there and may be seen."""
    found = []
    for value in dict.fromkeys(values[:TASKS_AT_ONCE]):
        if order in OF_RUNS:
            target = await _run(site, value)
        else:
            namespace, _, name = value.partition("/")
            task = await site.live.task(namespace, name)
            target = Target(namespace, name) if task else None
        if target and visit.sees(target.namespace):
            found.append(target)
    return found


async def _run(site: Site, run_id: str) -> Target | None:
    if not is_run_id(run_id):
        return None
    run = await site.reader.run(run_id)
    return Target(run.namespace, run.task, run_id) if run else None


def _order(request: Request) -> Order | None:
    name = request.path_params["order"]
    return Order(name) if name in tuple(Order) else None


def _payload(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return None
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError from None
    if not isinstance(found, dict):
        raise ValueError  # noqa: TRY004 - the same fault to the user as text that is no JSON
    return found


def _done(order: Order, targets: Sequence[Target], visit: Visit) -> str:
    t = visit.language.text
    name = targets[0].value if len(targets) == 1 else t("{n} tasks", n=len(targets))
    match order:
        case Order.TRIGGER:
            return t("Asked to run: {name}", name=name)
        case Order.SUSPEND:
            return t("Suspended: {name}", name=name)
        case Order.RESUME:
            return t("Resumed: {name}", name=name)
        case Order.CANCEL:
            return t("Asked to stop: {name}", name=name)
    return t("Asked to run again: {name}", name=name)


def _go(path: str) -> Response:
    return RedirectResponse(path, status_code=HTTPStatus.SEE_OTHER)
