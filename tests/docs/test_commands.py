"""What the README tells people to type is typed here, in a clone, in that order."""

import itertools
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from docs.blocks import ROOT, SHELLS, Block, blocks, cluster_blocks, pages

PATIENCE = 280.0


def shell(block: Block, clone: Path) -> None:
    """Runs a block to its end."""
    command = ["sh", "-eu", "-c", block.text]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"


def shell_until(block: Block, clone: Path, beside: list[Block]) -> None:
    """Runs a block until a line matches, and others meanwhile; then presses Ctrl-C, for every process of its group."""
    log = clone / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-eu", "-c", block.text], cwd=clone, stdout=output, stderr=output, start_new_session=True
        )
    until = time.monotonic() + PATIENCE
    while not re.search(block.until, log.read_text()):
        assert process.poll() is None, f"{block} ended without {block.until!r}: {log.read_text()}"
        assert time.monotonic() < until, f"{block}: no {block.until!r} in {PATIENCE:g} s: {log.read_text()}"
        time.sleep(0.1)
    try:
        for other in beside:
            shell(other, clone)
    finally:
        os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    assert "the next start goes on from here" in log.read_text()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_commands_of_a_page_do_what_the_page_says(page: str, clone: Path) -> None:
    found = [block for block in blocks(ROOT / page) if block.local]
    assert found
    for number, block in enumerate(found):
        if block.until:
            after = found[number + 1 :]
            shell_until(block, clone, list(itertools.takewhile(lambda one: one.how == "beside", after)))
        elif block.how != "beside":
            shell(block, clone)


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "docs/tutorial.md"])
def test_every_command_block_of_these_pages_is_run_or_says_why_not(page: str) -> None:
    for block in blocks(ROOT / page):
        if block.language in SHELLS:
            assert block.how is not None, f"{block}: a comment <!-- run… --> is missing above it"
            assert block.local or block.cluster or block.how.startswith("skip="), f"{block}: {block.how}"


def test_the_blocks_for_a_cluster_can_be_asked_for() -> None:
    texts = [block.text for block in cluster_blocks()]
    assert texts[0].startswith("helm install warmcron charts/warmcron")


def test_the_two_readmes_have_the_same_headings_and_the_same_blocks() -> None:
    def shape(name: str) -> tuple[list[int], list[tuple[str, str, str | None]], list[str]]:
        text = (ROOT / name).read_text()
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        headings = [len(found) for found in re.findall(r"^(#+) ", prose, re.MULTILINE)]
        links = sorted(re.findall(r"\]\(([^)]+)\)", text))
        same = [(block.language, block.text, block.how) for block in blocks(ROOT / name)]
        # Pictures show the language of their page.
        return headings, same, [link for link in links if not link.startswith(("README", "docs/images/"))]

    assert shape("README.md") == shape("README.zh-CN.md")


def test_the_tables_of_the_two_readmes_have_as_many_rows() -> None:
    rows = [(ROOT / name).read_text().count("\n| ") for name in ("README.md", "README.zh-CN.md")]
    assert rows[0] == rows[1]


def test_no_page_speaks_of_a_machine_it_was_written_on() -> None:
    for page in pages():
        assert not re.search(r"/(root|work|home)/", page.read_text()), page
