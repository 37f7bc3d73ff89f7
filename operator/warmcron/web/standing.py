"""What is said of a worker that gets no run, in the reader's language."""

import re
from typing import Final

from warmcron.core.standing import SENTENCES
from warmcron.web.language import Language

BLANK: Final = re.compile(r"\\\{(\w+)\\\}")


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(BLANK.sub(r"(?P<\1>.*)", re.escape(sentence)))


PATTERNS: Final = [(sentence, _pattern(sentence)) for sentence in SENTENCES]


def said(language: Language, text: str) -> str:
    """One of our sentences with what is in its blanks; any other text is a reason, or somebody else's."""
    for sentence, pattern in PATTERNS:
        if found := pattern.fullmatch(text):
            return language.text(sentence, **{name: said(language, value) for name, value in found.groupdict().items()})
    return language.reason(text)
