"""What a user writes in a ScheduledTask: the one source of the CRD, its bounds, defaults and descriptions."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

GROUP: Final = "warmcron.dev"
VERSION: Final = "v1alpha1"
KIND: Final = "ScheduledTask"
PLURAL: Final = "scheduledtasks"
POOL_LABEL: Final = f"{GROUP}/pool"
TRIGGER_ANNOTATION: Final = f"{GROUP}/trigger"
CANCEL_ANNOTATION: Final = f"{GROUP}/cancel"
TRIGGER_PAYLOAD_ANNOTATION: Final = f"{GROUP}/trigger-payload"

MAX_PAYLOAD_BYTES: Final = 64 * 1024
DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


def rule(expression: str, message: str) -> dict[str, JsonValue]:
    """A CEL rule as the CRD carries it: the API server refuses what breaks it, with this message."""
    return {"rule": expression, "message": message}


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class ConcurrencyPolicy(StrEnum):
    """What happens when a tick comes while an earlier run goes on."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"
    QUEUE = "Queue"


class MissedRunPolicy(StrEnum):
    """What happens to ticks that passed while nobody could start them."""

    SKIP = "Skip"
    RUN_LATEST = "RunLatest"
    RUN_ALL = "RunAll"


class RoutingPolicy(StrEnum):
    """How a worker is chosen among the ready ones."""

    LEAST_LOADED = "LeastLoaded"
    ROUND_ROBIN = "RoundRobin"
    RANDOM = "Random"
    CONSISTENT_HASH = "ConsistentHash"
    BROADCAST = "Broadcast"


class DeliveryPolicy(StrEnum):
    """What is preferred when it cannot be known whether a worker took a run."""

    AT_LEAST_ONCE = "AtLeastOnce"
    AT_MOST_ONCE = "AtMostOnce"


class NoWorkerPolicy(StrEnum):
    """What happens to a tick when no worker is ready."""

    WAIT = "Wait"
    SKIP = "Skip"


class DaylightSavingPolicy(StrEnum):
    """What happens on the days the clocks change."""

    RUN_ONCE = "RunOnce"
    LITERAL = "Literal"


Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


class Backoff(_Model):
    """The pause before a retry: initialSeconds × multiplier^(retry − 1), at most maxSeconds, ± 20 % jitter."""

    initial_seconds: float = Field(1, ge=0, le=86_400, description="Pause before the first retry, in seconds.")
    multiplier: float = Field(2, ge=1, le=10, description="Each further pause is this many times longer.")
    max_seconds: float = Field(300, ge=0, le=86_400, description="No pause is longer than this many seconds.")


# CronJob's grammar for one field, plus our L, W, # and H: n, n-m, *, ?, each with an optional /step, in a list.
# The API server checks it at apply; `core.dialect` checks it again, with ranges that a regex cannot compare.
# Stray commas, a plus sign and what follows the star of `*-5`: accidents of CronJob's parser that mean the same here.
# Each text can be matched in one way only: Python's `re` tries all ways before it gives up, and with two ways to read
# `05` a list of forty of them would keep it busy for years.
def _field(number: str, extra: str = "") -> str:
    star, signed = r"[*?](-[^/,\s]*)?", rf"\+?{number}"
    one = rf"(({star}|{signed}(-{signed})?|H(\({number}-{number}\))?)(/\+?0*[1-9][0-9]*)?{extra})"
    return rf",*{one}(,+{one})*,*"


_MINUTE = _field("0*[1-5]?[0-9]")
_HOUR = _field("0*(1?[0-9]|2[0-3])")
_MONTH_NAME = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_WEEKDAY_NAME = "(?i:sun|mon|tue|wed|thu|fri|sat)"
_DAY = _field("0*([1-9]|[12][0-9]|3[01])", r"|[Ll][Ww]?|(0?[1-9]|[12][0-9]|3[01])[Ww]")
_MONTH = _field(f"(0*([1-9]|1[0-2])|{_MONTH_NAME})")
_WEEKDAY = _field(f"(0*[0-7]|{_WEEKDAY_NAME})", rf"|([0-7]|{_WEEKDAY_NAME})([Ll]|#[1-5])|[Ll][0-7]")
SCHEDULE_PATTERN: Final = (
    rf"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
    r"|@every \+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|ms|s|m|h))+"
    rf"|\s*({_MINUTE}\s+)?{_MINUTE}\s+{_HOUR}\s+{_DAY}\s+{_MONTH}\s+{_WEEKDAY}\s*)$"
)
ZONE_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"


class ScheduledTaskSpec(_Model):
    """When a task runs, where, and what happens when it does not go well."""

    schedule: str = Field(
        min_length=1,
        max_length=256,
        description="When to run: five cron fields as CronJob reads them (minute hour day-of-month month day-of-week), "
        "six fields with seconds first, a macro from @hourly to @yearly, or '@every 30s' (counted from the "
        "task's creation). H in a field is a fixed number drawn from the task's namespace and name.",
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "!self.matches('^(CRON_)?TZ=')",
                    "a TZ= prefix is not read here: put the zone into spec.timeZone",
                ),
                rule(
                    f"self.matches('^(CRON_)?TZ=') || self.matches(r'{SCHEDULE_PATTERN}')",
                    "not a schedule: expected five cron fields such as '*/5 * * * *', six with seconds first, "
                    "a macro from @hourly to @yearly, or '@every 30s'",
                ),
            ]
        },
    )
    time_zone: str = Field(
        "UTC",
        min_length=1,
        max_length=64,
        description="IANA name of the zone in which the schedule is read, such as Europe/Berlin.",
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    f"self.matches('{ZONE_PATTERN}') && self != 'Local'",
                    "not a time zone: expected an IANA name such as UTC or Europe/Berlin",
                )
            ]
        },
    )
    daylight_saving_policy: DaylightSavingPolicy = Field(
        DaylightSavingPolicy.RUN_ONCE,
        description="On days the clocks change. RunOnce: a task at fixed times runs exactly once. "
        "Literal: exactly what CronJob does, so a skipped hour is skipped and a repeated hour runs twice.",
    )
    suspend: bool = Field(
        False,
        description="No run starts while true; what goes on already goes on. Suspended time is never missed.",
    )
    starting_deadline_seconds: int | None = Field(
        None, ge=1, le=31_536_000, description="A tick that is later than this many seconds is not started."
    )
    missed_run_policy: MissedRunPolicy = Field(
        MissedRunPolicy.RUN_LATEST,
        description="After downtime: Skip starts none of the missed ticks, RunLatest the last one, "
        "RunAll up to maxMissedRuns of them, oldest first.",
    )
    max_missed_runs: int = Field(10, ge=1, le=100, description="How many missed ticks RunAll starts at most.")
    concurrency_policy: ConcurrencyPolicy = Field(
        ConcurrencyPolicy.FORBID,
        description="When a tick comes while an earlier run goes on. Allow: both run. Forbid: the tick is skipped "
        "(this is the default; CronJob's is Allow). Replace: the earlier run is cancelled. "
        "Queue: the tick waits, at most maxQueuedRuns of them.",
    )
    max_queued_runs: int = Field(10, ge=1, le=100, description="How many ticks wait under Queue; more are skipped.")
    jitter_seconds: int = Field(
        0,
        ge=0,
        le=86_400,
        description="Each tick is delayed by up to this many seconds, drawn from the task and the tick; "
        "never past the next tick.",
    )
    pool: str = Field(
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description="Which workers: the ready pods of the task's own namespace with the label "
        "warmcron.dev/pool: <pool>.",
    )
    routing_policy: RoutingPolicy = Field(
        RoutingPolicy.LEAST_LOADED,
        description="Which ready worker gets the run: LeastLoaded, RoundRobin, Random, ConsistentHash (by "
        "routingKey) or Broadcast (every ready worker gets it).",
    )
    routing_key: str | None = Field(
        None,
        max_length=256,
        description="What ConsistentHash hashes; the task's namespace and name when unset.",
    )
    handler: str = Field(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$",
        description="The name under which the workers registered the code to run.",
    )
    payload: dict[str, Any] | None = Field(
        None,
        description="A JSON object handed to the handler, at most 64 KiB. Not for secrets: whoever can read the "
        "task can read it.",
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
    )
    delivery_policy: DeliveryPolicy = Field(
        DeliveryPolicy.AT_LEAST_ONCE,
        description="When it cannot be known whether a worker took a run: AtLeastOnce repeats it under the same run "
        "id, AtMostOnce ends it as Unknown.",
    )
    active_deadline_seconds: int = Field(
        3600,
        ge=1,
        le=31_536_000,
        description="The whole run, waiting and retries included, ends after this long.",
    )
    attempt_deadline_seconds: int | None = Field(
        None, ge=1, le=31_536_000, description="One attempt ends after this many seconds."
    )
    backoff_limit: int = Field(
        3,
        ge=0,
        le=100,
        description="Retries after a failed first attempt, on another worker where there is one. A worker that "
        "refuses or is lost costs no retry.",
    )
    backoff: Backoff = Field(default_factory=Backoff, description="The pause between attempts.")
    no_worker_policy: NoWorkerPolicy = Field(
        NoWorkerPolicy.WAIT,
        description="With no ready worker: Wait until one is or a deadline passes, or Skip the tick.",
    )
    suspend_after_failures: int | None = Field(
        None, ge=1, le=1000, description="The task stops starting runs after this many failed runs in a row."
    )
    history_limit: int = Field(
        3,
        ge=0,
        le=20,
        description="How many finished runs status.recentRuns keeps; status writes cost by its size.",
    )
