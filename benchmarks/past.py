"""A past of N runs of many tasks, the same for the same seed, loaded into a history's database as fast as it takes it.

Loading goes by the database's own bulk way and leaves what the service would have written, indexes included.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import asyncpg
import sqlalchemy as sa

from warmcron.history.journal import Batch
from warmcron.history.model import AttemptRow, LogRow, RunRow, line_seq
from warmcron.history.schema import ATTEMPTS, LINES, NAMES, RUNS
from warmcron.history.store import attempt_values, line_values, outcome, run_values

END: Final = 1_790_000_000.0
DAY: Final = 86_400.0
DAYS: Final = 30
NAMESPACES: Final = 100
PODS: Final = 5  # of each namespace
GOING_ON: Final = 50
CHUNK: Final = 10_000
# Per thousand runs; the others succeed.
STATES: Final = (("Failed", 30), ("Skipped", 10), ("Cancelled", 2), ("Unknown", 1))
MANUAL: Final = 10
NEEDLE: Final = "needle"  # one line in all, long ago
RARE: Final = "deadlock"  # one line in ten thousand
SOME: Final = "timeout"  # one in a hundred
EVERY: Final = "customer"


class Story(NamedTuple):
    """One run with what belongs to it."""

    run: RunRow
    attempts: tuple[AttemptRow, ...]
    line: LogRow


@dataclass(frozen=True, slots=True)
class Past:
    """Which runs there are.

    Attributes:
        runs: how many, evenly over the days.
        tasks: of how many tasks, in a hundred namespaces.
        days: from the first run to the last.
    """

    runs: int
    tasks: int
    days: float = DAYS

    def name(self, task: int) -> str:
        """Some words that several tasks share, and a number that none does."""
        return f"{('report', 'sync', 'mail', 'backup', 'bill')[task % 5]}-{task:05}"

    def namespace(self, task: int) -> str:
        """Where it is."""
        return f"team-{task % NAMESPACES:02}"

    def uid(self, task: int) -> str:
        """Its object's."""
        return f"00000000-0000-4000-8000-{task:012}"

    def pod(self, task: int, attempt: int, turn: int) -> str:
        """Where an attempt ran."""
        return f"worker-{task % NAMESPACES:02}-{(turn + attempt) % PODS}"

    def stories(self, first: int = 0, count: int | None = None) -> Iterator[Story]:
        """The runs in the order of their time, from one on; those after the last of the past come later."""
        step = self.days * DAY / self.runs
        for number in range(first, first + (self.runs if count is None else count)):
            random = Random(number)  # noqa: S311 - no secret
            yield self._story(number, END - (self.runs - number) * step, random)

    def _story(self, number: int, scheduled: float, random: Random) -> Story:
        task = random.randrange(self.tasks)
        state = "Running" if self.runs - GOING_ON <= number < self.runs else _state(random)
        failed = state == "Failed"
        run_id = f"{random.getrandbits(32):08x}-0000-5000-8000-{number:012x}"
        tries = 0 if state == "Skipped" else 2 if failed else 1
        error = {"type": "TimeoutError", "message": f"{SOME} after 30 s", "traceback": "x\n" * 20} if failed else None
        run = RunRow(
            run_id=run_id,
            task_uid=self.uid(task),
            namespace=self.namespace(task),
            task=self.name(task),
            pool="python",
            handler="work",
            trigger="Manual" if random.randrange(1000) < MANUAL else "Schedule",
            scheduled=scheduled,
            state=state,
            reason="HandlerFailed: TimeoutError: slow" if failed else "ForbidConcurrent" if not tries else "",
            attempts=tries,
            pod_name=self.pod(task, tries, number) if tries else "",
            started=scheduled + 0.1 if tries else None,
            finished=None if state == "Running" else scheduled + 2.5,
            trace_id=run_id.replace("-", ""),
            error=error,
        )
        attempts = tuple(
            AttemptRow(
                run_id=run_id,
                attempt=attempt,
                pod_name=self.pod(task, attempt, number),
                pod_uid=f"uid-{self.pod(task, attempt, number)}",
                epoch=1,
                sent=scheduled + attempt / 10,
                ended=scheduled + 2.5,
                answer="Finished",
                reason="HandlerFailed" if failed else "",
                chosen_by="LeastLoaded",
                error=error,
                scheduled=scheduled,
            )
            for attempt in range(1, tries + 1)
        )
        line = LogRow(
            run_id=run_id,
            attempt=tries,
            seq=line_seq(max(tries, 1), 1, 0),
            time=scheduled + 1,
            stream="log",
            level="INFO",
            text=_text(number, random),
            pod_uid=f"uid-{run.pod_name}" if tries else "",
        )
        return Story(run, attempts, line)


def _state(random: Random) -> str:
    drawn = random.randrange(1000)
    for state, share in STATES:
        drawn -= share
        if drawn < 0:
            return state
    return "Succeeded"


def _text(number: int, random: Random) -> str:
    special = ""
    if number == 1:
        special = f" {NEEDLE}"
    elif number % 10_000 == 17:  # noqa: PLR2004
        special = f" {RARE} found"
    elif number % 100 == 18:  # noqa: PLR2004
        special = f" {SOME} of upstream{random.randrange(100)}"
    order, customer, took = random.randrange(10**8), random.randrange(10**6), random.randrange(900)
    return f"order {order} for {EVERY} {customer} took {took} ms{special}"


def batches(stories: Iterator[Story], size: int) -> Iterator[Batch]:
    """As the service writes them."""
    while part := list(islice(stories, size)):
        found = Batch()
        for run, attempts, line in part:
            found.runs[run.run_id] = run
            found.attempts |= {(row.run_id, row.attempt, row.pod_uid): row for row in attempts}
            found.lines.append((line.time, line))
        yield found


Rows = dict[sa.Table, list[tuple[Any, ...]]]


def chunks(past: Past) -> Iterator[Rows]:
    """As rows of the tables, each in the order of its columns."""
    stories, number = past.stories(), 0
    while part := list(islice(stories, CHUNK)):
        rows: Rows = {RUNS: [], ATTEMPTS: [], LINES: []}
        for run, attempts, line in part:
            rows[RUNS].append(tuple(run_values(run).values()))
            rows[ATTEMPTS] += [tuple(attempt_values(row).values()) for row in attempts]
            for said in (line, outcome(run)):
                if said is not None:
                    number = max(number + 1, int(said.time * 1_000_000))
                    rows[LINES].append(tuple(line_values(number, said).values()))
        yield rows
    names = [(past.namespace(task), past.name(task)) for task in range(past.tasks)]
    yield {NAMES: names}


def load_sqlite(path: Path, past: Past) -> None:
    """Into a file whose tables have been made and that nobody else has open."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    made = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL "
        "AND (type = 'index' OR type = 'trigger' AND tbl_name = 'lines')"  # those of the runs count them
    ).fetchall()
    for kind, name, _ in made:
        connection.execute(f"DROP {kind} {name}")
    for rows in chunks(past):
        connection.execute("BEGIN")
        for table, values in rows.items():
            marks = ", ".join("?" * len(table.columns))
            connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", values)  # noqa: S608 - names of ours
        connection.execute("COMMIT")
    for _, _, text in made:
        connection.execute(text)
    connection.execute("INSERT INTO lines_words (lines_words) VALUES ('rebuild')")
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def load_postgres(url: str, past: Past) -> None:
    """Into a database whose tables have been made."""
    connection = await asyncpg.connect(url)
    made = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_pkey' "
        "AND tablename IN ('runs', 'attempts', 'lines')"
    )
    for name, _ in made:
        await connection.execute(f"DROP INDEX {name}")
    for rows in chunks(past):
        for table, values in rows.items():
            columns = list(table.columns.keys())
            await connection.copy_records_to_table(table.name, records=values, columns=columns)
    for _, text in made:
        await connection.execute(text)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
