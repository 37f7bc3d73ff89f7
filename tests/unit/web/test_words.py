import pytest

from warmcron.core import dialect
from warmcron.web.language import language
from warmcron.web.words import words

EN, ZH = language("en"), language("zh")


@pytest.mark.parametrize(
    ("schedule", "english"),
    [
        ("*/5 * * * *", "Every 5 minutes"),
        ("0 2 * * 1-5", "At 02:00, Monday through Friday"),
        # seconds first
        ("30 0 2 * * *", "At 02:00:30"),
        # what only this dialect has
        ("0 8 L * *", "At 08:00, on the last day of the month"),
        ("0 9 * * MON#2", "At 09:00, on the second Monday of the month"),
        ("@daily", "At 00:00"),
        ("@every 90s", "Every 90 s"),
        ("@every 1h30m", "Every 1 h 30 min"),
        # THU is a day, not a hash
        ("0 9 * * THU", "At 09:00, only on Thursday"),
    ],
)
def test_a_schedule_is_said_in_words(schedule: str, english: str) -> None:
    assert words(schedule, EN, hash_key="a/b") == english


def test_a_hash_is_said_as_the_number_that_it_stands_for() -> None:
    fields = dialect.read("H H * * *", hash_key="a/b")
    assert isinstance(fields, dialect.Fields)
    assert words("H H * * *", EN, hash_key="a/b") == f"At {fields.hours[0]:02}:{fields.minutes[0]:02}"


def test_chinese_has_chinese_names_of_days() -> None:
    found = words("0 2 * * 1-5", ZH, hash_key="a/b")
    assert "星期一" in found
    assert "Monday" not in found


@pytest.mark.parametrize("schedule", ["", "nonsense", "<script>", "99 99 99 99 99", "@every", "* * * * * * * *"])
def test_what_cannot_be_put_into_words_is_left_to_its_text(schedule: str) -> None:
    assert words(schedule, EN, hash_key="a/b") == ""
