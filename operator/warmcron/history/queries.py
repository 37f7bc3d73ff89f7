"""A filter as SQL: which index leads, which conditions follow, and where a page begins. No connection in here.

Each statement walks one index in the order of the page, so that its cost is that of the rows it looks at; several
are run where one index cannot serve (two states, two namespaces), and what they find is merged. They give places, the
time and id of runs, which the indexes have: whole rows are read for those alone that are on the page.
"""

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from warmcron.history.model import RunFilter
from warmcron.history.schema import ATTEMPTS, COUNTS, HOUR, NAMES, RUNS
from warmcron.history.words import NO_END

Select = sa.Select[Any]
Where = sa.ColumnElement[bool]

RUN_ID: Final = re.compile(r"[0-9a-f-]{8,36}")
# A beginning of eight digits is that of one run; more than a few begin alike only if somebody makes them so.
ALIKE: Final = 1000
# So many tasks that have the text in their name are looked up one by one; more are found by reading on.
FEW_NAMES: Final = 20
# So many passes over an index, a page each, are quicker than one over all runs that finds few or none.
PASSES: Final = 20
# Nearly every run has this trigger: it leads nowhere, and its index leaves it out.
SCHEDULE: Final = "Schedule"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: after this run, in the order of time and id, newest first.

    Attributes:
        line: of a search that goes on: only lines with a lower number are left to it; None for all of them.
    """

    scheduled: float = math.inf
    run_id: str = ""
    line: int | None = None

    @property
    def cursor(self) -> str:
        """As text for a URL."""
        return f"{self.scheduled!r}~{self.run_id}" + (f"~{self.line}" if self.line is not None else "")


def position(cursor: str) -> Position | None:
    """A cursor read back; None for none, and for one that makes no sense."""
    scheduled, _, rest = cursor.partition("~")
    run_id, _, line = rest.partition("~")
    try:
        found = Position(float(scheduled), run_id, max(0, min(int(line), NO_END)) if line else None)
    except ValueError:
        return None
    return found if run_id or line else None


def pages(wanted: RunFilter, after: Position | None, *, limit: int, sqlite: bool) -> list[Select]:
    """The statements whose merged places, newest first, are the page; `text` is not looked at."""
    if wanted.pod:
        return [_of_pod(wanted, after, limit, sqlite=sqlite)]
    if wanted.uids == ():
        return []
    leads = _leads(wanted)
    led = leads[0].keys() if leads else ()
    rest = [*_conditions(wanted, without=led, sqlite=sqlite), *_times(wanted, RUNS), *_after(after, RUNS)]
    found = []
    for lead in leads or [{}]:
        first = [RUNS.c[column] == value for column, value in lead.items()]
        if "trigger" in lead:  # else neither database sees that its index, which leaves these out, will do
            first.append(RUNS.c.trigger != sa.literal_column(f"'{SCHEDULE}'"))
        found.append(_newest(sa.select(RUNS.c.scheduled, RUNS.c.run_id).where(*first, *rest), RUNS, limit))
    return found


def of_names(
    wanted: RunFilter, names: Sequence[str], after: Position | None, *, limit: int, sqlite: bool
) -> list[Select]:
    """The statements for runs of the tasks that have the text in their name."""
    if len(names) <= FEW_NAMES:
        each = [replace(wanted, task=name, text="") for name in names]
        return [statement for one in each for statement in pages(one, after, limit=limit, sqlite=sqlite)]
    found = pages(replace(wanted, text=""), after, limit=limit, sqlite=sqlite)
    return [statement.where(contains(RUNS.c.task, wanted.text)) for statement in found]


def rows(ids: Iterable[str]) -> Select:
    """These runs, in no order."""
    return sa.select(RUNS).where(RUNS.c.run_id.in_(list(ids)))


def by_id(wanted: RunFilter, after: Position | None, ids: Iterable[str], *, sqlite: bool) -> Select:
    """Where in the order those of these runs are that the filter wants."""
    pod = [sa.exists().where(ATTEMPTS.c.run_id == RUNS.c.run_id, ATTEMPTS.c.pod_name == wanted.pod)]
    return sa.select(RUNS.c.scheduled, RUNS.c.run_id).where(
        RUNS.c.run_id.in_(list(ids)),
        *_conditions(wanted, sqlite=sqlite),
        *_times(wanted, RUNS),
        *_after(after, RUNS),
        *(pod if wanted.pod else ()),
    )


def id_like(text: str) -> Select | None:
    """Runs whose id begins with the text; None if no id does."""
    text = text.strip().lower()
    if not RUN_ID.fullmatch(text):
        return None
    # 'g' comes after every digit of an id.
    return sa.select(RUNS.c.run_id).where(RUNS.c.run_id >= text, RUNS.c.run_id < f"{text}g").limit(ALIKE)


def names_like(wanted: RunFilter) -> Select:
    """Names of tasks that contain the text."""
    found = sa.select(NAMES.c.task).distinct().where(contains(NAMES.c.task, wanted.text))
    if wanted.namespaces is not None:
        found = found.where(NAMES.c.namespace.in_(wanted.namespaces))
    if wanted.task:
        found = found.where(NAMES.c.task == wanted.task)
    return found.limit(FEW_NAMES + 1)


def contains(column: sa.ColumnElement[str], text: str) -> Where:
    """Whether a column contains the text, in any case of its letters."""
    return column.icontains(text.strip(), autoescape=True)


def recent(uids: Sequence[str], limit: int) -> sa.TextClause:
    """The last runs of each of these tasks. As text: SQLAlchemy takes 100 ms to put fifty parts together."""
    columns = ", ".join(f'"{name}"' for name in RUNS.columns.keys())  # noqa: SIM118 - a collection of columns
    parts = [
        f"SELECT * FROM (SELECT {columns} FROM runs WHERE task_uid = :uid{number} "  # noqa: S608 - names of ours
        f"ORDER BY scheduled DESC, run_id DESC LIMIT :most) AS part{number}"
        for number in range(len(uids))
    ]
    values: dict[str, Any] = {f"uid{number}": uid for number, uid in enumerate(uids)}
    return sa.text(" UNION ALL ".join(parts)).bindparams(most=limit, **values)


def first_from(task_uid: str, tick: float) -> Select:
    """The earliest run of a task's schedule at or after a tick."""
    wanted = (RUNS.c.task_uid == task_uid, RUNS.c.scheduled >= tick, RUNS.c.trigger == SCHEDULE)
    return sa.select(RUNS).where(*wanted).order_by(RUNS.c.scheduled, RUNS.c.run_id).limit(1)


def counts(namespaces: tuple[str, ...] | None, since: float) -> Select:
    """How many runs are in each state. Whole hours are counted already; the rest of the first one is counted now."""
    first = math.ceil(since / HOUR) * HOUR
    whole = sa.select(COUNTS.c.state, COUNTS.c.runs).where(COUNTS.c.hour >= first)
    rest = sa.select(RUNS.c.state, sa.literal_column("1").label("runs"))
    rest = rest.where(RUNS.c.scheduled >= since, RUNS.c.scheduled < first)
    if namespaces is not None:
        whole, rest = whole.where(COUNTS.c.namespace.in_(namespaces)), rest.where(RUNS.c.namespace.in_(namespaces))
    both = sa.union_all(whole, rest).subquery()
    total = sa.cast(sa.func.sum(both.c.runs), sa.BigInteger)
    return sa.select(both.c.state, total).group_by(both.c.state).having(total > 0)


def _leads(wanted: RunFilter) -> list[dict[str, str]]:
    """What the walked index begins with, a pass for each; empty for all runs by time.

    Of a task's name in a million runs and of a state, the planner of SQLite cannot know which is rare: we say it.
    """
    namespaces, states = wanted.namespaces or (), wanted.states
    if wanted.uids is not None and len(wanted.uids) <= PASSES:  # none at all is an answer as well
        return [{"task_uid": uid} for uid in wanted.uids]
    if wanted.task:
        return [{"task": wanted.task}]
    if 0 < len(namespaces) * len(states) <= PASSES:
        return [{"namespace": namespace, "state": state} for namespace in namespaces for state in states]
    if wanted.trigger and wanted.trigger != SCHEDULE:
        return [{"trigger": wanted.trigger}]
    if states:
        return [{"state": state} for state in states]
    return [{"namespace": namespace} for namespace in namespaces] if len(namespaces) <= PASSES else []


def _conditions(wanted: RunFilter, *, without: Collection[str] = (), sqlite: bool) -> list[Where]:
    found: list[Where] = []
    if wanted.namespaces is not None and "namespace" not in without:
        found.append(_plain(RUNS.c.namespace, sqlite=sqlite).in_(wanted.namespaces))
    if wanted.uids is not None and "task_uid" not in without:
        found.append(_plain(RUNS.c.task_uid, sqlite=sqlite).in_(wanted.uids))
    if wanted.task and "task" not in without:
        found.append(_plain(RUNS.c.task, sqlite=sqlite) == wanted.task)
    if wanted.states and "state" not in without:
        found.append(_plain(RUNS.c.state, sqlite=sqlite).in_(wanted.states))
    if wanted.trigger and "trigger" not in without:
        found.append(_plain(RUNS.c.trigger, sqlite=sqlite) == wanted.trigger)
    return found


def _plain(column: sa.Column[str], *, sqlite: bool) -> sa.ColumnElement[str]:
    """A column whose index SQLite is not to use: with a plus before it, it is an expression."""
    return sa.type_coerce(sa.literal_column(f'+runs."{column.name}"'), sa.Text) if sqlite else column


def _times(wanted: RunFilter, table: sa.Table) -> list[Where]:
    found: list[Where] = []
    if wanted.since is not None:
        found.append(table.c.scheduled >= wanted.since)
    if wanted.until is not None:
        found.append(table.c.scheduled < wanted.until)
    return found


def _after(after: Position | None, table: sa.Table) -> list[Where]:
    if after is None:
        return []
    return [sa.tuple_(table.c.scheduled, table.c.run_id) < sa.tuple_(after.scheduled, after.run_id)]


def _newest(found: Select, table: sa.Table, limit: int) -> Select:
    return found.order_by(table.c.scheduled.desc(), table.c.run_id.desc()).limit(limit)


def _of_pod(wanted: RunFilter, after: Position | None, limit: int, *, sqlite: bool) -> Select:
    """By the attempts: a run belongs to every pod that it was sent to, once however often it was sent there."""
    found = (
        sa.select(ATTEMPTS.c.scheduled, ATTEMPTS.c.run_id)
        .distinct()  # which costs nothing: the index has them side by side
        .join(RUNS, ATTEMPTS.c.run_id == RUNS.c.run_id)
        .where(
            ATTEMPTS.c.pod_name == wanted.pod,
            *_conditions(wanted, sqlite=sqlite),
            *_times(wanted, ATTEMPTS),
            *_after(after, ATTEMPTS),
        )
    )
    return _newest(found, ATTEMPTS, limit)
