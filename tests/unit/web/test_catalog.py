import pytest

from fakes.web import NOW, plan, task_row
from warmcron.web import catalog
from warmcron.web.catalog import Wanted
from warmcron.web.sources import Flag

ROWS = (
    task_row("a", "mail", handler="send.mail", pool="mailers"),
    task_row("a", "sync", flags=frozenset({Flag.FAILING}), failures=3),
    task_row("b", "sync", flags=frozenset({Flag.SUSPENDED})),
    task_row("b", "train", schedule="*/5 * * * *", flags=frozenset({Flag.RUNNING, Flag.NO_WORKER})),
)


def names(wanted: Wanted) -> list[str]:
    return [f"{row.namespace}/{row.name}" for row in catalog.select(ROWS, wanted).rows]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ["a/mail", "a/sync", "b/sync", "b/train"]),
        # a part of the name, in any case
        (Wanted(text="SYN"), ["a/sync", "b/sync"]),
        # handler, pool and schedule are searched too
        (Wanted(text="send."), ["a/mail"]),
        (Wanted(text="mailers"), ["a/mail"]),
        (Wanted(text="*/5"), ["b/train"]),
        # every filter must hold
        (Wanted(text="sync", namespace="b"), ["b/sync"]),
        (Wanted(pool="mailers", namespace="b"), []),
        # one state, however many a task has
        (Wanted(flag=Flag.RUNNING), ["b/train"]),
        (Wanted(flag=Flag.NO_WORKER), ["b/train"]),
        (Wanted(flag=Flag.FAILING), ["a/sync"]),
        # sorted by what is asked for, then by name
        (Wanted(sort="failures"), ["a/sync", "a/mail", "b/sync", "b/train"]),
        (Wanted(sort="next"), ["b/train", "a/mail", "a/sync", "b/sync"]),
    ],
)
def test_a_task_is_listed_when_every_filter_holds(wanted: Wanted, found: list[str]) -> None:
    assert names(wanted) == found


def test_counts_say_what_a_click_on_a_state_would_show() -> None:
    answer = catalog.select(ROWS, Wanted(namespace="b", flag=Flag.SUSPENDED))
    assert (answer.total, answer.counts[Flag.SUSPENDED], answer.counts[Flag.RUNNING]) == (1, 1, 1)
    assert answer.counts[Flag.FAILING] == 0  # it is in the other namespace


def test_a_page_beyond_the_last_is_the_last() -> None:
    rows = [task_row("a", f"t{number:03}") for number in range(catalog.PAGE + 1)]
    answer = catalog.select(rows, Wanted(page=9))
    assert (answer.page, answer.pages, [row.name for row in answer.rows]) == (2, 2, ["t050"])


def test_the_most_urgent_flag_stands_for_a_task() -> None:
    row = task_row("a", "b", flags=frozenset({Flag.RUNNING, Flag.FAILING}))
    assert catalog.foremost(row) is Flag.FAILING


def test_what_is_suspended_is_not_coming() -> None:
    assert [row.name for _, row in catalog.coming(ROWS)] == ["train", "mail", "sync"]
    assert all(row.namespace != "b" or row.name != "sync" for _, row in catalog.coming(ROWS))


def test_each_tick_is_counted_in_its_hour_and_frequent_tasks_by_themselves() -> None:
    start = NOW // 3600 * 3600  # 22:00 UTC
    hours = catalog.Hours(start=start, now=NOW)
    for row in (
        task_row("a", "twice", schedule="0 2,14 * * *"),
        task_row("a", "past", schedule="10 22 * * *"),  # 22:10 is over, and tomorrow's is beyond the 24 hours
        task_row("a", "hourly", schedule="@hourly"),
        task_row("a", "often", schedule="*/5 * * * *"),
        task_row("a", "off", schedule="0 2 * * *", flags=frozenset({Flag.SUSPENDED})),
    ):
        hours.add(row)
    assert hours.frequent == 1
    assert hours.hours[0] == 0
    assert hours.hours[4] == 2  # 02:00: twice and hourly
    assert hours.hours[16] == 2
    assert sum(hours.hours) == 2 + 23


def test_a_thousand_tasks_of_one_schedule_are_searched_once() -> None:
    shared = plan("0 2 * * *", "UTC", "x")
    hours = catalog.Hours(start=NOW, now=NOW)
    for number in range(1000):
        hours.add(task_row("a", str(number), plan=shared))
    assert max(hours.hours) == 1000
    assert len(hours._found) == 1


def test_later_in_the_hour_nothing_is_searched_for_again_and_what_is_over_is_not_counted() -> None:
    start = NOW // 3600 * 3600
    found: catalog.Found = {}
    rows = [
        task_row("a", "soon", schedule="40 22 * * *"),  # 22:40, ten minutes from now
        task_row("a", "hourly", schedule="@hourly"),
        task_row("a", "often", schedule="*/5 * * * *"),
    ]

    def counted(now: float) -> tuple[list[int], int]:
        hours = catalog.Hours(start=start, now=now, found=found)
        for row in rows:
            hours.add(row)
        return hours.hours, hours.frequent

    first = counted(NOW)
    searched = dict(found)
    later = counted(start + 41 * 60)

    assert (first[0][0], later[0][0]) == (1, 0)
    assert (first[0][1:], first[1]) == (later[0][1:], later[1]) == ([1] * 23, 1)
    assert found == searched
    assert all(found[plan] is ticks for plan, ticks in searched.items()), "not one was searched for once more"


async def test_many_rows_come_in_the_same_order_as_few() -> None:
    rows = [task_row(f"n{number % 7}", f"t{number * 7919 % 5003:04}", failures=number % 3) for number in range(5003)]
    for sort, order in catalog.SORTS.items():
        for page in (1, 40, 101):
            wanted = Wanted(sort=sort, page=page)
            answer = await catalog.look(rows, wanted)
            start = (page - 1) * catalog.PAGE
            assert answer.rows == tuple(sorted(rows, key=order)[start : start + catalog.PAGE])
    assert await catalog.look(rows[:3], Wanted()) == catalog.select(rows[:3], Wanted())
