"""Alembic's entry: runs the revisions on the connection that `history.database` hands over."""

from alembic import context

from warmcron.history.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table="warmcron_history_version",
)
with context.begin_transaction():
    context.run_migrations()
