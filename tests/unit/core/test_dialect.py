"""What a cron text means, and what is refused. The oracle for CronJob's part is robfig's parser, in fakes.cronjob."""

import itertools
import re
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import cronjob
from warmcron.core import dialect, schedule, zones
from warmcron.core.days import LAST, Days
from warmcron.errors import SpecError
from warmcron.spec.task import SCHEDULE_PATTERN, DaylightSavingPolicy


def fields(text: str, key: str = "team/report") -> dialect.Fields:
    found = dialect.read(text, hash_key=key)
    assert isinstance(found, dialect.Fields)
    return found


def days(text: str) -> Days:
    return fields(text).days


SAME = [
    ("5-5 * * * *", "5 * * * *"),  # one value, not the whole field
    ("59/15 * * * *", "59 * * * *"),  # a step finds nothing behind the last minute
    ("10-10/5 * * * *", "10 * * * *"),
    ("*/1 * * * *", "* * * * *"),
    ("? ? ? ? ?", "* * * * *"),
    ("5/20 * * * *", "5,25,45 * * * *"),  # N/step runs to the end of the field
    ("*/100 * * * *", "0 * * * *"),  # a step longer than the field leaves its first value
    ("0 0 * JAN-mar,Dec MON", "0 0 * 1-3,12 1"),  # names in any case
    ("0 0 * * 7", "0 0 * * 0"),  # Sunday has two numbers here, as in cron; CronJob refuses 7
    ("0 0 * * 5-7", "0 0 * * 0,5,6"),
    ("0 0 * * 7/2", "0 0 * * 0"),
    ("0 0 * * 0-7", "0 0 * * 0-6"),
    ("005 0007 01 * *", "5 7 1 * *"),  # leading zeros
    ("\t 5  7\n1 * * ", "5 7 1 * *"),  # any white space
    ("1,,2, * * * *", "1,2 * * * *"),  # CronJob drops empty items
    ("+5 * * * *", "5 * * * *"),  # and reads a sign
    ("*-5/2 * * * *", "*/2 * * * *"),  # and nothing behind a star but the step
    ("0 5 7 1 * *", "5 7 1 * *"),  # six fields begin with the second
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("0 0 * * L5", "0 0 * * 5L"),  # croniter's spelling and Quartz's
    ("0 0 * * friL", "0 0 * * 5L"),
    ("0 0 * * MON#2", "0 0 * * 1#2"),
    ("0 0 * * 7#2", "0 0 * * 0#2"),
    ("0 0 l * *", "0 0 L * *"),
    ("0 0 lw,15w * *", "0 0 LW,15W * *"),
]


@pytest.mark.parametrize(("text", "plain"), SAME)
def test_two_spellings_mean_the_same(text: str, plain: str) -> None:
    assert fields(text) == fields(plain)


REFUSED = [
    ("", "expected 5 fields"),
    ("* * * *", "found 4"),
    ("* * * * * * *", "found 7"),  # Quartz's year
    ("60 * * * *", "the minute field has 0 to 59"),
    ("* 24 * * *", "the hour field has 0 to 23"),
    ("* * 0 * *", "the day-of-month field has 1 to 31"),
    ("* * 32 * *", "the day-of-month field has 1 to 31"),
    ("* * * 13 *", "the month field has 1 to 12"),
    ("* * * * 8", "the day-of-week field has 0 to 7"),
    ("60 * * * * *", "the second field has 0 to 59"),
    ("*/0 * * * *", "a step is at least 1"),
    ("5-1 * * * *", "runs backwards in the minute field; write two ranges"),  # croniter wraps
    ("* * * * SAT-SUN", "runs backwards"),  # Sunday is 0 in a range that ends with it
    ("* 22-2 * * *", "runs backwards"),
    ("-5 * * * *", "not read in the minute field"),
    ("5--7 * * * *", "not read"),
    ("*/-12 * * * *", "not read"),
    ("*//2 * * * *", "not read"),
    ("1-2-3 * * * *", "not read"),
    ("**/2 * * * *", "not read"),
    ("*5 * * * *", "not read"),
    (", * * * *", "names no minute"),  # CronJob takes it and never runs
    ("R * * * *", "not read"),  # random at every parse: another time after every restart
    ("R(0-30) * * * *", "not read"),
    ("MON * * * *", "'MON' in 'MON' is not a minute"),
    ("* * * MON *", "is not a month"),
    ("* * * * JAN", "is not a day-of-week"),
    ("* * * * MONDAY", "not read in the day-of-week field"),
    ("L * * * *", "not read in the minute field"),
    ("* * * * L", "not read in the day-of-week field"),  # Saturday to Quartz, an error to croniter: say which
    ("* * L-3 * *", "not read"),
    ("* * L/2 * *", "not read"),
    ("* * 32W * *", "the day-of-month field"),
    ("* * 0W * *", "the day-of-month field"),
    ("* * 1-15W * *", "not read"),
    ("* * * * MON#6", "not read"),
    ("* * * * 1#0", "not read"),
    ("* * * * 8#1", "not read"),
    ("H(30-10) * * * *", "the minute field has 0 to 59"),
    ("H(0-60) * * * *", "the minute field has 0 to 59"),
    ("H/0 * * * *", "a step is at least 1"),
    ("h * * * *", "not read"),
    ("0 0 30 2 *", "no date ever matches"),  # CronJob takes it and never runs
    ("0 0 31 2,4,6,9,11 *", "no date ever matches"),
    ("0 0 30-31 FEB *", "no date ever matches"),
    ("0 0 30W 2 *", "no date ever matches"),
    ("TZ=UTC * * * * *", "put the zone into spec.timeZone"),
    ("CRON_TZ=Europe/Berlin 0 6 * * *", "put the zone into spec.timeZone"),
    ("TZ=UTC", "put the zone into spec.timeZone"),  # robfig alone panics here
    ("@Hourly", "'@Hourly' is not a macro; known are @yearly,"),
    ("@reboot", "is not a macro"),
    ("@daily ", "is not a macro"),
    (" @daily", "found 1"),
    ("@every", "expected '@every' and a duration such as 30s, 5m or 1h30m"),
    ("@every 5", "expected '@every' and a duration"),
    ("@every -5m", "expected '@every' and a duration"),
    ("@every 1d", "expected '@every' and a duration"),
    ("@every 5m ", "expected '@every' and a duration"),
    ("@every 999ms", "shorter than one second"),  # CronJob makes it one second in silence
    ("@every 0s", "shorter than one second"),
    ("@every 9223372037s", "longer than 292 years"),
    ("\uff15 * * * *", "only ASCII"),  # full-width digits: int() would take them
    ("* * * * *\0", "not read"),
    ("*\x1c*\x1c*\x1c*\x1c*", "found 1"),  # white space to Python alone
    ("1," * 200 + "1 * * * *", "longer than 256 characters"),
    ("9" * 250, "found 1"),
    ("9" * 200 + " * * * *", "not read in the minute field"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_what_is_no_schedule_is_refused_with_the_field_and_the_cure(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        schedule.parse(text, zone="UTC", policy=DaylightSavingPolicy.RUN_ONCE, anchor=0, hash_key="a/b")
    assert str(caught.value).startswith("spec.schedule: ")
    assert words in str(caught.value)
    assert caught.value.reason == "InvalidSchedule"
    assert "\n" not in str(caught.value)


EVERY = [
    ("@every 30s", 30),
    ("@every 1h30m", 5400),
    ("@every 1m1m", 120),
    ("@every 1.5h", 5400),
    ("@every .5h", 1800),
    ("@every 5.m", 300),
    ("@every 0.57h", 2052),  # 2051.9999999999995 in floating point
    ("@every 1500ms", 1),  # whole seconds, rounded down
    ("@every +2m", 120),
    ("@every 1000000us1000000000ns", 2),
    ("@every 87600h", 315_360_000),
]


@pytest.mark.parametrize(("text", "seconds"), EVERY)
def test_every_reads_durations_as_cronjob_does(text: str, seconds: int) -> None:
    assert dialect.read(text, hash_key="") == dialect.Every(seconds)
    assert re.search(SCHEDULE_PATTERN, text)


STARS = [
    ("0 0 * * *", True, True),
    ("0 0 */1 * *", True, True),  # still a star
    ("0 0 */2 * *", False, True),  # no star with a step above 1: the day is one side of an OR
    ("0 0 1,* * *", True, True),  # one star in a list is enough
    ("0 0 1-31 * 0-6", False, False),  # all of them, yet not a star
    ("0 0 ? * ?", True, True),
    ("0 0 L * *", False, True),
    ("0 0 * * 5L", True, False),
]


@pytest.mark.parametrize(("text", "any_day", "any_weekday"), STARS)
def test_a_star_and_only_a_star_leaves_a_day_field_open(text: str, any_day: bool, any_weekday: bool) -> None:
    assert (days(text).any_day, days(text).any_weekday) == (any_day, any_weekday)


FIXED = [
    ("30 2 * * *", True),
    ("0 1,2,3 * * *", True),
    ("0-59 0-23 * * *", True),  # no star, whatever it covers
    ("H H * * *", True),
    ("* 30 2 * * *", True),  # the second has no say
    ("*/30 2 * * *", False),
    ("0 */6 * * *", False),
    ("? 2 * * *", False),  # another spelling of the star
    ("30 ? * * *", False),
    ("0,* 2 * * *", True),  # Debian's cron looks at the first character
]


@pytest.mark.parametrize(("text", "fixed"), FIXED)
def test_fixed_times_are_those_whose_minute_and_hour_begin_with_no_star(text: str, fixed: bool) -> None:
    assert fields(text).fixed is fixed


def test_what_is_beyond_numbers_is_kept_as_such() -> None:
    found = days("0 0 L,LW,15W,3 * FRIL,MON#2,WED")
    assert (found.last_day, found.last_workday, found.nearest, found.days) == (
        True,
        True,
        frozenset({15}),
        frozenset({3}),
    )
    assert (found.nth, found.weekdays) == (frozenset({(5, LAST), (1, 2)}), frozenset({3}))


# ---- against CronJob's own parser ----------------------------------------------------------------------------

number = st.one_of(
    st.integers(0, 62).map(str), st.sampled_from(["07", "+3", "mon", "SUN", "jan", "Dec", "x", "-1", ""])
)
star = st.sampled_from(["*", "?", "*-5", "*-"])
span = st.builds("{}-{}".format, number, number)
base = st.one_of(number, number, star, span)
item = st.one_of(
    base, st.builds("{}/{}".format, base, st.sampled_from(["1", "2", "7", "40", "0", "+2", "-1", "", "x"]))
)
word = st.lists(item, min_size=1, max_size=3).map(",".join)
plain_text = st.lists(word, min_size=5, max_size=5).map(" ".join)


@given(plain_text)
@settings(max_examples=800, deadline=None)
def test_every_text_that_cronjob_takes_means_the_same_here(text: str) -> None:
    try:
        bits = cronjob.parse(text)
    except cronjob.RefusedError:
        return
    if not all(field & ~cronjob.STAR for field in bits):
        return  # a field without a value: never due, and refused here
    found = fields(text)
    assert re.search(SCHEDULE_PATTERN, text), "the CRD refuses it"
    assert [set(found.minutes), set(found.hours), set(found.months)] == [numbers(bits[i]) for i in (0, 1, 3)]
    assert found.days.any_day == bool(bits[2] & cronjob.STAR)
    assert found.days.any_weekday == bool(bits[4] & cronjob.STAR)
    assert found.days.any_day or found.days.days == numbers(bits[2])
    assert found.days.any_weekday or found.days.weekdays == numbers(bits[4])


def numbers(bits: int) -> set[int]:
    return {number for number in range(60) if bits >> number & 1}


@given(plain_text)
@settings(max_examples=800, deadline=None)
def test_a_text_that_cronjob_refuses_is_refused_unless_it_names_sunday_7(text: str) -> None:
    try:
        cronjob.parse(text)
    except cronjob.RefusedError:
        if "7" not in text.rsplit(maxsplit=1)[-1]:
            with pytest.raises(SpecError):
                dialect.read(text, hash_key="")


@given(st.one_of(st.text(alphabet="0123456789*/-,?LW#HR() \tMONjan@every.hms+", max_size=300), st.text(max_size=300)))
@settings(max_examples=1000, deadline=None)
def test_whatever_is_written_is_read_or_refused_and_never_breaks(text: str) -> None:
    try:
        found = dialect.read(text, hash_key="a/b")
    except SpecError:
        return
    assert text.strip()
    assert isinstance(found, dialect.Every) or all((found.seconds, found.minutes, found.hours, found.months))


HOSTILE = [
    ",".join(["0-59"] * 49) + " * * * *",
    ",".join(["*/1"] * 60) + " * * * *",
    ",".join(["H(0-59)/1"] * 24) + " * * * *",
    "* * " + ",".join(["15W"] * 60) + " * *",
    "* * * * " + ",".join(["MON#1"] * 40),
    "* * 31 2,4,6,9,11 *",
    "* * 31W 2,4,6,9,11 *",
    "0 0 * 2 MON#5",
    "@every " + "1" * 249,
    "@every " + "1." * 124,
    "@every " + "1s" * 124,
    "9" * 256,
    "*/" * 128,
    "H(" * 128,
    "1-" * 128,
    " " * 256,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_costs_a_bounded_number_of_steps(text: str) -> None:
    # Counted, not timed. A line of Python takes well under a microsecond, so that 30,000 stay below 10 ms by far.
    steps = 0

    def count(*_: Any) -> Any:
        nonlocal steps
        steps += 1
        return count

    schedule._cron.cache_clear()
    zones.zone.cache_clear()
    sys.settrace(count)
    try:
        found = schedule.parse(
            text, zone="America/New_York", policy=DaylightSavingPolicy.RUN_ONCE, anchor=0, hash_key="a/b"
        )
        found.next_after(0)
    except SpecError:
        pass
    finally:
        sys.settrace(None)
    assert steps < 30_000


# ---- H ----------------------------------------------------------------------------------------------------------

KEYS = [f"team-{number % 7}/report-{number}" for number in range(4000)]


def test_h_spreads_a_day_evenly() -> None:
    seen = Counter((f.minutes[0], f.hours[0]) for f in (fields("H H * * *", key) for key in KEYS))
    assert len(seen) > 1300  # of 1,440; croniter's own H reaches 240
    assert max(seen.values()) < 16


HASHED = [
    ("H * * * *", "minutes", range(60), 1),
    ("H/15 * * * *", "minutes", range(60), 4),
    ("H(10-19) * * * *", "minutes", range(10, 20), 1),
    ("H(0-29)/10 * * * *", "minutes", range(30), 3),
    ("H(5-5) * * * *", "minutes", range(5, 6), 1),
    ("* H * * *", "hours", range(24), 1),
    ("* * * H *", "months", range(1, 13), 1),
    ("H * * * * *", "seconds", range(60), 1),
]


@pytest.mark.parametrize(("text", "field", "allowed", "count"), HASHED)
def test_h_stays_in_its_range_and_comes_once_a_period(text: str, field: str, allowed: range, count: int) -> None:
    for key in KEYS[:300]:
        found = getattr(fields(text, key), field)
        assert len(found) == count, key
        assert set(found) <= set(allowed), key
        gaps = {later - earlier for earlier, later in itertools.pairwise(found)}
        assert len(gaps) <= 1, key


def test_h_draws_days_that_every_month_has() -> None:
    assert {*range(1, 29)} == {day for key in KEYS[:500] for day in fields("0 0 H * *", key).days.days}
    assert {*range(7)} == {day for key in KEYS[:200] for day in fields("0 0 * * H", key).days.weekdays}


def test_h_is_the_same_in_every_process_and_for_ever() -> None:
    code = "from warmcron.core import dialect; print(dialect.read('H H(2-5) H * H', hash_key='team/report'))"
    run = [sys.executable, "-c", code]
    printed = {
        subprocess.run(run, env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}, capture_output=True,
                       text=True, check=True).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert printed == {f"{fields('H H(2-5) H * H')}\n"}
    # A change of these numbers moves every user's schedule.
    found = fields("H H H * H")
    assert (found.minutes, found.hours, found.days.days, found.days.weekdays) == (
        (20,),
        (7,),
        frozenset({9}),
        frozenset({3}),
    )


def test_h_is_drawn_for_each_field_by_itself() -> None:
    assert len({(f.minutes[0] % 24) - f.hours[0] for f in (fields("H H * * *", key) for key in KEYS[:100])}) > 20
