"""The list of workers: who is ready, who is busy, who is leaving, and what each can do."""

from collections import Counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from warmcron.web.site import Site, Visit
from warmcron.web.sources import WorkerRow

PAGE: Final = 50
STATES: Final = ("Ready", "Busy", "Draining", "NotReady")
TEXT_LIMIT: Final = 200


async def listed(site: Site, request: Request, visit: Visit) -> Response:
    """`GET /workers`: the list."""
    query = request.query_params
    text, state = query.get("q", "").strip()[:TEXT_LIMIT], query.get("state", "")
    found = [row for row in await site.live.workers(visit.scope) if _contains(row, text.casefold())]
    counts = Counter(row.state for row in found)
    shown = sorted(
        (row for row in found if not state or row.state == state),
        key=lambda row: (row.namespace, row.pool, row.name),
    )
    pages = max(1, -(-len(shown) // PAGE))
    wanted = query.get("page", "1")
    page = min(max(int(wanted) if wanted.isdecimal() and len(wanted) < 7 else 1, 1), pages)  # noqa: PLR2004
    return site.render(
        "workers.html",
        request,
        visit,
        section="workers",
        rows=shown[(page - 1) * PAGE : page * PAGE],
        total=len(shown),
        page=page,
        pages=pages,
        counts=counts,
        states=STATES,
        text=text,
        state=state if state in STATES else "",
    )


def _contains(row: WorkerRow, text: str) -> bool:
    where = (row.namespace, row.pool, row.name, row.version, *(row.handlers or ()))
    return not text or any(text in part.casefold() for part in where)
