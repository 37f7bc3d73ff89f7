"""What the API is asked and told, as pydantic models: the parameters and bodies of its OpenAPI."""

from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field

from warmcron.api.documents import MOST_LINES, Document, State
from warmcron.history.model import STATES


class RunQuery(Document):
    """Which runs: every part that is given must hold."""

    model_config = ConfigDict(extra="forbid")

    namespace: list[str] = Field(default=[], max_length=100)
    task: str = Field("", max_length=253)
    selector: str = Field("", max_length=2000, description="Label selector of the tasks, as kubectl's -l.")
    state: list[State] = Field(default=[], max_length=len(STATES))
    trigger: str = Field("", max_length=64, description="Schedule or Manual.")
    pod: str = Field("", max_length=253, description="A pod that an attempt was sent to.")
    since: AwareDatetime | None = Field(None, description="Scheduled then or later.")
    until: AwareDatetime | None = Field(None, description="Scheduled before then.")
    q: str = Field("", max_length=200, description="Beginning of an id, part of a task's name, or words of the log.")
    limit: int = Field(50, ge=1, le=500)
    cursor: str = Field("", max_length=100, pattern=r"^[0-9A-Za-z.+~-]*$")


class LogQuery(Document):
    """Which lines of a run's log."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=10**18, description="Those with a `seq` above this.")
    limit: int = Field(1000, ge=1, le=MOST_LINES)
    tail: int | None = Field(None, ge=0, le=MOST_LINES, description="Of what there is, the last so many lines only.")
    follow: bool = Field(False, description="Stay for new lines: server-sent events.")


class TriggerOrder(Document):
    """What a manual run is to get."""

    payload: dict[str, Any] | None = Field(None, description="Instead of the task's own.")
