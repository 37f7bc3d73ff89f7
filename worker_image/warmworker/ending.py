"""How a handler's call ended, as a value; never raises, whatever the handler returned or raised."""

import json
import traceback
from dataclasses import dataclass
from typing import Any, Final

from warmworker.errors import Reject
from warmworker.runs import Step

RESULT_LIMIT: Final = 64 * 1024
MESSAGE_LIMIT: Final = 4 * 1024
TRACEBACK_LIMIT: Final = 32 * 1024

Error = dict[str, str]


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a call.

    Attributes:
        rejected: the handler turned its payload down: no other attempt can help.
        note: a line for the log of the run.
    """

    step: Step
    result: Any = None
    error: Error | None = None
    rejected: bool = False
    note: str | None = None
    weight: int = 0


def returned(value: object) -> Ending:
    """The call returned.

    A result that cannot be kept does not make a failure of it: the work is done, and a retry would do it twice.
    """
    if value is None:
        return Ending(Step.SUCCEED)
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return Ending(Step.SUCCEED, note=f"the result was not kept, it is not JSON: {error}")
    if len(text) > RESULT_LIMIT:
        return Ending(Step.SUCCEED, note=f"the result was not kept, it is longer than {RESULT_LIMIT} characters")
    # A copy by way of its text: the handler may go on changing what it returned.
    return Ending(Step.SUCCEED, result=json.loads(text), weight=len(text))


def raised(error: BaseException) -> Ending:
    """The call raised; SystemExit and KeyboardInterrupt are failures of the run like any other."""
    if isinstance(error, Reject):
        return failed("Reject", _text(error), rejected=True)
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - an exception whose own __str__ raises
        trace = ""
    return failed(type(error).__qualname__, _text(error), trace=trace)


def failed(name: str, message: str, *, trace: str = "", rejected: bool = False) -> Ending:
    """The call ended badly."""
    # The end of a traceback is the part that names the error.
    error = {"type": name[:256], "message": message[:MESSAGE_LIMIT], "traceback": trace[-TRACEBACK_LIMIT:]}
    return Ending(Step.FAIL, error=error, rejected=rejected, weight=sum(map(len, error.values())))


STOPPED: Final = Ending(Step.CANCEL)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - as above
        return "(its message cannot be shown)"
