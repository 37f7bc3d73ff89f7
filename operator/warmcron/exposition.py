"""What `/metrics` answers: gauges brought up to date, then written as text, in turns with all else on the loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from typing import Any, Final

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder

from warmcron.observe import Metrics

# Samples that are written before others have a turn: a few milliseconds.
SLICE: Final = 500
END: Final = b"# EOF\n"


class Exposition:
    """The text of all metrics.

    Args:
        refresh: brings the gauges up to date.
    """

    def __init__(self, metrics: Metrics, refresh: Callable[[], Awaitable[None]]) -> None:
        self._metrics, self._refresh = metrics, refresh
        self._turn = asyncio.Lock()  # who reads must not see gauges that are being set for the next reader

    async def text(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their content type, for an Accept header: OpenMetrics, with exemplars, where it is wanted.

        On the loop and not in a thread: on a busy machine a thread is put aside while it holds the interpreter.
        """
        encode, content_type = choose_encoder(accept)
        written: list[bytes] = []
        ended, last = b"", ""
        async with self._turn:
            await self._refresh()
            for part in chain(self._metrics.registry.collect(), self._metrics.series.parts(SLICE)):
                for piece in _pieces(part):
                    text: bytes = encode(_Only(piece))
                    if text.endswith(END):  # each piece is a document of its own to the encoder
                        text, ended = text[: -len(END)], END
                    written.append(_headless(text) if piece.name == last else text)
                    last = piece.name
                    await asyncio.sleep(0)
        return b"".join([*written, ended]), content_type


class _Only:
    """A registry of one piece, as encoders take it."""

    def __init__(self, piece: Metric) -> None:
        self._piece = piece

    def collect(self) -> Iterator[Metric]:
        yield self._piece


def _pieces(whole: Metric) -> Iterator[Metric]:
    """A family in pieces of at most so many samples."""
    samples: list[Any] = whole.samples
    for start in range(0, max(len(samples), 1), SLICE):
        piece = Metric(whole.name, whole.documentation, whole.type, whole.unit)
        piece.samples = samples[start : start + SLICE]
        yield piece


def _headless(text: bytes) -> bytes:
    """Without the lines that say once for a family what it is."""
    while text.startswith(b"# "):
        text = text.partition(b"\n")[2]
    return text
