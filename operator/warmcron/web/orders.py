"""Orders: the question before each, which names the object and the kubectl line that does the same, and the deed."""

import asyncio
import json
import shlex
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from warmcron.errors import WarmcronError
from warmcron.spec.task import GROUP, TRIGGER_ANNOTATION
from warmcron.web import guard
from warmcron.web.site import Site, Visit, note
from warmcron.web.sources import Order
from warmcron.web.targets import OF_RUNS, Selection, Target, selected

NAMED: Final = 10
LINES: Final = 20
# Orders under way at once, of one form: the API server has others to serve.
AT_ONCE: Final = 8


async def confirm(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /confirm/{order}?on=…`, or `?every=1` and a search: asks first."""
    order = _order(request)
    asked = request.query_params
    found = await selected(site, visit, order, asked) if order else None
    if order is None or found is None or not found.targets:
        return site.missing(request, visit, ", ".join(asked.getlist("on")[:3]))
    return await _question(site, request, visit, order, found, back=asked.get("back", "/"))


async def obey(site: Site, request: Request, visit: Visit) -> Response:
    """`POST /orders/{order}`: does it, and goes back with a sentence about how it went."""
    order = _order(request)
    form = await guard.form(request)
    asked = QueryParams(form.pairs)
    back = guard.local_path(form.one("back"))
    found = await selected(site, visit, order, asked) if order else None
    if order is None or found is None or not found.targets:
        return site.missing(request, visit, "")
    t = visit.language.text
    if found.searched and form.one("digest") != found.digest:
        # Tasks came or went since the question: whoever said yes to 120 did not say yes to 130.
        return await _question(site, request, visit, order, found, back=back, changed=True)
    try:
        payload = _payload(form.one("payload"))
    except ValueError:
        return note(_go(back), t("Not done: the payload is not a JSON object."))
    lead, refused = await _all(site, visit, order, found.targets, payload)
    total = len(found.targets)
    told = [] if len(refused) == total else [_done(order, found.targets, total - len(refused), visit)]
    if refused:
        told.append(t("Refused for {n} of {total}: {why}", n=len(refused), total=total, why=refused[0]))
    return note(_go(lead if lead and total == 1 else back), " · ".join(told))


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


async def _question(  # noqa: PLR0913 - what the page says, each by name
    site: Site,
    request: Request,
    visit: Visit,
    order: Order,
    found: Selection,
    *,
    back: str,
    changed: bool = False,
) -> Response:
    targets = found.targets
    allowed = {
        namespace: await visit.viewer.may(order, namespace) for namespace in {each.namespace for each in targets}
    }
    return site.render(
        "confirm.html",
        request,
        visit,
        section="runs" if order in OF_RUNS else "tasks",
        order=order,
        total=len(targets),
        # What was named is sent back by name; what a search found is sent as that search.
        targets=targets[:NAMED] if found.searched else targets,
        searched={**found.searched, "every": "1", "digest": found.digest} if found.searched else {},
        lines=[kubectl(order, target) for target in targets[:LINES]],
        back=guard.local_path(back),
        forbidden=sum(not allowed[each.namespace] for each in targets),
        changed=changed,
    )


async def _all(
    site: Site, visit: Visit, order: Order, targets: Sequence[Target], payload: dict[str, Any] | None
) -> tuple[str, list[str]]:
    """Carries out every order; returns where the last leads, and what was refused and why."""
    waiting = iter(targets)
    refused: list[str] = []
    leads: list[str] = []

    async def work() -> None:
        for target in waiting:
            try:
                leads.append(await _do(site, visit, order, target, payload))
            except WarmcronError as error:  # the next one may be let through
                refused.append(f"{target.value}: {error}")
            await asyncio.sleep(0)  # the embedded mode's orders take no turn of their own

    await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(targets)))))
    return (leads[-1] if leads else ""), refused


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


def _done(order: Order, targets: Sequence[Target], count: int, visit: Visit) -> str:
    t = visit.language.text
    name = targets[0].value if len(targets) == 1 else t("{n} tasks", n=count)
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
