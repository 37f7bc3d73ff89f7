"""The sink's ledger is written in pauses, and without a pause, too."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from benchmarks.sink import Book


def body(run: int) -> bytes:
    return (
        f'{{"runId":"{run:036}","attempt":1,"scheduledTime":"2027-01-15T08:00:00Z","task":{{"name":"task-{run}"}}}}'
    ).encode()


@pytest.mark.parametrize(
    "last_after_now",
    [
        # a pause: nothing has come for ten seconds
        -10.0,
        # none: by its stamp the last one comes only in an hour
        3600.0,
    ],
)
async def test_what_arrived_is_written_in_a_pause_and_without_one(tmp_path: Path, last_after_now: float) -> None:
    book, now = Book(tmp_path / "ledger", {}), time.time()
    for number in range(120):
        book.note(now - 20, "10.0.0.1", body(number))
    book.note(now + last_after_now, "10.0.0.1", body(0))
    writing = asyncio.create_task(book.write())
    async with asyncio.timeout(60):
        while (text := (tmp_path / "ledger").read_text()).count("\n") < 121:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.05)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["task"] for line in lines] == [f"task-{number}" for number in range(120)] + ["task-0"]
    assert [line["repeated"] for line in lines] == [False] * 120 + [True]
