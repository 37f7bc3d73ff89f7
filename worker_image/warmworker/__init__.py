"""Write warmcron workers in Python: name a function with @task, and `warmworker serve` runs it when it is due.

It is the pod's side only: it never knows a schedule, and never talks to Kubernetes.
"""

from warmworker.errors import Reject, UsageError, WarmworkerError
from warmworker.registry import task
from warmworker.run import Run, current_run
from warmworker.server import WorkerApp, app
from warmworker.settings import Settings
from warmworker.version import VERSION as __version__  # noqa: N811 - the name packages have for it

__all__ = [
    "Reject",
    "Run",
    "Settings",
    "UsageError",
    "WarmworkerError",
    "WorkerApp",
    "__version__",
    "app",
    "current_run",
    "task",
]
