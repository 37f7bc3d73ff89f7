"""A schedule in words, in the reader's language: what cron-descriptor makes of it, and what it does not know."""

import functools
import re
from typing import Final

from cron_descriptor import CasingTypeEnum, FormatError, MissingFieldError, Options, WrongArgumentError, get_description

from warmcron.core import dialect
from warmcron.errors import SpecError
from warmcron.web import show
from warmcron.web.language import Language

LOCALES: Final = {"en": "en_US", "zh": "zh_CN"}
# cron-descriptor takes the names of days and months from Python, which has them in English only unless the whole
# process changes its locale.
ZH_NAMES: Final = {
    "Monday": "星期一",
    "Tuesday": "星期二",
    "Wednesday": "星期三",
    "Thursday": "星期四",
    "Friday": "星期五",
    "Saturday": "星期六",
    "Sunday": "星期日",
    "January": "一月",
    "February": "二月",
    "March": "三月",
    "April": "四月",
    "May": "五月",
    "June": "六月",
    "July": "七月",
    "August": "八月",
    "September": "九月",
    "October": "十月",
    "November": "十一月",
    "December": "十二月",
}
FULLWIDTH_COMMA: Final = "\uff0c"
_HASHED: Final = re.compile(r"(^|,)H")
_EVERY: Final = re.compile(r"([0-9.]+)(ns|us|ms|s|m|h)")


def words(schedule: str, language: Language, *, hash_key: str) -> str:
    """What the schedule says; empty for one that cannot be put into words, where its text must do.

    `hash_key` is namespace/name, which decides what `H` stands for.
    """
    if schedule.startswith("@every "):
        parts = [show.amount(number, unit, language) for number, unit in _EVERY.findall(schedule)]
        return language.text("Every {time}", time=" ".join(parts)) if parts else ""
    return _words(schedule, language.code, hash_key if "H" in schedule else "")


@functools.lru_cache(maxsize=4096)
def _words(schedule: str, code: str, hash_key: str) -> str:
    text = dialect.MACROS.get(schedule, schedule)
    return _described(_without_hash(text, hash_key) if hash_key else text, code)


def _without_hash(text: str, hash_key: str) -> str:
    """Each field with an `H` as the numbers that it stands for in this task."""
    try:
        found = dialect.read(text, hash_key=hash_key)
    except SpecError:
        return text
    if isinstance(found, dialect.Every):
        return text
    days = found.days
    numbers = (found.seconds, found.minutes, found.hours, days.days, found.months, days.weekdays)
    fields = text.split()
    drawn = numbers[len(numbers) - len(fields) :]
    return " ".join(
        ",".join(map(str, sorted(values))) if _HASHED.search(field) else field
        for field, values in zip(fields, drawn, strict=True)
    )


def _described(text: str, code: str) -> str:
    options = Options()
    options.casing_type = CasingTypeEnum.Sentence
    options.use_24hour_time_format = True
    options.locale_code = LOCALES[code]
    try:
        found = str(get_description(text, options))
    except (FormatError, MissingFieldError, WrongArgumentError, ValueError, IndexError, KeyError):
        return ""
    if code == "zh":
        for name, local in ZH_NAMES.items():
            found = found.replace(name, local)
        found = re.sub(r"\s+", " ", found.replace(", ", FULLWIDTH_COMMA)).strip()
    return found
