"""`warmcron convert`: what other schedulers have, as ScheduledTasks; what cannot be carried over is said."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from warmcron.cli import from_cronjob, from_xxljob, inputs, output
from warmcron.cli.converted import Converted
from warmcron.errors import UsageError
from warmcron.local import documents

app = typer.Typer(help="Turn other schedulers' jobs into ScheduledTasks.", no_args_is_help=True)

File = Annotated[list[Path], typer.Option("--file", "-f", help="File, or - for standard input. Repeatable.")]
Pool = Annotated[str | None, typer.Option(help="The pool that has the code.")]


@app.command("cronjob")
def cronjob(
    *,
    file: File,
    pool: Pool = None,
    handler: Annotated[str | None, typer.Option(help="The handler; the CronJob's name when not given.")] = None,
) -> None:
    """Turn CronJobs into ScheduledTasks, printed as YAML; what has no place in one is said beside it."""
    found = [document.value for document in _documents(file)]
    jobs = [job for value in found for job in from_cronjob.jobs(value)]
    if not jobs:
        raise UsageError(f"{', '.join(map(str, file))}: no CronJob in it")
    _print(from_cronjob.convert(job, pool=pool, handler=handler) for job in jobs)


@app.command("xxl-job")
def xxl_job(
    *,
    file: File,
    pool: Pool = None,
    time_zone: Annotated[
        str, typer.Option(help="The zone of the XXL-JOB admin's machine, in which its schedules are read.")
    ] = "UTC",
) -> None:
    """Turn a job export of XXL-JOB's admin (JSON) into ScheduledTasks, printed as YAML."""
    rows: list[Any] = []
    for name, text, fault in inputs.texts(file):
        if fault:
            raise UsageError(str(fault))
        try:
            rows += from_xxljob.jobs(json.loads(text))
        except ValueError as error:
            raise UsageError(f"{name}: not a job export: {error}") from None
    _print(from_xxljob.convert(row, pool=pool, time_zone=time_zone) for row in rows)


def _documents(paths: list[Path]) -> Iterable[documents.Document]:
    for name, text, fault in inputs.texts(paths):
        if fault:
            raise UsageError(str(fault))
        found, faults = documents.read(text, name)
        if faults:
            raise UsageError("\n".join(map(str, faults)))
        yield from found


def _print(found: Iterable[Converted]) -> None:
    """Tasks as YAML to standard output, notes to standard error; exit code 1 if one of them cannot be a task."""
    failed = False
    for number, one in enumerate(found):
        for note in one.notes:
            output.say(f"{one.source}: {note}")
        if one.problem:
            failed = True
            output.say(f"{one.source}: NOT CONVERTED: {one.problem}")
            continue
        if number:
            output.lines(["---"])
        output.as_yaml(one.task)
    if failed:
        raise typer.Exit(1)
