"""`warmcron next`: when a schedule is due, by the code that the operator runs. No cluster is asked."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from warmcron.cli import inputs, output
from warmcron.core import schedule, times, zones
from warmcron.errors import UsageError
from warmcron.spec.task import DaylightSavingPolicy, ScheduledTaskSpec

MAX_COUNT: Final = 10_000


def upcoming(  # noqa: PLR0913 - options are arguments
    *,
    file: Annotated[
        list[Path] | None, typer.Option("--file", "-f", help="File or folder with ScheduledTasks, or -. Repeatable.")
    ] = None,
    text: Annotated[str | None, typer.Option("--schedule", "-s", help="A schedule, instead of a file.")] = None,
    time_zone: Annotated[str, typer.Option("--time-zone", help="IANA name of the zone it is read in.")] = "UTC",
    daylight_saving_policy: Annotated[
        DaylightSavingPolicy, typer.Option(help="What happens on days the clocks change.")
    ] = DaylightSavingPolicy.RUN_ONCE,
    name: Annotated[
        str, typer.Option(metavar="NAMESPACE/NAME", help="The task's name, from which H is drawn.")
    ] = "default/task",
    created: Annotated[
        str | None, typer.Option(metavar="RFC3339", help="The task's creation, from which @every counts; --after.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="RFC3339", help="Only ticks after this instant; now when not given.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-c", help=f"How many, up to {MAX_COUNT}.")] = 10,
    form: Annotated[output.Plain, typer.Option("--output", "-o", help="How it is written.")] = output.Plain.TABLE,
) -> None:
    """Say when tasks are due next.

    JSON is a list of instants in UTC; with several tasks in the files, an object of such lists by namespace/name.
    """
    start = math.floor(inputs.instant(after, option="--after") if after is not None else inputs.now())
    anchor = inputs.second(created, option="--created") if created is not None else None
    if not 1 <= count <= MAX_COUNT:
        raise UsageError(f"--count: {count} is not a number from 1 to {MAX_COUNT}")
    if (text is None) == (file is None):
        raise UsageError("--schedule or --file: give one of them")
    if text is not None:
        if name.count("/") != 1:
            raise UsageError(f"--name: {name!r} is not a task; expected NAMESPACE/NAME")
        parsed = schedule.parse(
            text,
            zone=time_zone,
            policy=daylight_saving_policy,
            anchor=start if anchor is None else anchor,
            hash_key=name,
        )
        found = [(name, time_zone, parsed)]
    else:
        found = list(_of_files(file or [], anchor=anchor, start=start))
    due = {key: _ticks(parsed, start, count) for key, _, parsed in found}
    if form is output.Plain.JSON:
        lists = {key: [times.text(tick) for tick in ticks] for key, ticks in due.items()}
        output.as_json(lists if len(lists) > 1 else next(iter(lists.values())))
        return
    rows = ((key, times.text(tick), _local(tick, zone)) for key, zone, _ in found for tick in due[key])
    if len(found) > 1:
        output.table(("TASK", "UTC", "LOCAL"), rows)
    else:
        output.table(("UTC", "LOCAL"), (row[1:] for row in rows))


def _of_files(paths: list[Path], *, anchor: int | None, start: int) -> Iterator[tuple[str, str, schedule.Schedule]]:
    for task in inputs.tasks(paths):
        spec = ScheduledTaskSpec.model_validate_json(json.dumps(task.manifest.spec))
        if spec.suspend:
            output.say(f"{task.manifest.key} is suspended: none of these will start")
        origin = next(found for found in (anchor, task.created, start) if found is not None)
        yield (
            task.manifest.key,
            spec.time_zone,
            schedule.parse(
                spec.schedule,
                zone=spec.time_zone,
                policy=spec.daylight_saving_policy,
                anchor=origin,
                hash_key=task.manifest.key,
            ),
        )


def _ticks(found: schedule.Schedule, start: int, count: int) -> list[int]:
    ticks: list[int] = []
    for number in range(1, count + 1):
        start = found.next_after(start)
        if start > inputs.LATEST:
            raise UsageError(f"--count: tick {number} lies beyond the year {inputs.YEARS[-1]}")
        ticks.append(start)
    return ticks


def _local(tick: int, zone: str) -> str:
    """The zone's own clock, with what tells the two passes of a repeated hour apart."""
    return zones.zone(zone).local(tick).strftime("%a %Y-%m-%d %H:%M:%S %z %Z")
