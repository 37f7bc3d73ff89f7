"""When a schedule is next due. Oracles: cronsim, croniter on naive times, and fakes.cronjob's walk over each minute."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes import cronjob
from warmcron.core import schedule, zones
from warmcron.errors import SpecError
from warmcron.spec.task import DaylightSavingPolicy

ONCE, LITERAL = DaylightSavingPolicy.RUN_ONCE, DaylightSavingPolicy.LITERAL
HOUR = 3600


def parse(text: str, zone: str = "UTC", *, policy: DaylightSavingPolicy = ONCE, anchor: int = 0) -> schedule.Schedule:
    return schedule.parse(text, zone=zone, policy=policy, anchor=anchor, hash_key="team/report")


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def ticks(found: schedule.Schedule, start: int, end: int) -> list[int]:
    result = []
    while (start := found.next_after(start)) <= end:
        result.append(start)
    return result


CALENDAR = [
    # minutes and hours
    ("* * * * *", "2026-11-24T10:00:00", "2026-11-24T10:01"),  # strictly after
    ("* * * * *", "2026-11-24T10:00:59", "2026-11-24T10:01"),
    ("*/15 * * * *", "2026-11-24T23:45", "2026-11-25T00:00"),
    ("*/7 * * * *", "2026-11-24T10:56", "2026-11-24T11:00"),  # counted from the hour, not from the last tick
    ("0 0 1 1 *", "2026-01-01T00:00", "2027-01-01T00:00"),
    ("59 23 31 12 *", "2026-12-31T23:58", "2026-12-31T23:59"),
    # seconds
    ("*/10 * * * * *", "2026-11-24T10:00:50", "2026-11-24T10:01"),
    ("30 15 10 * * *", "2026-11-24T10:15:30", "2026-11-25T10:15:30"),
    ("5,50 0 0 * * *", "2026-11-24T00:00:05", "2026-11-24T00:00:50"),
    # day and weekday: both restricted means either
    ("0 0 13 * 5", "2026-11-24T00:00", "2026-11-27T00:00"),  # Friday the 27th
    ("0 0 13 * 5", "2026-12-11T00:00", "2026-12-13T00:00"),  # Sunday the 13th
    ("0 0 */10 * 1", "2026-11-24T00:00", "2026-11-30T00:00"),  # a Monday: */10 is one side of an OR
    ("0 0 */10 * 1", "2026-11-30T00:00", "2026-12-01T00:00"),  # a Tuesday: the other side
    ("0 0 */1 * 1", "2026-11-24T00:00", "2026-11-30T00:00"),  # */1 is a star: Mondays only
    ("0 0 1-31 * 1", "2026-11-24T00:00", "2026-11-25T00:00"),  # 1-31 is none: every day
    # short months and leap years
    ("0 0 31 * *", "2026-11-24T00:00", "2026-12-31T00:00"),
    ("0 0 29 2 *", "2026-11-24T00:00", "2028-02-29T00:00"),
    ("0 0 29 2 *", "2096-02-29T00:00", "2104-02-29T00:00"),  # 2100 is no leap year; CronJob gives up
    ("0 0 * 2 MON#5", "2072-03-01T00:00", "2112-02-29T00:00"),  # the longest wait there is: forty years
    # the last day, and workdays
    ("0 0 L * *", "2028-02-01T00:00", "2028-02-29T00:00"),
    ("0 0 L 2 *", "2026-03-01T00:00", "2027-02-28T00:00"),
    ("0 0 LW * *", "2026-10-31T00:00", "2026-11-30T00:00"),  # a Monday
    ("0 0 LW 1 *", "2027-01-01T00:00", "2027-01-29T00:00"),  # 31 January 2027 is a Sunday
    ("0 0 15W * *", "2026-11-01T00:00", "2026-11-16T00:00"),  # the 15th is a Sunday: Monday
    ("0 0 15W 8 *", "2026-08-01T00:00", "2026-08-14T00:00"),  # the 15th is a Saturday: Friday
    ("0 0 1W 8 *", "2026-07-31T00:00", "2026-08-03T00:00"),  # the 1st is a Saturday: never into July
    ("0 0 31W 5 *", "2026-05-01T00:00", "2026-05-29T00:00"),  # the 31st is a Sunday: never into June
    ("0 0 31W * *", "2026-11-01T00:00", "2026-12-31T00:00"),  # no 31st in November: no run
    # the nth weekday
    ("0 0 * * MON#1", "2026-11-24T00:00", "2026-12-07T00:00"),
    ("0 0 * * 2#5", "2026-11-24T00:00", "2026-12-29T00:00"),  # not every month has five Tuesdays
    ("0 0 * * 5L", "2026-11-24T00:00", "2026-11-27T00:00"),
    ("0 0 * * 5L,1#1", "2026-11-27T00:00", "2026-12-07T00:00"),
    ("0 0 1 * 5L", "2026-11-27T00:00", "2026-12-01T00:00"),  # the OR holds for these too
    ("0 0 L * MON", "2026-11-24T00:00", "2026-11-30T00:00"),  # both at once: one tick
    # long ago, and far away
    ("0 0 * * *", "1901-12-13T20:45:52", "1901-12-14T00:00"),
    ("0 0 1 1 *", "2199-06-01T00:00", "2200-01-01T00:00"),
]


@pytest.mark.parametrize(("text", "after", "expected"), CALENDAR)
def test_the_next_tick_is_the_first_date_and_time_that_fits(text: str, after: str, expected: str) -> None:
    assert parse(text).next_after(instant(after + "Z")) == instant(expected + "Z")


EVERY = [
    ("@every 30s", 0, 30),  # never the anchor itself
    ("@every 30s", 29, 30),
    ("@every 30s", 30, 60),
    ("@every 1h", -5000, 3600),  # nor anything before it
    ("@every 1m30s", 3600, 3690),
]


@pytest.mark.parametrize(("text", "after", "expected"), EVERY)
def test_every_counts_from_the_task_s_creation(text: str, after: int, expected: int) -> None:
    anchor = instant("2026-11-24T10:00:07Z")
    assert parse(text, "Asia/Tokyo", anchor=anchor).next_after(anchor + after) == anchor + expected


CHANGES = [
    # zone, text, policy, from, to (UTC), due (UTC)
    # Berlin, spring: 02:00 to 03:00 on 2027-03-28 at 01:00Z
    ("Europe/Berlin", "30 2 * * *", ONCE, "2027-03-27T12:00", "2027-03-29T12:00", ["28T01:00", "29T00:30"]),
    ("Europe/Berlin", "30 2 * * *", LITERAL, "2027-03-27T12:00", "2027-03-29T12:00", ["29T00:30"]),
    ("Europe/Berlin", "0 2 * * *", ONCE, "2027-03-28T00:00", "2027-03-28T12:00", ["28T01:00"]),
    ("Europe/Berlin", "0 3 * * *", ONCE, "2027-03-28T00:00", "2027-03-28T12:00", ["28T01:00"]),
    ("Europe/Berlin", "0 2,3 * * *", ONCE, "2027-03-28T00:00", "2027-03-28T12:00", ["28T01:00"]),  # two in one
    ("Europe/Berlin", "15,45 2 * * *", ONCE, "2027-03-28T00:00", "2027-03-28T12:00", ["28T01:00"]),
    ("Europe/Berlin", "*/30 2 * * *", ONCE, "2027-03-28T00:00", "2027-03-28T12:00", []),  # follows the clock
    ("Europe/Berlin", "0 * * * *", ONCE, "2027-03-27T23:30", "2027-03-28T02:30", ["28T00:00", "28T01:00", "28T02:00"]),
    ("Europe/Berlin", "10 30 2 * * *", ONCE, "2027-03-28T00:00", "2027-03-28T12:00", ["28T01:00"]),
    # Berlin, autumn: 03:00 to 02:00 on 2026-10-25 at 01:00Z
    ("Europe/Berlin", "30 2 * * *", ONCE, "2026-10-24T12:00", "2026-10-26T12:00", ["25T00:30", "26T01:30"]),
    ("Europe/Berlin", "30 2 * * *", LITERAL, "2026-10-25T00:00", "2026-10-25T12:00", ["25T00:30", "25T01:30"]),
    ("Europe/Berlin", "0 2 * * *", ONCE, "2026-10-25T00:00", "2026-10-25T12:00", []),  # its first pass was at 00:00Z
    ("Europe/Berlin", "0 3 * * *", ONCE, "2026-10-25T00:00", "2026-10-25T12:00", ["25T02:00"]),
    ("Europe/Berlin", "*/30 2 * * *", ONCE, "2026-10-25T00:30", "2026-10-25T12:00", ["25T01:00", "25T01:30"]),
    # New York, both
    ("America/New_York", "30 2 * * *", ONCE, "2026-03-08T00:00", "2026-03-09T00:00", ["08T07:00"]),
    ("America/New_York", "30 1 * * *", ONCE, "2026-11-01T00:00", "2026-11-02T00:00", ["01T05:30"]),
    # Sydney, the south: spring in October, autumn in April
    ("Australia/Sydney", "30 2 * * *", ONCE, "2026-10-03T10:00", "2026-10-04T10:00", ["03T16:00"]),
    ("Australia/Sydney", "30 2 * * *", ONCE, "2027-04-03T10:00", "2027-04-04T10:00", ["03T15:30"]),
    ("Australia/Sydney", "30 2 * * *", LITERAL, "2027-04-03T10:00", "2027-04-04T10:00", ["03T15:30", "03T16:30"]),
    # Lord Howe: half an hour
    ("Australia/Lord_Howe", "15 2 * * *", ONCE, "2026-10-03T10:00", "2026-10-04T10:00", ["03T15:30"]),
    ("Australia/Lord_Howe", "30 2 * * *", ONCE, "2026-10-03T10:00", "2026-10-04T10:00", ["03T15:30"]),
    ("Australia/Lord_Howe", "45 1 * * *", ONCE, "2027-04-03T10:00", "2027-04-04T10:00", ["03T14:45"]),
    ("Australia/Lord_Howe", "45 1 * * *", LITERAL, "2027-04-03T10:00", "2027-04-04T10:00", ["03T14:45", "03T15:15"]),
    # Havana: midnight itself is skipped, and repeated
    ("America/Havana", "0 0 * * *", ONCE, "2026-03-07T12:00", "2026-03-08T12:00", ["08T05:00"]),
    ("America/Havana", "0 0 * * *", ONCE, "2025-11-01T12:00", "2025-11-02T12:00", ["02T04:00"]),
    # Azores: midnight is repeated from the other side of it; the day's 00:30 comes first, and once
    ("Atlantic/Azores", "30 0 * * *", ONCE, "2026-10-24T12:00", "2026-10-25T12:00", ["25T00:30"]),
    # Dublin: winter time is the exception there, and makes no difference
    ("Europe/Dublin", "30 1 * * *", ONCE, "2027-03-27T12:00", "2027-03-28T12:00", ["28T01:00"]),
    # Casablanca: an hour back for Ramadan, and forward again after it
    ("Africa/Casablanca", "30 2 * * *", ONCE, "2026-02-14T12:00", "2026-02-15T12:00", ["15T01:30"]),
    ("Africa/Casablanca", "30 2 * * *", ONCE, "2026-03-21T12:00", "2026-03-22T12:00", ["22T02:00"]),
    # Troll: two hours at once
    ("Antarctica/Troll", "30 1 * * *", ONCE, "2026-03-28T12:00", "2026-03-29T12:00", ["29T01:00"]),
    ("Antarctica/Troll", "30 2 * * *", ONCE, "2026-03-28T12:00", "2026-03-29T12:00", ["29T01:00"]),
    # Samoa has no 30 December 2011: a change of the calendar, not of the season, and nothing is made up for
    ("Pacific/Apia", "0 12 * * *", ONCE, "2011-12-29T12:00", "2011-12-31T12:00", ["29T22:00", "30T22:00"]),
    ("Pacific/Apia", "0 12 30 12 *", ONCE, "2011-12-01T00:00", "2012-11-30T00:00", []),
    # Kwajalein skipped 21 August 1993 in the same way
    ("Pacific/Kwajalein", "0 9 * * *", ONCE, "1993-08-20T00:00", "1993-08-22T00:00", ["20T21:00", "21T21:00"]),
    # Juneau had 18 October 1867 twice, when Alaska was sold: again no season, and both days have their run
    ("America/Juneau", "0 15 * * *", ONCE, "1867-10-17T12:00", "1867-10-19T12:00", ["17T23:57:41", "18T23:57:41"]),
    # London, double summer time: from +1 to +2 on 4 May 1941, and back to +1 on 10 August
    ("Europe/London", "30 2 * * *", ONCE, "1941-05-03T12:00", "1941-05-04T12:00", ["04T01:00"]),
    ("Europe/London", "30 2 * * *", ONCE, "1941-08-09T12:00", "1941-08-10T12:00", ["10T00:30"]),
    # Pyongyang: half an hour back in 2015 and forward in 2018, by decree
    ("Asia/Pyongyang", "45 23 * * *", ONCE, "2015-08-14T00:00", "2015-08-14T23:00", ["14T14:45"]),
    ("Asia/Pyongyang", "45 23 * * *", ONCE, "2018-05-04T00:00", "2018-05-04T23:00", ["04T15:00"]),
    # Istanbul stayed in summer time in 2016: no second 03:30 in October
    ("Europe/Istanbul", "30 3 * * *", LITERAL, "2016-10-29T12:00", "2016-10-31T12:00", ["30T00:30", "31T00:30"]),
    # Amman ended the changes in October 2022, at the moment of a change
    ("Asia/Amman", "30 0 * * *", ONCE, "2022-10-27T12:00", "2022-10-29T12:00", ["27T21:30", "28T21:30"]),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "text", "policy", "start", "end", "expected"), CHANGES)
def test_on_days_the_clocks_change(
    zone: str, text: str, policy: DaylightSavingPolicy, start: str, end: str, expected: list[str]
) -> None:
    month = datetime.fromisoformat(start).strftime("%Y-%m-")
    due = ticks(parse(text, zone, policy=policy), instant(start + "Z"), instant(end + "Z"))
    assert due == [instant(f"{month}{day}Z") for day in expected]


def test_a_tick_at_the_end_of_a_gap_is_found_from_every_second_before_it() -> None:
    found, change = parse("30 2 * * *", "Europe/Berlin"), instant("2027-03-28T01:00:00Z")
    assert {found.next_after(change - back) for back in range(1, 1800)} == {change}
    assert found.next_after(change) == instant("2027-03-29T00:30:00Z")


# ---- against others' code -----------------------------------------------------------------------------------

EDGES = [
    ("Europe/Berlin", "2027-03-28T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/New_York", "2026-03-08T07:00"),
    ("America/St_Johns", "2006-10-29T02:31"),  # changed at one minute past midnight
    ("America/Havana", "2026-03-08T05:00"),
    ("America/Havana", "2025-11-02T05:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("Australia/Lord_Howe", "2027-04-03T15:00"),
    ("Pacific/Chatham", "2026-09-26T14:00"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
    ("Africa/Casablanca", "2026-03-22T02:00"),
    ("Antarctica/Troll", "2026-03-29T01:00"),
    ("Antarctica/Troll", "2026-10-25T01:00"),
    ("Atlantic/Azores", "2026-10-25T01:00"),
    ("Asia/Pyongyang", "2018-05-04T15:00"),
    ("Asia/Kathmandu", "1985-12-31T18:30"),
    ("America/Caracas", "2007-12-09T07:00"),
]

minutes = st.sampled_from(["0", "30", "*/15", "5,35", "*", "15-45/10", "59", "20"])
hours = st.sampled_from(["0", "1", "2", "3", "*", "0-4", "1,2,3", "*/2", "23", "10", "0,12"])
dates = st.sampled_from(["*", "*", "1", "15", "28-31", "1,15", "30"])
months = st.sampled_from(["*", "*", "3", "10-12", "*/3"])
weekdays = st.sampled_from(["*", "*", "0", "1-5", "6", "0,3"])
text = st.builds("{} {} {} {} {}".format, minutes, hours, dates, months, weekdays)


@given(st.sampled_from(EDGES), text, st.sampled_from([ONCE, LITERAL]))
@settings(max_examples=200, deadline=None)
def test_around_a_clock_change_the_ticks_are_those_of_a_walk_over_every_minute(
    edge: tuple[str, str], text: str, policy: DaylightSavingPolicy
) -> None:
    zone, at = edge[0], instant(edge[1] + "Z")
    start, end = at - 7 * HOUR, at + 7 * HOUR
    walk = cronjob.walk if policy is LITERAL else cronjob.walk_once
    assert ticks(parse(text, zone, policy=policy), start, end) == list(walk(text, zone, start, end))


somewhen = st.integers(instant("1995-01-01T00:00Z"), instant("2035-01-01T00:00Z"))
any_zone = st.sampled_from(sorted(zones.known_zones()))
near_change = st.builds(
    lambda edge, by: (edge[0], instant(edge[1] + "Z") + by), st.sampled_from(EDGES), st.integers(-9000, 9000)
)
place = st.one_of(st.tuples(any_zone, somewhen), near_change)


@given(place, text, st.sampled_from([ONCE, LITERAL]), st.booleans())
@settings(max_examples=300, deadline=None)
@example(("Europe/Berlin", instant("2027-03-28T01:00:00Z") - 1), "30 2 * * *", ONCE, False)
def test_ticks_grow_strictly_and_from_between_two_the_later_is_next(
    place: tuple[str, int], text: str, policy: DaylightSavingPolicy, seconds: bool
) -> None:
    zone, start = place
    found = parse("*/20 " + text if seconds else text, zone, policy=policy)
    first = found.next_after(start)
    second = found.next_after(first)
    assert start < first < second
    assert found.next_after(start) == first, "the same again"
    for between in (start, (start + first) // 2, first - 1):
        assert found.next_after(between) == first
    for between in {(first + second) // 2, second - 1}:
        assert found.next_after(between) == second


@given(place, st.sampled_from(["30 2 * * *", "0 0 * * *", "15 1 * * *", "45 23 * * *"]))
@settings(max_examples=200, deadline=None)
def test_a_daily_fixed_time_runs_once_a_day_whatever_the_clocks_do(place: tuple[str, int], daily: str) -> None:
    zone, start = place
    due = ticks(parse(daily, zone), start, start + 40 * 86_400)
    # By dates alone it cannot be said: a 23:45 that the clock jumps over is due at 00:00.
    assert all(21 * HOUR <= later - earlier <= 27 * HOUR for earlier, later in itertools.pairwise(due))
    assert 39 <= len(due) <= 41


@given(text, somewhen)
@settings(max_examples=300, deadline=None)
def test_cronsim_agrees_wherever_it_means_the_same(text: str, start: int) -> None:
    if any(word.startswith("*/") for word in (text.split()[2], text.split()[4])):
        return  # Debian's AND where Kubernetes has OR
    try:
        expected = next(CronSim(text, datetime.fromtimestamp(start, UTC)))
    except StopIteration:
        return
    assert parse(text).next_after(start) == int(expected.timestamp())


@given(text, somewhen)
@settings(max_examples=300, deadline=None)
def test_croniter_agrees_on_clocks_that_never_change(text: str, start: int) -> None:
    expected = croniter(text, datetime.fromtimestamp(start, UTC)).get_next(datetime)
    assert parse(text).next_after(start) == int(expected.timestamp())


# Rows of robfig/cron's own spec_test.go (MIT), which is what CronJob runs: start, text, next. New York has its
# clock changes in there; they hold under Literal.
ROBFIG = [
    ("2012-07-09T14:45:00", "0/15 * * * *", "2012-07-09T15:00:00"),
    ("2012-07-09T14:59:59", "0/15 * * * *", "2012-07-09T15:00:00"),
    ("2012-07-09T15:45:00", "20-35/15 * * * *", "2012-07-09T16:20:00"),
    ("2012-07-09T23:46:00", "*/15 * * * *", "2012-07-10T00:00:00"),
    ("2012-07-09T23:35:51", "15/35 20-35/15 * * * *", "2012-07-10T00:20:15"),
    ("2012-07-09T23:35:51", "15/35 20-35/15 1/2 * * *", "2012-07-10T01:20:15"),
    ("2012-07-09T23:35:51", "15/35 20-35/15 10-12 * * *", "2012-07-10T10:20:15"),
    ("2012-07-09T23:35:51", "15/35 20-35/15 1/2 */2 * *", "2012-07-11T01:20:15"),
    ("2012-07-09T23:35:51", "15/35 20-35/15 * 9-20 * *", "2012-07-10T00:20:15"),
    ("2012-07-09T23:35:51", "15/35 20-35/15 * 9-20 Jul *", "2012-07-10T00:20:15"),
    ("2012-07-09T23:35:00", "0 0 0 9 Apr-Oct ?", "2012-08-09T00:00:00"),
    ("2012-07-09T23:35:00", "0 0 0 */5 Apr,Aug,Oct Mon", "2012-08-01T00:00:00"),
    ("2012-07-09T23:35:00", "0 0 0 */5 Oct Mon", "2012-10-01T00:00:00"),
    ("2012-07-09T23:35:00", "0 0 0 * Feb Mon", "2013-02-04T00:00:00"),
    ("2012-07-09T23:35:00", "0 0 0 * Feb Mon/2", "2013-02-01T00:00:00"),
    ("2012-12-31T23:59:45", "* * * * * *", "2012-12-31T23:59:46"),
    ("2012-07-09T23:35:00", "0 0 0 29 Feb ?", "2016-02-29T00:00:00"),
    ("2012-03-11T00:00:00-05:00", "0 30 2 11 Mar ?", "2013-03-11T02:30:00-04:00"),
    ("2012-03-11T00:00:00-05:00", "0 0 * * * ?", "2012-03-11T01:00:00-05:00"),
    ("2012-03-11T01:00:00-05:00", "0 0 * * * ?", "2012-03-11T03:00:00-04:00"),
    ("2012-03-11T03:00:00-04:00", "0 0 * * * ?", "2012-03-11T04:00:00-04:00"),
    ("2012-03-11T01:00:00-05:00", "0 0 2 * * ?", "2012-03-12T02:00:00-04:00"),
    ("2012-03-11T01:59:59-05:00", "0 0 2 * * ?", "2012-03-12T02:00:00-04:00"),
    ("2012-11-04T00:00:00-04:00", "0 30 2 04 Nov ?", "2012-11-04T02:30:00-05:00"),
    ("2012-11-04T01:45:00-04:00", "0 30 1 04 Nov ?", "2012-11-04T01:30:00-05:00"),
    ("2012-11-04T00:00:00-04:00", "0 0 * * * ?", "2012-11-04T01:00:00-04:00"),
    ("2012-11-04T01:00:00-04:00", "0 0 * * * ?", "2012-11-04T01:00:00-05:00"),
    ("2012-11-04T01:00:00-05:00", "0 0 * * * ?", "2012-11-04T02:00:00-05:00"),
    ("2012-11-04T00:00:00-04:00", "0 0 1 * * ?", "2012-11-04T01:00:00-04:00"),
    ("2012-11-04T01:00:00-04:00", "0 0 1 * * ?", "2012-11-04T01:00:00-05:00"),
    ("2012-11-04T01:00:00-05:00", "0 0 1 * * ?", "2012-11-05T01:00:00-05:00"),
]


@pytest.mark.parametrize(("start", "text", "expected"), ROBFIG)
def test_literal_gives_what_cronjob_s_own_library_gives(start: str, text: str, expected: str) -> None:
    zone = "America/New_York" if start[-6] == "-" else "UTC"
    start, expected = (t if zone != "UTC" else t + "Z" for t in (start, expected))
    assert parse(text, zone, policy=LITERAL).next_after(instant(start)) == instant(expected)


# ---- the rest -----------------------------------------------------------------------------------------------


def test_a_text_is_parsed_once_for_all_tasks_that_share_it() -> None:
    assert parse("7 3 * * *", "Asia/Tokyo") is parse("7 3 * * *", "Asia/Tokyo")
    assert parse("7 3 * * *", "Asia/Tokyo") is not parse("7 3 * * *", "Asia/Seoul")
    shared = [schedule.parse("0 3 * * THU", zone="UTC", policy=ONCE, anchor=0, hash_key=key) for key in ("a/b", "a/c")]
    assert shared[0] is shared[1], "the H of a name is no hash"
    hashed = [
        schedule.parse("H 3 * * *", zone="UTC", policy=ONCE, anchor=0, hash_key=key) for key in ("a/b", "a/b", "a/c")
    ]
    assert hashed[0] is hashed[1] is not hashed[2]


def test_texts_that_mean_the_same_share_one_schedule_and_no_others_do() -> None:
    keys = [f"team/task-{number}" for number in range(1000)]
    drawn = {schedule.parse("H * * * *", zone="UTC", policy=ONCE, anchor=0, hash_key=key) for key in keys}
    assert len(drawn) <= 60
    assert parse("0 3 * * THU") is parse("0 3 * * 4")
    assert parse("0 3 * * THU") is not parse("0 3 * * THU", "Asia/Tokyo")
    assert parse("0 3 * * THU", policy=ONCE) is not parse("0 3 * * THU", policy=DaylightSavingPolicy.LITERAL)
    # a star is read otherwise on the days when the clocks change, and is not the same as all its numbers
    assert parse("*/30 3 * * *") is not parse("0,30 3 * * *")


def test_a_zone_that_is_none_is_refused_for_every_kind_of_schedule() -> None:
    for kind in ("0 0 * * *", "@daily", "@every 5m"):
        with pytest.raises(SpecError, match=r"^spec\.timeZone"):
            parse(kind, "Mars/Olympus")


def test_ten_years_of_ticks_are_as_many_as_there_are_days() -> None:
    start = instant("2020-01-01T00:00:00Z")
    end = start + int(timedelta(days=3653).total_seconds())
    for zone in ("UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Gaza"):
        assert len(ticks(parse("15 2 * * *", zone), start, end)) == 3653, zone
