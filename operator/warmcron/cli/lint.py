"""`warmcron lint`: whether the API server and the operator would take what files say. No cluster is asked."""

from pathlib import Path
from typing import Annotated

import typer

from warmcron.cli import inputs, output


def command(
    *, file: Annotated[list[Path], typer.Option("--file", "-f", help="File or folder with ScheduledTasks, or -.")]
) -> None:
    """Check ScheduledTasks without a cluster: exit code 2, and file, line and field of each mistake."""
    for task in inputs.tasks(file):
        output.lines([f"{task.manifest.file}:{task.manifest.line}: {task.manifest.key} is fine"])
