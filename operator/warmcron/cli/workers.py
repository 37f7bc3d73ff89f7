"""The verbs for workers: `workers`, and `doctor`, which says why a task does not run."""

from random import Random
from typing import Annotated, Final

import typer

from warmcron.cli import diagnosis, output
from warmcron.cli.target import AllNamespaces, Form, Namespace, Target
from warmcron.spec.task import POOL_LABEL

HEADS: Final = ("NAME", "POOL", "STATE", "RUNS", "VERSION", "HANDLERS", "REASON")
# What a finding means for the next run, for a program.
WORDS: Final = {diagnosis.Weight.FINE: "fine", diagnosis.Weight.NOTE: "note", diagnosis.Weight.STOPS: "stops"}


async def list_workers(
    *,
    target: Target,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Label selector of their pods, such as app=reports.")
    ] = "",
    pool: Annotated[str, typer.Option(help="Of one pool only.")] = "",
    form: Form = output.Format.TABLE,
) -> None:
    """List workers: the pods of pools, and whether they take runs."""
    async with target.backend() as backend:
        found = await backend.workers(None if all_namespaces else namespace or backend.namespace, selector)
    found = [worker for worker in found if pool in ("", worker.pool)]
    if form in (output.Format.JSON, output.Format.YAML):
        output.document(form, {"apiVersion": "v1", "kind": "List", "items": [worker.raw for worker in found]})
    elif form is output.Format.NAME:
        output.lines(f"pod/{worker.name}" for worker in found)
    elif not found:
        output.say(f"no workers: no pod has the label {POOL_LABEL}{' and what was asked for' if selector else ''}")
    else:
        first = ("NAMESPACE",) if all_namespaces else ()
        output.table(
            (*first, *HEADS),
            [
                (
                    *((worker.namespace,) if all_namespaces else ()),
                    worker.name,
                    worker.pool,
                    worker.state,
                    "?" if worker.runs is None else f"{worker.runs}/{worker.capacity}",
                    "?" if worker.version is None else worker.version or "<none>",
                    "?" if worker.handlers is None else ",".join(worker.handlers),
                    worker.reason,
                )
                for worker in found
            ],
        )


async def doctor(
    *,
    target: Target,
    name: Annotated[str, typer.Argument(help="The task.")],
    namespace: Namespace = None,
    form: Annotated[output.Plain, typer.Option("--output", "-o", help="How it is written.")] = output.Plain.TABLE,
) -> None:
    """Say why a task is not running: its state, and of every worker why it is passed over. Exit code 1 if it cannot."""
    async with target.backend() as backend:
        task = await backend.task(namespace or backend.namespace, name)
        workers = await backend.workers(task.namespace)
    findings = diagnosis.of(task, workers, random=Random(0))  # noqa: S311 - which worker is named first
    stops = any(finding.weight is diagnosis.Weight.STOPS for finding in findings)
    if form is output.Plain.JSON:
        told = [{"weight": WORDS[finding.weight], "text": finding.text} for finding in findings]
        output.as_json({"namespace": task.namespace, "name": task.name, "canRun": not stops, "findings": told})
    else:
        output.lines(f"{finding.weight}  {finding.text}" for finding in findings)
    if stops:
        raise typer.Exit(1)
