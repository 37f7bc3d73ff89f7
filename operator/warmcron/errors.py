"""The exception tree: whose fault it is shows in the name.

::

    WarmcronError
    ├── SpecError       the user's: a ScheduledTask says something that cannot be done
    ├── ConfigError     the installer's: the operator was started with settings it cannot use
    ├── UsageError      of whoever typed the command: an option or a file cannot be used as given
    ├── LocalError      of whoever starts the embedded mode: a path, a port or a folder cannot be used
    ├── NotThereError   what was asked for is not there, or not to be seen
    ├── ServerError     of warmcron's own API: it refused or could not be reached
    ├── KubeError       the API server's: it refused or could not be reached
    └── HistoryError    the database's: it refused or could not be reached

What is expected to happen (no ready worker, a busy worker, a failed run) is a value, never an exception.
"""

import inspect


class WarmcronError(Exception):
    """Something went wrong inside warmcron."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or inspect.cleandoc(self.__doc__ or ""))


class SpecError(WarmcronError):
    """A ScheduledTask cannot be done as written. Correct the field that the message names.

    Attributes:
        reason: CamelCase word for the `Ready` condition; `Invalid` and the field's name unless given.
        field: path of the field at fault, such as `spec.schedule`.
    """

    def __init__(self, message: str, *, field: str, reason: str = "") -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        name = field.rsplit(".", 1)[-1]
        self.reason = reason or f"Invalid{name[:1].upper()}{name[1:]}"


class ConfigError(WarmcronError):
    """The operator's settings cannot be used. Correct the environment variable that the message names."""


class UsageError(WarmcronError):
    """The command cannot be done as typed. Correct the option or the file that the message names."""


class NotThereError(WarmcronError):
    """What was asked for is not there."""


class ServerError(WarmcronError):
    """warmcron's API refused the request or could not be reached."""


class LocalError(WarmcronError):
    """The embedded mode cannot start as asked. Do what the message says."""


class KubeError(WarmcronError):
    """The Kubernetes API refused a request or could not be reached.

    Attributes:
        status: HTTP status code, 0 when there was no answer.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class HistoryError(WarmcronError):
    """The history's database did not answer. Runs go on; look at the database that WARMCRON_HISTORY_URL names."""
