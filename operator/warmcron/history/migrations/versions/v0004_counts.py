"""How many runs there are of each hour, kept by triggers on `runs`; the hours of runs that are there are counted once.

An older version runs on beside it: the triggers count what it writes, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# What is there already, counted once: the last of the statements, when the triggers lock out every writer.
COUNTED = (
    "INSERT INTO counts (hour, namespace, state, runs) "
    "SELECT {hour}, namespace, state, count(*) FROM runs GROUP BY 1, 2, 3"
)
# Hours begin at whole hours of UTC.
SQLITE_HOUR = "CAST({row}scheduled / 3600 AS INTEGER) * 3600"
SQLITE_COUNT = (
    "INSERT INTO counts (hour, namespace, state, runs) VALUES ({hour}, {row}namespace, {row}state, {change}) "
    "ON CONFLICT (hour, namespace, state) DO UPDATE SET runs = runs + excluded.runs;"
)
MORE = SQLITE_COUNT.format(hour=SQLITE_HOUR.format(row="new."), row="new.", change="1")
LESS = SQLITE_COUNT.format(hour=SQLITE_HOUR.format(row="old."), row="old.", change="-1")
# A progress, a pod, a result: most changes of a run move it nowhere.
MOVED = "(old.scheduled, old.namespace, old.state) IS NOT (new.scheduled, new.namespace, new.state)"
SQLITE = (
    f"CREATE TRIGGER runs_added AFTER INSERT ON runs BEGIN {MORE} END",
    f"CREATE TRIGGER runs_moved AFTER UPDATE ON runs WHEN {MOVED} BEGIN {LESS} {MORE} END",
    f"CREATE TRIGGER runs_removed AFTER DELETE ON runs BEGIN {LESS} END",
    COUNTED.format(hour=SQLITE_HOUR.format(row="")),
)
POSTGRES_HOUR = "floor(scheduled / 3600) * 3600"
# Once a statement, not once a row: five hundred runs are a few dozen changes of counts. Whoever has counted is
# alone with it until the end of the transaction, so that two who count the same hours never wait for each other.
POSTGRES_FUNCTION = """
CREATE FUNCTION count_runs() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(TG_RELID::bigint);
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO counts AS known (hour, namespace, state, runs)
        SELECT floor(scheduled / 3600) * 3600, namespace, state, count(*) FROM added GROUP BY 1, 2, 3
        ON CONFLICT (hour, namespace, state) DO UPDATE SET runs = known.runs + excluded.runs;
    WHEN 'UPDATE' THEN
        INSERT INTO counts AS known (hour, namespace, state, runs)
        SELECT floor(scheduled / 3600) * 3600, namespace, state, sum(change) FROM (
            SELECT scheduled, namespace, state, 1 AS change FROM added
            UNION ALL SELECT scheduled, namespace, state, -1 FROM removed
        ) AS moved GROUP BY 1, 2, 3 HAVING sum(change) <> 0
        ON CONFLICT (hour, namespace, state) DO UPDATE SET runs = known.runs + excluded.runs;
    WHEN 'DELETE' THEN
        INSERT INTO counts AS known (hour, namespace, state, runs)
        SELECT floor(scheduled / 3600) * 3600, namespace, state, -count(*) FROM removed GROUP BY 1, 2, 3
        ON CONFLICT (hour, namespace, state) DO UPDATE SET runs = known.runs + excluded.runs;
    END CASE;
    RETURN NULL;
END $$
"""
POSTGRES_TRIGGER = (
    "CREATE TRIGGER runs_{name} AFTER {event} ON runs REFERENCING {rows} "
    "FOR EACH STATEMENT EXECUTE FUNCTION count_runs()"
)
POSTGRES = (
    POSTGRES_FUNCTION,
    POSTGRES_TRIGGER.format(name="added", event="INSERT", rows="NEW TABLE AS added"),
    POSTGRES_TRIGGER.format(name="moved", event="UPDATE", rows="OLD TABLE AS removed NEW TABLE AS added"),
    POSTGRES_TRIGGER.format(name="removed", event="DELETE", rows="OLD TABLE AS removed"),
    COUNTED.format(hour=POSTGRES_HOUR),
)


def upgrade() -> None:
    """The table, what keeps it, and its first content.

    Making the triggers locks `runs` until the end of the transaction: no run is written between them and the count.
    """
    op.create_table(
        "counts",
        sa.Column("hour", sa.Double, primary_key=True),
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, primary_key=True),
        sa.Column("runs", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
        # The rows of this hour change many times a second: room for their next version is on their page.
        postgresql_with={"fillfactor": 50},
    )
    for statement in POSTGRES if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
