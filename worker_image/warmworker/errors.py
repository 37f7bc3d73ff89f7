"""The errors of warmworker: each says whose fault it is and what to do next; none carries behaviour.

WarmworkerError
├── Reject             a handler turned its payload down
├── UsageError         the author or deployer of a worker has something to fix: the process exits with 2
│   ├── BadHandler, NoHandlers, UnknownModule
│   └── BadSetting, PortInUse, StateDirInUse
├── BadRequest         the caller sent something this protocol does not know (Malformed, TooBig)
└── JournalBroken      the disk did not take what must be durable
"""

# ruff: noqa: N818 - the name says whose fault it is and what is wrong; "Error" at its end says neither
import inspect


class WarmworkerError(Exception):
    """Something went wrong inside warmworker."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or inspect.cleandoc(self.__doc__ or ""))


class Reject(WarmworkerError):
    """The handler rejected the payload. Correct the task's payload: this run will not be tried again."""


class UsageError(WarmworkerError):
    """The worker is set up wrongly. Run `warmworker serve --help`."""


class BadHandler(UsageError):
    """A handler takes (), (payload) or (payload, run), and its name is used once. Change the function or the name."""


class NoHandlers(UsageError):
    """No handler is registered. Put @warmworker.task("name") above a function of a module that is served."""


class UnknownModule(UsageError):
    """A module could not be imported. Check its name and that it lies on PYTHONPATH."""


class BadSetting(UsageError):
    """A setting is wrong. See the table of settings in the README of warmworker."""


class PortInUse(UsageError):
    """The port is taken. Choose another with --port or WARMWORKER_PORT."""


class StateDirInUse(UsageError):
    """Another worker uses this state directory. Give each its own with --state-dir or WARMWORKER_STATE_DIR."""


class BadRequest(WarmworkerError):
    """The request does not follow the worker protocol. Send what version 1 of it describes."""


class Malformed(BadRequest):
    """The body is not what the worker protocol describes. Correct the named field."""


class TooBig(BadRequest):
    """The body is larger than 256 KiB. Keep large inputs elsewhere and send their address in the payload."""


class JournalBroken(WarmworkerError):
    """The run table cannot be written. Check that the state directory has space and is writable."""
