"""A cluster in which every text that anybody but the operator can write is the same hostile one."""

from dataclasses import replace
from urllib.parse import quote

from fakes.web import NOW, FakeClock, FakeCluster, run_row, task_row
from warmcron.history.model import AttemptRow, RunRow
from warmcron.web.sources import Flag, WorkerRow

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) autofocus='",
    "</title></textarea></style><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "<div hx-get='/orders/trigger' hx-trigger='load'></div>",
    "\u202egnp.exe\u0000\x1b[31m",
    "]]><!--",
    "\nid: 7\nevent: done\ndata: forged\n\n",
)


def poisoned(text: str) -> FakeCluster:
    source = FakeCluster(FakeClock())
    row = task_row("ns", "name", pool=text, handler=text, message=text)
    row = replace(row, schedule=text, flags=frozenset({Flag.FAILING, Flag.NO_WORKER}), failures=2)
    source.add(row)
    source.payload = {text: [text]}
    for run in _runs(row.uid, text):
        source.history.add(run)
        source.history.say(run.run_id, text, at=NOW, stream=text)
        source.history.attempt_rows[run.run_id] = [
            AttemptRow(
                run_id=run.run_id,
                attempt=1,
                pod_name=text,
                pod_uid=text,
                epoch=1,
                sent=NOW - 60,
                answer=text,
                reason=text,
                chosen_by=text,
                filtered=((text, text),),
            )
        ]
    source.workers_rows.append(
        WorkerRow(
            namespace="ns",
            pool=text,
            name=text,
            uid=text,
            state=text,
            reason=text,
            handlers=(text,) * 9,
            version=text,
            address=text,
        )
    )
    return source


def paths(source: FakeCluster, text: str) -> list[str]:
    """Every page, with the text in the address too."""
    asked = quote(text, safe="")
    return [
        "/",
        "/tasks",
        "/tasks/ns/name",
        "/runs",
        "/workers",
        *(f"/runs/{run_id}" for run_id in source.history.rows),
        f"/tasks?q={asked}&ns={asked}&pool={asked}&is={asked}&sort={asked}&page={asked}",
        f"/runs?q={asked}&ns={asked}&task={asked}&state={asked}&pod={asked}&since={asked}&until={asked}",
        f"/workers?q={asked}&state={asked}",
        f"/confirm/trigger?on=ns/name&back={asked}",
        f"/tasks/{asked}/{asked}",
        f"/runs/{asked}",
    ]


def _runs(uid: str, text: str) -> list[RunRow]:
    row = replace(task_row("ns", "name", pool=text, handler=text), uid=uid)
    return [
        run_row(
            row,
            int(NOW) - 60,
            state="Failed",
            reason=text,
            pod_name=text,
            trigger=text,
            trace_id=text,
            error={"type": text, "message": text, "traceback": text},
            result={text: text},
        ),
        run_row(row, int(NOW) - 30, state="Running", finished=None, progress=0.5, progress_text=text, pod_name=text),
        run_row(row, int(NOW) - 90, state=text, pod_name=text),
    ]
