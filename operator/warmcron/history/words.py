"""The words of a search as SQL over the log lines, and which lines are looked at. No connection in here.

Lines are walked from the newest. A statement gives the number and the run of at most `CANDIDATES` lines that match:
if it gives that many, there may be more behind the last of them, and whoever asks has to go on there.
"""

import re
from typing import Any, Final

import sqlalchemy as sa

from warmcron.history.model import RunFilter
from warmcron.history.schema import LINES, WORDS

Select = sa.Select[Any]
Span = tuple[int, int]

WORD: Final = re.compile(r"[^\W_]+")
# A word this short is no beginning: it would be one of half of everything.
SHORT: Final = 3
MOST_WORDS: Final = 10
# So many lines that match are taken at once.
CANDIDATES: Final = 2000
# So many of the newest lines are looked at one by one before all are asked for: a word in a tenth of them is found.
NEWEST: Final = 20_000
# PostgreSQL keeps the words of each line: 80,000 take 55 ms, and of the index only words in fewer than 2.5% are asked.
NEWEST_IN_POSTGRES: Final = 80_000
# Where a range ends, lines are looked at that came up to so long after it: runs take their time.
LATE_SECONDS: Final = 3600
MICRO: Final = 1_000_000
NO_END: Final = 2**62


def words(text: str) -> list[str]:
    """The words of a search, as both databases cut them."""
    return WORD.findall(text.lower())[:MOST_WORDS]


def span(wanted: RunFilter, below: int | None) -> Span:
    """Numbers of the lines that may be of such runs: they come when their run was scheduled, or somewhat later."""
    last = NO_END if wanted.until is None else int((wanted.until + LATE_SECONDS) * MICRO)
    return int((wanted.since or 0.0) * MICRO), last if below is None else min(last, below - 1)


def searches(text: str, between: Span, *, sqlite: bool) -> list[Select]:
    """The newest lines that have the words: ask one after the other, until one gives all `CANDIDATES`.

    Every word is one of the line's; a single word may also be the beginning of one.
    """
    sought = words(text)
    if not sought:
        return []
    open_end = len(sought) == 1 and len(sought[0]) >= SHORT
    if not sqlite:
        return _in_postgres(" & ".join(sought) + (":*" if open_end else ""), between)
    whole = " AND ".join(f'"{word}"' for word in sought)
    if not open_end:
        return [_in_sqlite(whole, between)]
    # All lines of a beginning are read, so the newest are looked at one by one before: if it is common, that will do.
    return [_begun_in_sqlite(sought[0], between), _in_sqlite(f"{whole}*", between)]


def _in_sqlite(phrase: str, between: Span) -> Select:
    matching = (
        sa.select(WORDS.c.rowid)
        .where(sa.text("lines_words MATCH :phrase").bindparams(phrase=phrase), WORDS.c.rowid.between(*between))
        .order_by(WORDS.c.rowid.desc())
        .limit(CANDIDATES)
        .subquery()
    )
    return sa.select(LINES.c.id, LINES.c.run_id).join(matching, matching.c.rowid == LINES.c.id)


def _begun_in_sqlite(word: str, between: Span) -> Select:
    within = LINES.c.id.between(*between)
    # Walked by their number they come in order, and it ends with the last candidate; as a part of the FROM all of
    # them would be put aside with their texts and sorted before.
    oldest = sa.select(LINES.c.id).where(within).order_by(LINES.c.id.desc()).limit(1).offset(NEWEST - 1)
    # The one lower bound there is: of two, SQLite may seek the other and walk every line.
    newest = (LINES.c.id >= sa.func.coalesce(oldest.scalar_subquery(), between[0])) & (LINES.c.id <= between[1])
    # A word is of letters and digits: nothing in it is a wildcard.
    begins = sa.func.lower(" " + LINES.c.text).op("GLOB")(f"*[^a-z0-9]{word}*")
    return sa.select(LINES.c.id, LINES.c.run_id).where(newest, begins).order_by(LINES.c.id.desc()).limit(CANDIDATES)


def _in_postgres(query: str, between: Span) -> list[Select]:
    """The newest lines one by one, then all by the index: left alone, the planner takes the wrong way with both."""
    has_words = sa.literal_column("words").op("@@")(sa.func.to_tsquery(sa.literal_column("'simple'"), query))
    newest = (
        sa.select(LINES.c.id, LINES.c.run_id, sa.literal_column("lines.words").label("words"))
        .where(LINES.c.id.between(*between))
        .order_by(LINES.c.id.desc())
        .limit(NEWEST_IN_POSTGRES)
        .subquery("newest")
    )
    common = sa.select(newest.c.id, newest.c.run_id).where(has_words).order_by(newest.c.id.desc()).limit(CANDIDATES)
    # An order by an expression: the primary key cannot serve it, so the index over the words must.
    rare = (
        sa.select(LINES.c.id, LINES.c.run_id)
        .where(has_words, LINES.c.id.between(*between))
        .order_by(sa.desc(LINES.c.id + 0))
        .limit(CANDIDATES)
    )
    return [common, rare]
