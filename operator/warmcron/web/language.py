"""The languages of the dashboard: English is the text in the templates, another one is a catalogue from it."""

import functools
import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import Final

NAMES: Final = {"en": "English", "zh": "中文"}
THOUSANDS: Final = 10_000  # four digits are read at a glance
# A reason stands alone or before a colon; a sentence may begin with the same word.
WORD: Final = re.compile(r"[A-Za-z]+(?=:|\Z)")
TAGS: Final = {"en": "en", "zh": "zh-Hans"}


@dataclass(frozen=True)
class Language:
    """One language. A text that its catalogue lacks stays English: readable, and found by a test.

    Attributes:
        one: of texts with a number `{n}`, the form for 1; only where the language has one.
        reasons: what the words mean that docs/reference/reasons.md has; English ones speak for themselves.
    """

    code: str
    catalogue: dict[str, str]
    one: dict[str, str]
    reasons: dict[str, str]

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

    def reason(self, text: str) -> str:
        """Why something is so, its first word explained if it is a known one; what follows, others wrote.

        The word itself stays: it is what is searched for, in the documentation, in metrics and in a status.
        """
        found = WORD.match(text)
        meaning = self.reasons.get(found[0], "") if found else ""
        if not found or not meaning:
            return text
        return self.text("{reason} ({meaning})", reason=found[0], meaning=meaning) + text[found.end() :]


@functools.cache
def language(code: str) -> Language:
    """The language of that code; English for one that is not here."""
    code = code if code in NAMES else "en"
    texts = _read(code)
    return Language(code, {}, texts, {}) if code == "en" else Language(code, texts, {}, _read(f"{code}.reasons"))


def _read(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(
        resources.files("warmcron.web").joinpath("locales", f"{name}.json").read_text("utf-8")
    )
    return found


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
