"""Indexes for the filters that had to look at every run: a state in a namespace, a task name that many share.

An older version runs on: it asks by the same columns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Two indexes made anew, one more."""
    op.drop_index("runs_by_task", "runs")
    op.create_index("runs_by_task", "runs", ["task", "scheduled", "run_id", "namespace"])
    op.create_index("runs_by_namespace_state", "runs", ["namespace", "state", "scheduled", "run_id"])
    # Nearly every run is scheduled, and nobody asks for those: they need not be in it.
    op.drop_index("runs_by_trigger", "runs")
    others = sa.text("\"trigger\" <> 'Schedule'")
    op.create_index(
        "runs_by_trigger", "runs", ["trigger", "scheduled", "run_id"], sqlite_where=others, postgresql_where=others
    )
