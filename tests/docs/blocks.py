"""The command blocks of the documentation, as people read them, and what a comment above each says about running it.

`<!-- run -->` in a temporary clone; `<!-- run: until=PATTERN -->` until a line matches, then Ctrl-C;
`<!-- run: beside -->` while the block before it still runs; `<!-- run: cluster -->` against a cluster, in order;
`<!-- run: skip=REASON -->` not at all.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELLS = ("sh", "bash", "shell", "console")
_FENCE = re.compile(
    r"(?:^<!-- run(?::\s*(?P<how>.*?))?\s*-->\n)?^(?P<fence>```+)(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_RUN = re.compile(r"^<!-- run(?::\s*(.*?))?\s*-->$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    file: Path
    line: int
    language: str
    text: str
    how: str | None  # None: no comment above it

    @property
    def until(self) -> str:
        return self.how.removeprefix("until=") if self.how and self.how.startswith("until=") else ""

    @property
    def cluster(self) -> bool:
        return self.how == "cluster"

    @property
    def local(self) -> bool:
        return self.how in ("", "beside") or bool(self.until)

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def blocks(file: Path) -> list[Block]:
    """All fenced blocks of a file, in order."""
    text = file.read_text()
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start("fence")]
        marked = before.splitlines()[-1:] and _RUN.match(before.splitlines()[-1])
        how = (marked[1] or "") if marked else None
        found.append(Block(file, before.count("\n") + 1, match["language"], match["text"], how))
    return found


def pages() -> list[Path]:
    """Every page for people that this repository holds."""
    found = [
        ROOT / name for name in ("README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
    ]
    found += sorted((ROOT / "docs").rglob("*.md"))
    found += sorted((ROOT / "examples").rglob("*.md"))
    return [*found, ROOT / "worker_image" / "README.md", ROOT / "charts" / "warmcron" / "README.md"]


def cluster_blocks(file: str = "README.md") -> list[Block]:
    """The blocks of a page that need a cluster, in order: the e2e run executes them from the repository's root."""
    return [block for block in blocks(ROOT / file) if block.cluster]
