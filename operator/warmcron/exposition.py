"""What `/metrics` answers: gauges brought up to date, then written as text beside the loop. It counts nothing."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


class Exposition:
    """The text of one registry.

    Args:
        refresh: brings the gauges up to date.
    """

    def __init__(self, registry: CollectorRegistry, refresh: Callable[[], Awaitable[None]]) -> None:
        self._registry, self._refresh = registry, refresh
        self._turn = asyncio.Lock()  # who reads must not see gauges that are being set for the next reader

    async def text(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their content type, for an Accept header: OpenMetrics, with exemplars, where it is wanted."""
        encode, content_type = choose_encoder(accept)
        async with self._turn:
            await self._refresh()
            # Fifty thousand series take half a second to write: in a thread, the loop goes on meanwhile.
            return await asyncio.to_thread(encode, self._registry), content_type
