"""The run that docs/how-to/find-out-why.md tells of: acme's nightly report at 02:00, which failed on two pods."""

from fakes.web import run_row, task_row
from warmcron.core.tasks import tick_run_id
from warmcron.core.trace import trace_id
from warmcron.history.journal import Batch
from warmcron.history.model import AttemptRow, LogRow, RunRow, line_seq

TICK = 1_795_572_000  # 2026-11-25T02:00:00Z
TASK = task_row("acme", "nightly-report", schedule="0 2 * * *", pool="reports", handler="reports.nightly")
POD_A, POD_B, POD_C = (f"reports-5f7c9-{end}" for end in ("x2k8p", "q7m4t", "b9z1c"))
TRACEBACK = (
    'Traceback (most recent call last):\n  File "reports.py", line 41, in nightly\n    sheet.save(path)\n'
    "OSError: [Errno 28] No space left on device"
)
ERROR = {"type": "OSError", "message": "[Errno 28] No space left on device", "traceback": TRACEBACK}
PASSED_OVER = (POD_A, "an earlier attempt failed here")
# Pod, attempt, text.
SAID = (
    (POD_A, 1, "report for acme: 40 sheets"),
    (POD_A, 1, "sheet 17 of 40: the scratch disk is full"),
    (POD_B, 2, "report for acme: 40 sheets"),
    (POD_B, 2, "sheet 3 of 40: the scratch disk is full"),
)


def uid(pod: str) -> str:
    return f"uid-{pod}"


def run() -> RunRow:
    run_id = tick_run_id(TASK.uid, TICK)
    reason = "HandlerFailed: OSError: [Errno 28] No space left on device"
    return run_row(
        TASK,
        TICK,
        state="Failed",
        reason=reason,
        attempts=2,
        pod_name=POD_B,
        error=ERROR,
        trace_id=trace_id(run_id),
        finished=TICK + 19.0,
    )


def attempts() -> list[AttemptRow]:
    """The second one was refused by a pod that was full before another one took it."""
    run_id = run().run_id
    return [
        AttemptRow(
            run_id=run_id,
            attempt=number,
            pod_name=pod,
            pod_uid=uid(pod),
            epoch=3,
            sent=TICK + sent,
            ended=TICK + ended,
            answer=answer,
            reason=reason,
            chosen_by="LeastLoaded",
            filtered=filtered,
            error=error,
            scheduled=float(TICK),
        )
        for number, pod, sent, ended, answer, reason, filtered, error in (
            (1, POD_A, 0.1, 9.0, "Finished", "HandlerFailed", (), ERROR),
            (2, POD_C, 10.0, 10.1, "Refused", "WorkerBusy", (PASSED_OVER,), None),
            (2, POD_B, 10.2, 19.0, "Finished", "HandlerFailed", (PASSED_OVER,), ERROR),
        )
    ]


def lines() -> list[LogRow]:
    return [
        LogRow(
            run_id=run().run_id,
            attempt=attempt,
            seq=line_seq(attempt, 1, index),
            time=TICK + attempt * 9.0 - 3 + index,
            stream="stdout",
            text=text,
            pod_uid=uid(pod),
        )
        for index, (pod, attempt, text) in enumerate(SAID)
    ]


def batch() -> Batch:
    """As the service writes it."""
    found = Batch(runs={run().run_id: run()})
    found.attempts = {(row.run_id, row.attempt, row.pod_uid): row for row in attempts()}
    found.lines = [(line.time, line) for line in lines()]
    return found
