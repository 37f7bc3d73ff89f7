"""How the tables came to be as they are: Alembic's revisions. Each only adds, so that the version before still runs."""
