"""Times as text, against the standard library's own."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from warmcron.core import times

# To the year 9999; microseconds are exact in a float up to there.
instants = st.integers(0, 253_402_300_799_000_000).map(lambda micros: micros / 1_000_000)


@given(instants)
def test_microseconds_are_those_of_the_instant(instant: float) -> None:
    found = datetime.strptime(times.text_micro(instant), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs(found - datetime.fromtimestamp(instant, UTC)).total_seconds() <= 0.000_033


@given(st.integers(0, 4_102_444_800).map(float))
def test_a_whole_second_has_no_microseconds(instant: float) -> None:
    assert times.text_micro(instant) == times.text(instant).replace("Z", ".000000Z")


def test_what_rounds_up_to_the_next_second_says_so() -> None:
    assert times.text_micro(1_700_000_000.999_999_7) == times.text_micro(1_700_000_001.0)
