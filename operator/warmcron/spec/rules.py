"""The CRD's CEL rules said in Python, for where no API server checks a spec. A test holds each against its twin."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from warmcron.spec.crd import SPEC_RULES
from warmcron.spec.task import SCHEDULE_PATTERN, ZONE_PATTERN, RoutingPolicy, ScheduledTaskSpec

_ZONE_PREFIX: Final = re.compile(r"^(CRON_)?TZ=")
_SCHEDULE: Final = re.compile(SCHEDULE_PATTERN)
_ZONE: Final = re.compile(ZONE_PATTERN)

Holds = Callable[[ScheduledTaskSpec], bool]

# In the order of the rules in `task.py`: the field, and whether its n-th rule holds.
FIELD_RULES: Final[tuple[tuple[str, Holds], ...]] = (
    ("schedule", lambda spec: not _ZONE_PREFIX.search(spec.schedule)),
    ("schedule", lambda spec: bool(_ZONE_PREFIX.search(spec.schedule) or _SCHEDULE.search(spec.schedule))),
    ("timeZone", lambda spec: bool(_ZONE.search(spec.time_zone)) and spec.time_zone != "Local"),
)
# In the order of `crd.SPEC_RULES`: the field that is at fault, and whether the rule holds.
WHOLE_RULES: Final[tuple[tuple[str, Holds], ...]] = (
    ("routingKey", lambda spec: spec.routing_key is None or spec.routing_policy is RoutingPolicy.CONSISTENT_HASH),
    (
        "attemptDeadlineSeconds",
        lambda spec: (spec.attempt_deadline_seconds or 0) <= spec.active_deadline_seconds,
    ),
    ("backoff.initialSeconds", lambda spec: spec.backoff.initial_seconds <= spec.backoff.max_seconds),
)


def broken(spec: ScheduledTaskSpec) -> Iterator[tuple[str, str]]:
    """The rules that a spec breaks: the field at fault, below `spec`, and the rule's own message."""
    messages = {field: iter(messages) for field, messages in field_messages().items()}
    for field, holds in FIELD_RULES:
        message = next(messages[field])
        if not holds(spec):
            yield field, message
    for (field, holds), rule in zip(WHOLE_RULES, SPEC_RULES, strict=True):
        if not holds(spec):
            yield field, str(rule["message"])


def field_messages() -> dict[str, list[str]]:
    """The messages of the rules that stand at single fields."""
    found: dict[str, list[str]] = {}
    for info in ScheduledTaskSpec.model_fields.values():
        extra = cast("dict[str, Any]", info.json_schema_extra or {})
        if rules := extra.get("x-kubernetes-validations"):
            found[str(info.alias)] = [str(rule["message"]) for rule in rules]
    return found
