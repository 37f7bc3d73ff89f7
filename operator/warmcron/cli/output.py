"""How answers are written: data to standard output, chatter to standard error, colour only on a terminal."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

import yaml
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

GAP: Final = "   "


class Format(StrEnum):
    """What `-o` takes where an answer is a list of objects."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class Plain(StrEnum):
    """What `-o` takes where an answer is a list of rows."""

    TABLE = "table"
    JSON = "json"


def as_json(value: Any) -> None:
    """Prints JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def as_yaml(value: Any) -> None:
    """Prints YAML, keys in the order given."""
    sys.stdout.write(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def document(form: Format, value: Any) -> None:
    """Prints JSON or YAML."""
    (as_json if form is Format.JSON else as_yaml)(value)


def lines(texts: Iterable[str]) -> None:
    """Prints plain lines."""
    sys.stdout.writelines(f"{text}\n" for text in texts)


def facts(found: dict[str, str]) -> None:
    """Prints names and values."""
    width = max(map(len, found)) + 2
    lines(f"{name + ':':<{width}}{value}" for name, value in found.items())


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints columns as kubectl does; never cut to the width of a screen, so that a pipe gets all of it."""
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(heads))]
    screen = console()
    for number, line in enumerate(lines):
        text = Text(no_wrap=True)
        for cell, width in zip(line[:-1], widths, strict=False):
            text.append(set_cell_size(cell, width), style=STYLES.get(cell, "") if number else "bold").append(GAP)
        text.append(line[-1], style=STYLES.get(line[-1], "") if number else "bold")
        text.rstrip()
        screen.print(text, soft_wrap=True)


def say(text: str) -> None:
    """A word to the user, beside the data."""
    sys.stderr.write(text + "\n")


def console() -> Console:
    """Standard output, with colour where it is a terminal and NO_COLOR is not set."""
    return Console(file=sys.stdout, highlight=False, no_color=bool(os.environ.get("NO_COLOR")) or None)


# Never by colour alone: the word stands there too.
STYLES = {
    "True": "green",
    "Succeeded": "green",
    "Start": "green",
    "Running": "cyan",
    "Failed": "red",
    "False": "red",
    "Skipped": "yellow",
    "Skip": "yellow",
    "Unknown": "magenta",
}
