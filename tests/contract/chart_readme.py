"""Writes the table of values in the chart's README from the comments in its values.yaml; a test says when it is stale.

Run `python tests/contract/chart_readme.py` after a change of values.yaml.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "warmcron"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"
MARK = "# -- "
WHOLE = "(object) "


def described(text: str) -> Iterator[tuple[str, Any, str]]:
    """Yields (dotted name, default, description) of every value; one without a comment is an error."""
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    yield from _mapping(root, yaml.safe_load(text), lines, prefix="")


def _mapping(
    node: yaml.MappingNode, values: dict[str, Any], lines: list[str], *, prefix: str
) -> Iterator[tuple[str, Any, str]]:
    for key, value in node.value:
        name = prefix + key.value
        comment = _comment_above(lines, key.start_mark.line)
        nested = isinstance(value, yaml.MappingNode) and value.value
        if nested and not comment.startswith(WHOLE):
            yield from _mapping(value, values[key.value], lines, prefix=f"{name}.")
        elif comment:
            yield name, values[key.value], comment.removeprefix(WHOLE)
        else:
            raise ValueError(
                f"values.yaml line {key.start_mark.line + 1}: {name} has no comment; start one with '{MARK}'"
            )


def _comment_above(lines: list[str], line: int) -> str:
    """The comment that ends right above a line, without its marks; empty when it is not for the table."""
    start = line
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    comment = [text.lstrip() for text in lines[start:line]]
    if not comment or not comment[0].startswith(MARK):
        return ""
    return " ".join([comment[0].removeprefix(MARK), *(text.removeprefix("#").strip() for text in comment[1:])])


def table(text: str) -> str:
    """Returns the table for a values.yaml."""
    rows = ["| Value | Default | Meaning |", "|---|---|---|"]
    for name, default, description in described(text):
        meaning = description.replace("|", "\\|").replace("<", "&lt;")
        rows.append(f"| `{name}` | `{json.dumps(default)}` | {meaning} |")
    return "\n".join(rows)


def rendered(readme: str, values: str) -> str:
    """Returns the README with the table put between its marks."""
    head, found, rest = readme.partition(BEGIN)
    _, closed, tail = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"README.md of the chart: put the lines '{BEGIN}' and '{END}' around the table")
    return f"{head}{BEGIN}\n{table(values)}\n{END}{tail}"


def main() -> None:
    """Rewrites the README."""
    readme = CHART / "README.md"
    readme.write_text(rendered(readme.read_text(), (CHART / "values.yaml").read_text()))


if __name__ == "__main__":
    main()
