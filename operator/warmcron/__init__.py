"""warmcron: cron for warm pods. This package is the operator; workers are in `worker_image/`."""

from importlib import metadata

__version__ = metadata.version("warmcron")
