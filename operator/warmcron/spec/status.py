"""What the operator writes into a ScheduledTask's status, as the CRD describes it; `core.status` makes the values."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from warmcron.spec.task import _Model

Time = Annotated[datetime, Field(json_schema_extra={"format": "date-time"})]


def _camel(name: str) -> str:
    return {"pod_uid": "podUID"}.get(name, to_camel(name))


class _Status(_Model):
    model_config = ConfigDict(alias_generator=_camel, populate_by_name=True, extra="ignore", frozen=True)


class ConditionStatus(_Status):
    """One condition, as every Kubernetes object has them."""

    type: str = Field(max_length=64, description="Ready, WorkersAvailable or LastRunSucceeded.")
    status: str = Field(description="True, False or Unknown.", json_schema_extra={"enum": ["True", "False", "Unknown"]})
    reason: str = Field(max_length=128, description="One CamelCase word that says why.")
    message: str = Field("", max_length=1024, description="The same for people, with the field or pod at fault.")
    last_transition_time: Time = Field(description="When the condition's status last changed.")
    observed_generation: int = Field(0, description="The generation of the spec that this speaks of.")


class ShardCounts(_Status):
    """How the parts of a broadcast stand."""

    total: int = Field(ge=0, description="How many workers got a part.")
    succeeded: int = Field(0, ge=0, description="How many parts succeeded.")
    failed: int = Field(0, ge=0, description="How many parts failed, retries spent.")


class ActiveRun(_Status):
    """A run that goes on."""

    run_id: str = Field(max_length=64, description="The run's id; its retries keep it.")
    scheduled_time: Time = Field(description="The tick that the run is for.")
    trigger: str = Field("Schedule", max_length=16, description="Schedule or Manual.")
    attempt: int = Field(
        1, description="Number of the request that is out or comes next; 0 while it waits for its turn under Queue."
    )
    epoch: int | None = Field(None, description="The term of the leader that gave it to its worker.")
    pod_name: str | None = Field(None, max_length=253, description="The worker that has it, or is about to get it.")
    pod_uid: str | None = Field(None, max_length=64, description="The uid of that worker's pod.")
    start_time: Time | None = Field(None, description="When it was first sent.")
    shards: ShardCounts | None = Field(None, description="With routingPolicy Broadcast: how its parts stand.")
    reason: str | None = Field(None, max_length=1024, description="What last went wrong, if anything did.")


class FinishedRun(_Status):
    """A run that has ended."""

    run_id: str = Field(max_length=64, description="The run's id.")
    scheduled_time: Time = Field(description="The tick that the run was for.")
    trigger: str = Field("Schedule", max_length=16, description="Schedule or Manual.")
    outcome: str = Field(max_length=32, description="Succeeded, Failed, Cancelled, Skipped or Unknown.")
    reason: str | None = Field(None, max_length=1024, description="Why it did not succeed, or what it survived.")
    pod_name: str | None = Field(None, max_length=253, description="The worker that ran it last.")
    attempts: int = Field(0, description="Requests that were sent for it.")
    start_time: Time | None = Field(None, description="When it was first sent.")
    duration_seconds: float = Field(0, description="From the first request to the end.")


class ScheduledTaskStatus(_Status):
    """What the operator last said of the task."""

    observed_generation: int = Field(0, description="The generation of the spec that this status speaks of.")
    conditions: list[ConditionStatus] = Field(
        default_factory=list,
        max_length=16,
        description="Ready: the spec is accepted and scheduled (never: the last run was fine). WorkersAvailable: a "
        "ready worker could take a run. LastRunSucceeded: how the last run ended.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    schedule_changed_time: Time | None = Field(
        None,
        description="Ticks up to this moment are never started: the schedule was changed, or taken up again, then.",
    )
    observed_schedule: str | None = Field(
        None, max_length=512, description="Schedule and zone as last read, by which an edit is noticed."
    )
    last_schedule_time: Time | None = Field(
        None, description="The last tick that was decided: started or skipped with a reason."
    )
    last_successful_time: Time | None = Field(None, description="When a run last ended well.")
    next_schedule_time: Time | None = Field(None, description="The next tick.")
    active: list[ActiveRun] = Field(
        default_factory=list,
        max_length=256,
        description="Runs that go on.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["runId"]},
    )
    active_count: int = Field(0, ge=0, description="How many runs go on.")
    recent_runs: list[FinishedRun] = Field(
        default_factory=list,
        max_length=20,
        description="The last runs that ended, newest first; historyLimit says how many.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    succeeded: int = Field(0, ge=0, description="Runs that succeeded.")
    failed: int = Field(0, ge=0, description="Runs that failed, retries spent.")
    skipped: int = Field(0, ge=0, description="Ticks that were not started, whatever the reason; missed ones too.")
    missed: int = Field(0, ge=0, description="Ticks that passed while nobody could start them.")
    consecutive_failures: int = Field(0, ge=0, description="Failed runs since the last one that succeeded.")
    last_trigger: str | None = Field(
        None, max_length=1024, description="The value of the trigger annotation that was last acted on."
    )
