"""One run's log as SQL: in the order of its numbers, or as it arrives. No connection in here."""

from typing import Any, Final

import sqlalchemy as sa

from warmcron.history.schema import LINES

Select = sa.Select[Any]

# Microseconds of arrival, as lines are numbered by it. Who follows a log asks several times a second.
RECENT: Final = 10_000_000
NEWEST: Final = sa.select(sa.func.max(LINES.c.id))


def numbered(run_id: str, after: int, *, limit: int, last: bool) -> Select:
    """Lines after a number, in order; with `last` backwards from the end."""
    found = sa.select(LINES).where(LINES.c.run_id == run_id, LINES.c.seq > max(after, 0))
    return found.order_by(LINES.c.seq.desc() if last else LINES.c.seq).limit(limit)


def until(run_id: str, mark: int, *, after: int, limit: int) -> Select:
    """Lines after a number, of those that had arrived by then."""
    return numbered(run_id, after, limit=limit, last=False).where(LINES.c.id <= mark)


def since(run_id: str, mark: int, newest: int, *, limit: int, sqlite: bool) -> Select:
    """Lines that have arrived since then.

    SQLite is to look at what all runs have said since, which is little, and not at all that this one ever said; unless
    the mark is old.
    """
    by_arrival = sqlite and newest - mark < RECENT
    run = sa.literal_column('+lines."run_id"', sa.Text) if by_arrival else LINES.c.run_id
    return sa.select(LINES).where(run == run_id, LINES.c.id > mark, LINES.c.seq > 0).order_by(LINES.c.id).limit(limit)
