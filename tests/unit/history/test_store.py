"""What is written is read again, from SQLite and from PostgreSQL alike; what is written twice is there once."""

from dataclasses import replace

import pytest

from unit.history.builders import NOW, attempt, batch, line, run, run_id
from unit.history.conftest import Kept
from warmcron.history.model import RunFilter
from warmcron.history.retention import Bounds, Limits, Retention

FULL = run(
    state="Failed",
    reason="HandlerFailed: boom",
    attempts=2,
    pod_name="pod-b",
    started=NOW + 1.5,
    finished=NOW + 9.25,
    trace_id="0" * 31 + "1",
    progress=0.5,
    progress_text="half “done” 半",
    error={"type": "ValueError", "message": "boom", "traceback": "line 1\nline 2"},
)


async def test_a_run_its_attempts_and_its_lines_come_back_as_they_went(kept: Kept) -> None:
    first = attempt(
        ended=NOW + 2, answer="Broke", reason="boom", chosen_by="LeastLoaded", filtered=(("pod-c", "busy"),)
    )
    second = attempt(attempt=2, pod_name="pod-b", pod_uid="uid-b", sent=NOW + 3)
    lines = [line("hello", index=0), line("wörld 界", index=1)]

    await kept.store.write(batch(FULL, first, second, *lines))

    assert await kept.reader.run(FULL.run_id) == FULL
    assert await kept.reader.attempts(FULL.run_id) == (first, second)
    assert await kept.reader.logs(FULL.run_id) == tuple(lines)
    assert await kept.reader.logs(FULL.run_id, after=lines[0].seq) == (lines[1],)
    assert await kept.reader.run(run_id(99)) is None


async def test_a_batch_that_is_written_twice_changes_nothing(kept: Kept) -> None:
    rows = batch(FULL, attempt(), line("hello"))
    await kept.store.write(rows)
    await kept.store.write(rows)

    assert (await kept.reader.runs(RunFilter(), limit=10)).rows == (FULL,)
    assert len(await kept.reader.attempts(FULL.run_id)) == 1
    assert len(await kept.reader.logs(FULL.run_id)) == 1


async def test_a_final_state_is_never_left_again(kept: Kept) -> None:
    await kept.store.write(batch(run(state="Succeeded", result={"rows": 3})))
    await kept.store.write(batch(run(state="Running")))

    found = await kept.reader.run(run_id(1))
    assert found
    assert (found.state, found.result) == ("Succeeded", {"rows": 3})


async def test_a_new_leader_does_not_wipe_out_what_the_one_before_knew(kept: Kept) -> None:
    sent = attempt(chosen_by="Random", filtered=(("pod-c", "not ready"),))
    await kept.store.write(batch(run(state="Running", progress=0.3, started=NOW + 1), sent))
    await kept.store.write(batch(run(state="Running"), replace(sent, chosen_by="", filtered=(), answer="Accepted")))

    found = await kept.reader.run(run_id(1))
    assert found
    assert (found.progress, found.started) == (0.3, NOW + 1)
    assert await kept.reader.attempts(run_id(1)) == (replace(sent, answer="Accepted"),)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (RunFilter(), [6, 5, 4, 3, 2, 1]),  # newest first
        (RunFilter(namespaces=("a",)), [3, 2, 1]),
        (RunFilter(namespaces=("a", "b")), [6, 5, 4, 3, 2, 1]),
        (RunFilter(namespaces=()), []),  # somebody who may see none
        (RunFilter(task="t2"), [4, 2]),
        (RunFilter(task="t2", namespaces=("b",)), [4]),
        (RunFilter(uids=("u1",)), [3, 1]),
        (RunFilter(uids=("u3", "u1")), [4, 3, 1]),  # two passes over one index, merged
        (RunFilter(uids=("u1", *map(str, range(30)))), [3, 1]),  # too many for a pass each
        (RunFilter(uids=()), []),  # a selector that chooses nothing
        (RunFilter(uids=("u1", "u2"), states=("Failed",)), [2]),
        (RunFilter(uids=("u2",), pod="pod-x"), [2]),
        (RunFilter(uids=("u2", "u3"), text="timeout"), [2]),
        (RunFilter(uids=("u3",), text="t2"), [4]),
        (RunFilter(states=("Failed",)), [5, 2]),
        (RunFilter(states=("Failed", "Skipped")), [6, 5, 2]),  # two indexes, merged
        (RunFilter(trigger="Manual"), [3]),
        (RunFilter(trigger="Schedule", states=("Failed",), namespaces=("b",)), [5]),
        (RunFilter(pod="pod-x"), [5, 2]),  # an earlier attempt was there
        (RunFilter(pod="pod-x", namespaces=("a",)), [2]),
        (RunFilter(since=NOW + 3, until=NOW + 5), [4, 3]),
        (RunFilter(text="t2"), [4, 2]),  # part of a task's name
        (RunFilter(text="00000000-0000-0000-0000-000000000003"), [3]),
        (RunFilter(text="TIMEOUT"), [5, 2]),  # the beginning of a word of a line, and of a reason
        (RunFilter(text="order timeout"), [2]),  # every word
        (RunFilter(text="timeout", namespaces=("b",)), [5]),
        (RunFilter(text="timeout", pod="pod-x", states=("Failed",)), [5, 2]),
        (RunFilter(text="100%_'\""), []),  # nothing in it is an operator of SQL or of the search
        (RunFilter(text="outcome"), []),
    ],
)
async def test_each_filter_finds_its_runs(kept: Kept, wanted: RunFilter, expected: list[int]) -> None:
    await kept.store.write(
        batch(
            run(1, namespace="a", task="t1", task_uid="u1"),
            run(2, namespace="a", task="t2", task_uid="u2", state="Failed", reason="HandlerFailed: TimeoutError: slow"),
            run(3, namespace="a", task="t1", task_uid="u1", trigger="Manual"),
            run(4, namespace="b", task="t2", task_uid="u3"),
            run(5, namespace="b", task="t1", state="Failed"),
            run(6, namespace="b", task="t1", state="Skipped", reason="ForbidConcurrent"),
            attempt(2, pod_name="pod-x", pod_uid="x"),
            attempt(2, attempt=2),
            attempt(5, pod_name="pod-x", pod_uid="x"),
            line("timeout of order_77 after 3 s", 2),
            line("timeout!", 5),
            line("nothing to see", 4),
        )
    )

    found = await kept.reader.runs(wanted, limit=10)

    assert [row.run_id for row in found.rows] == [run_id(number) for number in expected]
    assert found.cursor == ""


@pytest.mark.parametrize(
    "wanted",
    [
        RunFilter(),
        RunFilter(states=("Failed", "Succeeded")),
        RunFilter(pod="pod-a"),
        RunFilter(text="task"),
        RunFilter(text="word"),
    ],
)
async def test_pages_follow_each_other_without_gap_or_repetition(kept: Kept, wanted: RunFilter) -> None:
    for number in range(25):  # five of each second, so that the order within one matters
        state = "Failed" if number % 3 else "Succeeded"
        await kept.store.write(
            batch(run(number, scheduled=NOW + number // 5, state=state), attempt(number, scheduled=NOW + number // 5))
        )
        await kept.store.write(batch(line("a word", number)))
    seen: list[str] = []
    cursor = ""
    while True:
        page = await kept.reader.runs(wanted, limit=4, cursor=cursor)
        seen += [row.run_id for row in page.rows]
        if not (cursor := page.cursor):
            break

    assert seen == [run_id(number) for number in sorted(range(25), key=lambda n: (n // 5, n), reverse=True)]


async def test_many_tasks_with_the_text_in_their_name_are_all_found(kept: Kept) -> None:
    await kept.store.write(
        batch(*(run(number, task=f"report-{number}") for number in range(40)), run(50, task="other"))
    )

    found = await kept.reader.runs(RunFilter(text="PORT-"), limit=100)

    assert len(found.rows) == 40


async def test_the_last_runs_of_many_tasks_come_in_one_answer(kept: Kept) -> None:
    await kept.store.write(batch(*(run(number, task_uid=f"uid-{number % 60}") for number in range(240))))

    found = await kept.reader.recent(tuple(f"uid-{number}" for number in range(61)), limit=3)

    assert [row.run_id for row in found["uid-7"]] == [run_id(187), run_id(127), run_id(67)]
    assert found["uid-60"] == ()


async def test_runs_are_counted_by_state(kept: Kept) -> None:
    await kept.store.write(batch(run(1), run(2, state="Failed"), run(3, namespace="b"), run(4, state="Running")))

    assert await kept.reader.counts(None, since=NOW + 2) == {"Failed": 1, "Succeeded": 1, "Running": 1}
    assert await kept.reader.counts(("b",), since=NOW) == {"Succeeded": 1}


async def test_what_is_too_old_or_too_much_goes_and_what_runs_stays(kept: Kept) -> None:
    rows = [run(number, state="Running" if number == 1 else "Succeeded") for number in range(1, 11)]
    await kept.store.write(batch(*rows, attempt(2), attempt(10), line("old words", 2), line("new words", 10)))
    retention = Retention(kept.database, Limits(seconds=3600, runs=4, line_seconds=3600, lines=100))

    bounds = await retention.bounds(NOW + 60)
    while await retention.step(bounds):
        pass
    await retention.optimize()

    left = await kept.reader.runs(RunFilter(), limit=100)
    assert [row.run_id for row in left.rows] == [run_id(number) for number in (10, 9, 8, 7, 1)]
    assert await kept.reader.attempts(run_id(2)) == ()
    assert await kept.reader.logs(run_id(2)) == ()
    assert [row.run_id for row in (await kept.reader.runs(RunFilter(text="words"), limit=9)).rows] == [run_id(10)]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (Limits(seconds=3600, runs=100, line_seconds=3600, lines=2), ["line 3", "line 4"]),  # too many
        (Limits(seconds=3600, runs=100, line_seconds=10, lines=100), []),  # too old
    ],
)
async def test_lines_go_before_their_run(kept: Kept, limits: Limits, left: list[str]) -> None:
    await kept.store.write(batch(run(), *(line(f"line {number}", index=number) for number in range(5))))
    retention = Retention(kept.database, limits)

    bounds = await retention.bounds(NOW + 60)
    while await retention.step(bounds):
        pass

    assert bounds == Bounds(run=NOW - 3540, line=bounds.line)
    assert [row.text for row in await kept.reader.logs(run_id(1))] == left
    assert await kept.reader.run(run_id(1))


async def test_the_earliest_run_of_a_schedule_from_a_tick_on_is_found(kept: Kept) -> None:
    rows = (
        run(1),
        run(3, state="Skipped", skipped_ticks=2),
        run(4),
        run(2, trigger="Manual"),
        run(5, task_uid="other"),
    )
    await kept.store.write(batch(*rows))

    for tick, expected in ((NOW, 1), (NOW + 1, 1), (NOW + 1.5, 3), (NOW + 3.5, 4)):
        found = await kept.reader.first_from("uid-task", tick)
        assert found
        assert found.run_id == run_id(expected)
    assert await kept.reader.first_from("uid-task", NOW + 5) is None
