from fakes.web import plan
from warmcron.core import times
from warmcron.web import ticks
from warmcron.web.language import language


def following(text: str, zone: str, after: str) -> list[tuple[str, str]]:
    found = ticks.following(plan(text, zone, "a/b"), zone=zone, now=times.epoch(after), language=language("en"))
    return [(times.text(tick.at), tick.note) for tick in found]


def test_ten_times_are_told_by_the_schedule_itself() -> None:
    found = following("0 2 * * *", "UTC", "2026-11-24T12:00:00Z")
    assert len(found) == ticks.SHOWN
    assert found[0] == ("2026-11-25T02:00:00Z", "")
    assert all(not note for _, note in found)


def test_a_time_that_the_clocks_jump_over_is_explained() -> None:
    """Berlin, 28 March 2027: 02:30 does not exist; the run is at 03:00 summer time, once."""
    found = following("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z")
    assert found[0][0] == "2027-03-28T01:00:00Z"
    assert "jump over" in found[0][1]
    assert found[1] == ("2027-03-29T00:30:00Z", "")


def test_a_reading_that_comes_twice_is_told_on_its_second_pass() -> None:
    """Berlin, 31 October 2027: 02:00 to 03:00 comes twice, and an hourly task runs in both."""
    found = following("0 * * * *", "Europe/Berlin", "2027-10-30T23:30:00Z")
    assert found[0] == ("2027-10-31T00:00:00Z", "")
    assert found[1][0] == "2027-10-31T01:00:00Z"
    assert "second time" in found[1][1]
    assert found[2] == ("2027-10-31T02:00:00Z", "")


def test_a_change_between_two_runs_is_told_at_the_later_one() -> None:
    found = following("0 9 * * *", "Europe/Berlin", "2027-03-26T12:00:00Z")
    assert found[0] == ("2027-03-27T08:00:00Z", "")
    assert found[1] == ("2027-03-28T07:00:00Z", "the clocks go forward by 1 h before this")
    assert found[2][1] == ""


def test_the_southern_hemisphere_goes_back_in_april() -> None:
    found = following("0 9 * * *", "Australia/Sydney", "2027-04-02T12:00:00Z")
    assert [note for _, note in found[:2]] == ["", "the clocks go back by 1 h before this"]
