#!/usr/bin/env python3
"""Draws docs/images/dev.svg: the live view of `warmcron dev` in the moment after one of its workers was killed.

usage: .venv/bin/python tools/picture.py   (takes about a minute; the picture names no font of another host)
"""

import asyncio
import io
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from warmcron.local import dev, overview, view

OUT = Path(__file__).parents[1] / "docs" / "images" / "dev.svg"
WIDTH, HEIGHT = 104, 26


async def main() -> None:
    """Runs the built-in example, kills the worker of a run that goes on, and draws what is shown once it has moved."""
    with tempfile.TemporaryDirectory() as state:
        options = dev.Options(state=Path(state), plain=True)
        session = dev.Dev(options, Console(file=io.StringIO()))
        running = asyncio.create_task(session.run())
        await told(session, "report | step 4")
        worker = next(found for found in session.engine.pool.all() if found.runs)
        match = re.search(rf"worker {worker.name} is ready \(process (\d+)", text(session))
        os.kill(int(match[1]) if match else 0, signal.SIGKILL)
        await told(session, "started on", after="goes elsewhere")
        await told(session, "report | step 4", after="goes elsewhere")
        draw(session)
        os.kill(os.getpid(), signal.SIGINT)
        await running


def draw(session: dev.Dev) -> None:
    """Writes the picture."""
    shown = overview.of(
        session.engine,
        title="warmcron dev",
        faults=[],
        lines=session.lines.kept,
        now=time.time(),
        declared=session.declared,
    )
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ make run", style="bold"))
    console.print(view.draw(shown, height=HEIGHT))
    svg = console.export_svg(title="warmcron dev")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    OUT.write_text(re.sub(r"Fira Code", "ui-monospace, Menlo, Consolas", svg))


async def told(session: dev.Dev, part: str, *, after: str = "") -> None:
    """Waits until a line has this in it, after the line that has the other."""
    while part not in (text(session).partition(after)[2] if after else text(session)):  # noqa: ASYNC110 - a line is no event
        await asyncio.sleep(0.1)


def text(session: dev.Dev) -> str:
    """All lines so far."""
    return "\n".join(line for _, line in session.lines.kept)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.write(f"{OUT}\n")
