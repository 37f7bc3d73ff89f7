"""The product in one place: due → decide → pick → remember → send → note. No I/O; what it needs are its ports."""

from warmcron.engine.engine import Engine

__all__ = ("Engine",)
