"""The languages of the dashboard: English is the text in the templates, another one is a catalogue from it."""

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Final

NAMES: Final = {"en": "English", "zh": "中文"}
THOUSANDS: Final = 10_000  # four digits are read at a glance
TAGS: Final = {"en": "en", "zh": "zh-Hans"}


@dataclass(frozen=True)
class Language:
    """One language. A text that its catalogue lacks stays English: readable, and found by a test.

    Attributes:
        one: of texts with a number `{n}`, the form for 1; only where the language has one.
    """

    code: str
    catalogue: dict[str, str]
    one: dict[str, str]

    @property
    def tag(self) -> str:
        """For the `lang` attribute of the page."""
        return TAGS[self.code]

    def text(self, english: str, **values: object) -> str:
        """A text with its `{names}` filled in."""
        found = self.catalogue.get(english, english)
        if values.get("n") == 1:
            found = self.one.get(english, found)
        return found.format(**{name: grouped(value) for name, value in values.items()}) if values else found


@functools.cache
def language(code: str) -> Language:
    """The language of that code; English for one that is not here."""
    code = code if code in NAMES else "en"
    file = resources.files("warmcron.web").joinpath("locales", f"{code}.json")
    texts = json.loads(file.read_text("utf-8"))
    return Language(code, {}, texts) if code == "en" else Language(code, texts, {})


def grouped(value: object) -> object:
    """A large number with its thousands apart: 10,000."""
    return f"{value:,}" if isinstance(value, int) and value >= THOUSANDS else value


def preferred(accept: str) -> str:
    """The code that an Accept-Language header likes best of those that are here."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept[:512].split(",")):
        tag, _, weight = part.partition(";q=")
        code = tag.strip().lower().partition("-")[0]
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if code in NAMES and quality > 0:
            wanted.append((-quality, place, code))
    return min(wanted)[2] if wanted else "en"
