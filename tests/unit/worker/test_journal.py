"""The run table on disk: what was written is read, what was torn is not, and a full disk is said."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from unit.worker.builders import NOW, record
from warmworker import records, wire
from warmworker.errors import JournalBroken, StateDirInUse, UsageError
from warmworker.journal import Journal
from warmworker.records import Fence, RunState
from warmworker.runs import Epoch, Forget
from warmworker.wire import Callback


async def opened(directory: Path, pod: str = "uid-a") -> Journal:
    journal = Journal(directory, pod_uid=pod)
    journal.start()
    return journal


async def test_what_is_written_is_read_by_the_next_life(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    running = record(callback=Callback("http://x/", "t"))
    ended = replace(record(run_id="run-b"), state=RunState.FAILED, finish_time=NOW, error={"type": "E"}, retry=False)
    await journal.write([running, ended, Fence("run-c", None, NOW), Fence("run-d", 2, NOW), Epoch(7)])
    journal.post([Epoch(8), Forget(("run-d",))])
    await asyncio.to_thread(journal.close)
    again = await opened(tmp_path)
    found = again.load()
    again.close()
    assert sorted(found.records, key=lambda each: each.run_id) == [running, ended]
    assert found.fences == [Fence("run-c", None, NOW)]
    assert found.epoch == 8


async def test_a_torn_end_costs_only_what_was_not_committed(tmp_path: Path) -> None:
    """The files as a crash leaves them, cut at every length: each batch is there whole or not at all, in order."""
    (live := tmp_path / "live").mkdir()
    journal = await opened(live)
    sizes = []
    for number in range(4):
        await journal.write([record(run_id=f"run-{number}"), Epoch(number + 1)])
        sizes.append((live / "runs.sqlite3-wal").stat().st_size)
    whole = tmp_path / "whole"
    shutil.copytree(live, whole)
    await asyncio.to_thread(journal.close)
    for size in range(sizes[0], sizes[-1] + 1, 1531):
        torn = tmp_path / f"torn-{size}"
        shutil.copytree(whole, torn)
        with (torn / "runs.sqlite3-wal").open("r+b") as file:
            file.truncate(size)
        expected = sum(1 for each in sizes if each <= size)
        again = Journal(torn, pod_uid="uid-a")
        found = again.load()
        again.close()
        assert sorted(each.run_id for each in found.records) == [f"run-{number}" for number in range(expected)]
        assert found.epoch == expected


async def test_a_volume_of_another_pod_is_not_this_pods_memory(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    await journal.write([record(), Epoch(7)])
    await asyncio.to_thread(journal.close)
    other = await opened(tmp_path, pod="uid-b")
    found = other.load()
    other.close()
    assert (list(found.records), found.epoch) == ([], 0)


async def test_a_disk_that_takes_nothing_is_said_and_tried_again(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    journal._database.execute("PRAGMA max_page_count = 1").fetchall()
    big = replace(record(), result="x" * 1_000_000)
    with pytest.raises(JournalBroken, match="full"):
        await journal.write([big])
    assert journal.broken
    with pytest.raises(JournalBroken):
        await journal.write([Fence("run-b", None, NOW), big])  # a fence holds here already: it is not given up
    journal.post([Epoch(3)])  # nobody waits for it, so it is kept for better times
    journal._database.execute("PRAGMA max_page_count = 1000000").fetchall()
    await journal.write([])
    assert not journal.broken
    await asyncio.to_thread(journal.close)
    again = Journal(tmp_path, pod_uid="uid-a")
    found = again.load()
    again.close()
    assert (list(found.records), found.epoch) == ([], 3)
    assert found.fences == [Fence("run-b", None, NOW)]


async def test_a_directory_has_one_worker(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    with pytest.raises(StateDirInUse):
        Journal(tmp_path, pod_uid="uid-a")
    await asyncio.to_thread(journal.close)
    Journal(tmp_path, pod_uid="uid-a").close()


def test_a_table_that_cannot_be_read_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    """An empty one would say "never here" about runs that were."""
    (tmp_path / "runs.sqlite3").write_bytes(b"not a database" * 1000)
    with pytest.raises(UsageError, match="Delete the pod"):
        Journal(tmp_path, pod_uid="uid-a")


async def test_many_writes_share_a_commit(tmp_path: Path) -> None:
    journal = await opened(tmp_path)
    commits: list[str] = []
    journal._database.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
    await asyncio.gather(*(journal.write([record(run_id=f"run-{number}")]) for number in range(500)))
    assert len(commits) < 100
    await asyncio.to_thread(journal.close)


async def test_a_shard_is_remembered_and_rows_from_before_there_were_any_are_read(tmp_path: Path) -> None:
    sharded = record(run_id="run-s", shard=wire.Shard(1, 3))
    journal = await opened(tmp_path)
    await journal.write([sharded, record(run_id="run-o")])
    cut = "UPDATE runs SET record = json_remove(record, '$[17]') WHERE run_id = 'run-o'"
    journal._database.execute(cut)
    await asyncio.to_thread(journal.close)
    again = Journal(tmp_path, pod_uid="uid-a")
    found = {each.run_id: each for each in again.load().records}
    again.close()
    assert found["run-s"] == sharded
    assert records.document(found["run-s"], records.Pod())["shard"] == {"index": 1, "total": 3}
    assert found["run-o"].shard is None
