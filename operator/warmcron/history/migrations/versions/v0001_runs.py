"""Runs, attempts, lines and the search over lines."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Words are what letters and digits make, in both databases alike.
POSTGRES_WORDS = (
    "ALTER TABLE lines ADD COLUMN words tsvector GENERATED ALWAYS AS "
    "(to_tsvector('simple', regexp_replace(text, '[^[:alnum:]]+', ' ', 'g'))) STORED"
)
POSTGRES_INDEX = "CREATE INDEX lines_words ON lines USING gin (words)"
SQLITE_INDEX = (
    "CREATE VIRTUAL TABLE lines_words USING fts5"
    "(text, content='lines', content_rowid='id', detail='none', columnsize=0, tokenize='unicode61')"
)
SQLITE_ADDED = (
    "CREATE TRIGGER lines_added AFTER INSERT ON lines BEGIN "
    "INSERT INTO lines_words(rowid, text) VALUES (new.id, new.text); END"
)
SQLITE_REMOVED = (
    "CREATE TRIGGER lines_removed AFTER DELETE ON lines BEGIN "
    "INSERT INTO lines_words(lines_words, rowid, text) VALUES ('delete', old.id, old.text); END"
)


def upgrade() -> None:
    """All tables of the first version."""
    _runs()
    _attempts()
    op.create_table(
        "lines",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("lines_by_run", "lines", ["run_id", "seq"], unique=True)
    op.create_table(
        "names",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, primary_key=True),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(POSTGRES_WORDS)
        op.execute(POSTGRES_INDEX)
    else:
        for statement in (SQLITE_INDEX, SQLITE_ADDED, SQLITE_REMOVED):
            op.execute(statement)


def _runs() -> None:
    op.create_table(
        "runs",
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
    )
    op.create_index("runs_by_time", "runs", ["scheduled", "run_id", "state", "namespace"])
    for name, column in (
        ("task", "task"),
        ("uid", "task_uid"),
        ("namespace", "namespace"),
        ("state", "state"),
        ("trigger", "trigger"),
    ):
        op.create_index(f"runs_by_{name}", "runs", [column, "scheduled", "run_id"])


def _attempts() -> None:
    op.create_table(
        "attempts",
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
        sqlite_with_rowid=False,
    )
    op.create_index("attempts_by_pod", "attempts", ["pod_name", "scheduled", "run_id"])
