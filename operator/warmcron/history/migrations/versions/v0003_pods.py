"""The pod that said a line: of a broadcast, every worker's lines have the same attempt.

An older version runs on: its lines are nobody's. Adding the column rewrites no row.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One column."""
    op.add_column("lines", sa.Column("pod_uid", sa.Text, nullable=False, server_default=""))
