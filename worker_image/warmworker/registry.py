"""The handlers by name: what `@task` fills and the server looks up; never calls one."""

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Literal, TypeVar

from warmworker.errors import BadHandler

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
MOST_ARGUMENTS: Final = 2


class Kind(Enum):
    """How a handler is run."""

    COROUTINE = auto()  # on the event loop of the worker
    THREAD = auto()  # in a thread
    PROCESS = auto()  # in a process of its own


@dataclass(frozen=True, slots=True)
class Handler:
    """A function under its name."""

    name: str
    function: Function
    kind: Kind
    arguments: int

    @property
    def module(self) -> str:
        """Where a child process finds the function again."""
        return self.function.__module__

    def call(self, payload: Any, run: Any) -> Any:
        """Call the function with as much as it takes."""
        return self.function(*(payload, run)[: self.arguments])


_handlers: dict[str, Handler] = {}


def task(name: str, *, isolation: Literal["process"] | None = None) -> Callable[[F], F]:
    """Register a function as the handler of this name.

    The function takes nothing, (payload) or (payload, run), and may be async. What it returns becomes the result of
    the run if it is JSON. With `isolation="process"` each call has a process of its own: it can be killed, and it can
    crash without taking anything with it.
    """
    if not isinstance(name, str) or not name:
        raise BadHandler('@task needs the handler\'s name. Write @task("report") above the function.')
    if isolation not in {None, "process"}:
        raise BadHandler(f'@task("{name}"): isolation is {isolation!r}. Leave it out, or write isolation="process".')

    def register(function: F) -> F:
        known = _handlers.get(name)
        if known is not None and not _is_reload(known.function, function):
            raise BadHandler(
                f"The handler name {name!r} is used by {_where(known.function)} and by {_where(function)}. Rename one."
            )
        _handlers[name] = Handler(name, function, _kind(function, isolation), _arguments(name, function))
        return function

    return register


def handlers() -> Mapping[str, Handler]:
    """Every handler registered so far."""
    return _handlers


def _kind(function: Function, isolation: str | None) -> Kind:
    if isolation == "process":
        return Kind.PROCESS
    called = getattr(function, "__call__", None)  # noqa: B004 - an object with an async __call__ is async, too
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called):
        return Kind.COROUTINE
    return Kind.THREAD


def _arguments(name: str, function: Function) -> int:
    taken = 0
    for parameter in inspect.signature(function).parameters.values():
        positional = parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
        if positional and (parameter.default is parameter.empty or taken < MOST_ARGUMENTS):
            taken += 1
        elif parameter.kind is parameter.VAR_POSITIONAL:
            taken = max(taken, 1)
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            taken = MOST_ARGUMENTS + 1
    if taken > MOST_ARGUMENTS:
        raise BadHandler(f"The handler {name!r} ({_where(function)}) takes more than (payload, run). Take less.")
    return taken


def _is_reload(old: Function, new: Function) -> bool:
    # `python -m my_worker` and `import my_worker` are two modules with the same code: the later one wins.
    return old.__qualname__ == new.__qualname__ and (
        old.__module__ == new.__module__ or _file(old) == _file(new) is not None
    )


def _file(function: Function) -> str | None:
    return getattr(sys.modules.get(function.__module__), "__file__", None)


def _where(function: Function) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', repr(function))}"
