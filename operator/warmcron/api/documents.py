"""What the API answers with, as pydantic models: the source of its OpenAPI. Times are RFC 3339 in UTC."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from warmcron.core import status
from warmcron.history.model import AttemptRow, LogRow, RunRow
from warmcron.spec.status import FinishedRun
from warmcron.web.sources import PoolRow, TaskDetail, TaskRow, WorkerRow


def _moment(value: object) -> object:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value


MOST_LINES: Final = 5000
State = Literal["Pending", "Running", "Succeeded", "Failed", "Cancelled", "Skipped", "Unknown"]
Moment = Annotated[datetime, BeforeValidator(_moment)]


class Document(BaseModel):
    """Names in JSON are those of Kubernetes: camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class Task(Document):
    """A ScheduledTask as a list shows it."""

    uid: str
    namespace: str
    name: str
    schedule: str
    time_zone: str = Field(validation_alias="zone")
    pool: str
    handler: str
    flags: list[str] = Field(description="Failing, NoWorker, Held, Suspended, Running, Invalid; or Scheduled.")
    message: str
    next_schedule_time: Moment | None = Field(validation_alias="next")
    last_schedule_time: Moment | None = Field(validation_alias="last")
    consecutive_failures: int = Field(validation_alias="failures")
    active: list[str] = Field(description="Ids of the runs that go on.")

    @classmethod
    def of(cls, row: TaskRow) -> "Task":
        """From a row."""
        return cls(**_fields(row, leave=("plan", "flags")), flags=sorted(row.flags))


class Condition(Document):
    """A condition of a task's status."""

    type: str = Field(validation_alias="kind")
    status: str
    reason: str
    message: str
    last_transition_time: Moment = Field(validation_alias="since")


class TaskInFull(Document):
    """A ScheduledTask with all that is known of it."""

    task: Task
    created: Moment
    settings: dict[str, str]
    payload: Any
    conditions: list[Condition]
    counters: dict[str, int]
    last_successful_time: Moment | None
    recent_runs: list[FinishedRun] = Field(
        description="The last runs as the task's status has them, newest first: also while the history is away."
    )

    @classmethod
    def of(cls, detail: TaskDetail) -> "TaskInFull":
        """From what memory has."""
        return cls(
            task=Task.of(detail.row),
            created=detail.created,
            settings=dict(detail.settings),
            payload=detail.payload,
            conditions=[Condition(**_fields(each)) for each in detail.conditions],
            counters=detail.counters,
            last_successful_time=detail.last_success,
            recent_runs=[FinishedRun.model_validate(status.document(record)) for record in detail.recent],
        )


class Tasks(Document):
    """A page of tasks."""

    items: list[Task]
    total: int
    page: int
    pages: int
    counts: dict[str, int] = Field(description="How many tasks match without the flag, by flag.")


class Run(Document):
    """Everything that was done for one tick or one trigger."""

    run_id: str
    task_uid: str
    namespace: str
    task: str
    pool: str
    handler: str
    trigger: str
    scheduled_time: Moment = Field(validation_alias="scheduled")
    state: str
    reason: str
    attempts: int
    pod_name: str
    start_time: Moment | None = Field(validation_alias="started")
    completion_time: Moment | None = Field(validation_alias="finished")
    trace_id: str
    progress: float | None
    progress_text: str
    result: Any
    error: dict[str, Any] | None
    skipped_ticks: int

    @classmethod
    def of(cls, row: RunRow) -> "Run":
        """From a row."""
        return cls(**_fields(row))


class PassedOver(Document):
    """A pod that could not take the attempt."""

    pod_name: str
    reason: str


class Attempt(Document):
    """One request to one worker."""

    attempt: int
    pod_name: str
    pod_uid: str = Field(alias="podUID")
    epoch: int
    sent: Moment
    ended: Moment | None
    answer: str
    reason: str
    chosen_by: str = Field(description="The routing policy that chose the pod.")
    filtered: list[PassedOver]
    error: dict[str, Any] | None

    @classmethod
    def of(cls, row: AttemptRow) -> "Attempt":
        """From a row."""
        filtered = [PassedOver(pod_name=pod, reason=reason) for pod, reason in row.filtered]
        return cls(**_fields(row, leave=("run_id", "scheduled", "filtered")), filtered=filtered)


class RunInFull(Document):
    """A run with its attempts."""

    run: Run
    attempts: list[Attempt]
    source: Literal["History", "Memory"] = Field("History", description="Memory: the operator's, of the run alone.")
    fault: str = Field("", description="Why the history does not tell it; empty where it has only not got the run yet.")


class Runs(Document):
    """A page of runs, newest first. Go on with `cursor`; it is empty on the last page.

    A search by text takes the log lines that match part by part: a page may have few items or none and yet a cursor,
    and a run with lines in two parts comes with each.
    """

    items: list[Run]
    cursor: str
    searched: Moment | None = Field(
        None, description="The search stopped: log lines before this time were not looked at. Go on with `cursor`."
    )


class Line(Document):
    """A line that a handler printed or logged."""

    seq: int = Field(description="Go on after this number.")
    attempt: int
    pod_uid: str = Field(
        alias="podUID", description="Of the worker that said it: with the attempt's number, which one."
    )
    time: Moment
    stream: str
    level: str
    text: str

    @classmethod
    def of(cls, row: LogRow) -> "Line":
        """From a row."""
        return cls(**_fields(row, leave=("run_id",)))


class Lines(Document):
    """Log lines, in order."""

    items: list[Line]


class Tick(RunInFull):
    """What became of one tick."""

    lines: list[Line]


class Worker(Document):
    """A worker pod."""

    namespace: str
    pool: str
    name: str
    uid: str
    state: str
    reason: str
    runs: list[str]
    capacity: int
    handlers: list[str] | None
    version: str = Field(description="Of what it runs, in its own words; empty if it has not said.")
    labels: dict[str, str]
    start_time: Moment | None = Field(validation_alias="started")

    @classmethod
    def of(cls, row: WorkerRow) -> "Worker":
        """From a row."""
        return cls(**_fields(row, leave=("address", "labels")), labels=dict(row.labels))


class Workers(Document):
    """All workers."""

    items: list[Worker]


class Demand(Document):
    """How many runs a pool has to do with; broadcasts, which take every worker there is, are left out."""

    namespace: str
    pool: str
    within_seconds: int
    running: int
    waiting: int = Field(description="Runs that wait for a worker or for their next attempt.")
    due: int = Field(description="Tasks that will start another run within that time.")
    demand: int = Field(description="All three together.")
    ready_workers: int
    capacity: int = Field(description="How many runs the ready workers take at once.")

    @classmethod
    def of(cls, row: PoolRow, *, within: int) -> "Demand":
        """From a row."""
        return cls(**_fields(row), within_seconds=within, demand=row.running + row.waiting + row.due)


class Ordered(Document):
    """A run that was asked for. It is in the history once the operator has seen the request."""

    run_id: str


def _fields(row: object, leave: Sequence[str] = ()) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in leave}  # type: ignore[attr-defined]
