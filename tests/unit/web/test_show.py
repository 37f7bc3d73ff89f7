import pytest

from fakes.web import NOW
from warmcron.web import show
from warmcron.web.language import language

EN, ZH = language("en"), language("zh")


@pytest.mark.parametrize(
    ("delta", "english", "chinese"),
    [
        (0.4, "now", "现在"),
        (45, "in 45 s", "45 秒后"),
        (-60, "1 min ago", "1 分钟前"),
        (-3599, "59 min ago", "59 分钟前"),
        (7200, "in 2 h", "2 小时后"),
        # a day and a half is easier to grasp in hours
        (36 * 3600, "in 36 h", "36 小时后"),
        (-50 * 3600, "2 d ago", "2 天前"),
    ],
)
def test_how_far_off_is_said_in_one_unit(delta: float, english: str, chinese: str) -> None:
    assert show.relative(delta, EN) == english
    assert show.relative(delta, ZH) == chinese


@pytest.mark.parametrize(
    ("zone", "clock", "label"),
    [
        ("UTC", "2026-11-24 22:30:03", "UTC"),
        ("Europe/Berlin", "2026-11-24 23:30:03", "UTC+1"),
        ("America/New_York", "2026-11-24 17:30:03", "UTC−5"),
        # the next day, and half an hour
        ("Asia/Kolkata", "2026-11-25 04:00:03", "UTC+5:30"),
        ("America/St_Johns", "2026-11-24 19:00:03", "UTC−3:30"),
    ],
)
def test_a_time_is_never_printed_without_its_zone(zone: str, clock: str, label: str) -> None:
    found = show.when(NOW, zone=zone, now=NOW, language=EN)
    assert (f"{found.date} {found.clock}", found.zone) == (clock, label)
    assert found.iso == "2026-11-24T22:30:03Z"
    assert label in found.full
    assert zone == "UTC" or zone in found.full


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (-1, "–"),
        (0.0004, "0 ms"),
        (0.34, "340 ms"),
        (0.9996, "1 s"),  # not 1000 ms
        (4, "4 s"),
        (4.26, "4.3 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_duration_is_said_in_at_most_two_units(seconds: float | None, text: str) -> None:
    assert show.duration(seconds, EN) == text


def test_units_are_words_of_the_language() -> None:
    assert show.duration(200, language("zh")) == "3 分 20 秒"
    assert show.amount(5, "us", language("zh")) == "5 us"


@pytest.mark.parametrize(
    "bad",
    [
        "\x1b[2J",  # clears a terminal
        "\x00",
        "\r",  # overwrites the line in a terminal, ends one in an event stream
        "\u202e",  # turns what follows around
        "\u2066",
        "\u2028",  # a line break to JavaScript and nobody else
        "\x85",
    ],
)
def test_what_controls_a_terminal_or_turns_text_around_is_replaced(bad: str) -> None:
    found = show.clean(f"a{bad}b")
    assert bad[0] not in found
    assert found.startswith("a\N{REPLACEMENT CHARACTER}")


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    text = "naïve 日本語 עברית emoji 👩‍💻\n\tindented"
    assert show.clean(text) == text


@pytest.mark.parametrize("name", ["localtime", "../../etc/passwd", "", "Mars/Phobos", "right/UTC", "posixrules"])
def test_a_zone_that_the_bundled_data_lacks_is_not_taken(name: str) -> None:
    assert show.known_zone(name) == ""
