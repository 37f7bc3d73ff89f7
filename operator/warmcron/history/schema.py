"""The tables of the history. What SQL users may rely on is described in docs/history.md; migrations make them."""

from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()
HOUR: Final = 3600
UNUSUAL: Final = "\"trigger\" <> 'Schedule'"

# Times are UTC epoch seconds, results, errors and filtered pods JSON text: the same in both databases.
RUNS: Final = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("task_uid", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("handler", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False, quote=True),
    sa.Column("scheduled", sa.Double, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("pod_name", sa.Text, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("finished", sa.Double),
    sa.Column("trace_id", sa.Text, nullable=False),
    sa.Column("progress", sa.Double),
    sa.Column("progress_text", sa.Text, nullable=False),
    sa.Column("result", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("skipped_ticks", sa.Integer, nullable=False),
    # One index for each filter, each in the order of the pages; the first also answers the counts without the table.
    # See `queries` for which of them leads where filters meet.
    sa.Index("runs_by_time", "scheduled", "run_id", "state", "namespace"),
    sa.Index("runs_by_task", "task", "scheduled", "run_id", "namespace"),
    sa.Index("runs_by_uid", "task_uid", "scheduled", "run_id"),
    sa.Index("runs_by_namespace", "namespace", "scheduled", "run_id"),
    sa.Index("runs_by_state", "state", "scheduled", "run_id"),
    sa.Index("runs_by_namespace_state", "namespace", "state", "scheduled", "run_id"),
    sa.Index(
        "runs_by_trigger",
        "trigger",
        "scheduled",
        "run_id",
        sqlite_where=sa.text(UNUSUAL),
        postgresql_where=sa.text(UNUSUAL),
    ),
)

ATTEMPTS: Final = sa.Table(
    "attempts",
    METADATA,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("pod_uid", sa.Text, primary_key=True),
    sa.Column("pod_name", sa.Text, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("scheduled", sa.Double, nullable=False),
    sa.Column("sent", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("chosen_by", sa.Text, nullable=False),
    sa.Column("filtered", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Index("attempts_by_pod", "pod_name", "scheduled", "run_id"),
    sqlite_with_rowid=False,
)

# `id` is when the line arrived, in microseconds, made unique: retention and searches by time need no index of their
# own. Line 0 of a run is no line of its handler but its outcome in words, so that one search finds both.
LINES: Final = sa.Table(
    "lines",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("pod_uid", sa.Text, nullable=False, server_default=""),
    sa.Index("lines_by_run", "run_id", "seq", unique=True),
)

# How many runs there are of each hour, so that counting reads some rows an hour and not every run. Triggers on `runs`
# keep it in the transaction that changes them: whoever writes or deletes a run, an older version too, counts it.
COUNTS: Final = sa.Table(
    "counts",
    METADATA,
    sa.Column("hour", sa.Double, primary_key=True),
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, primary_key=True),
    sa.Column("runs", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The names that were ever seen, so that a search by part of a name reads this and not a million runs.
NAMES: Final = sa.Table(
    "names",
    METADATA,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("task", sa.Text, primary_key=True),
)

# SQLite's full-text index over `lines.text`, kept by triggers. PostgreSQL has an index over `to_tsvector` instead.
WORDS: Final = sa.table("lines_words", sa.column("rowid", sa.BigInteger), sa.column("lines_words", sa.Text))
