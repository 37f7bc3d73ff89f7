"""Where the API's answers come from: ports that the dashboard has too. It holds no data."""

from dataclasses import dataclass

from warmcron.history.model import Reader
from warmcron.web.sources import Guard, Labels, Live, Orders


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The ports of one replica, or of the embedded mode."""

    live: Live
    reader: Reader
    orders: Orders
    guard: Guard
    labels: Labels
