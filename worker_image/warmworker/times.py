"""RFC 3339 text to epoch seconds and back; never reads a clock."""

from datetime import UTC, datetime


def parse(text: str) -> float:
    """Seconds since the epoch; ValueError when the text has no zone or is no time."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        msg = "a time needs a zone, such as the Z at its end"
        raise ValueError(msg)
    return moment.timestamp()


def text(seconds: float) -> str:
    """The same moment for people and for JSON, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def moment(seconds: float) -> datetime:
    """The same moment as an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)
