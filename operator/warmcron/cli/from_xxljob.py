"""A job of XXL-JOB's admin as a ScheduledTask. Its schedules have seconds first, as ours with six fields. Pure."""

import json
from typing import Any, Final

from warmcron.cli.converted import Converted, Json, checked, slug

ROUTES: Final = {
    "FIRST": ("LeastLoaded", "workers have no order"),
    "LAST": ("LeastLoaded", "workers have no order"),
    "ROUND": ("RoundRobin", ""),
    "RANDOM": ("Random", ""),
    "CONSISTENT_HASH": ("ConsistentHash", ""),
    "LEAST_FREQUENTLY_USED": ("LeastLoaded", "the nearest is the least loaded"),
    "LEAST_RECENTLY_USED": ("RoundRobin", "the nearest is in turn"),
    "FAILOVER": ("LeastLoaded", "a worker that does not answer is passed over under every policy"),
    "BUSYOVER": ("LeastLoaded", "a worker that is full is passed over under every policy"),
    "SHARDING_BROADCAST": ("Broadcast", ""),
}
BLOCKS: Final = {"SERIAL_EXECUTION": "Queue", "DISCARD_LATER": "Forbid", "COVER_EARLY": "Replace"}
MISFIRES: Final = {"DO_NOTHING": "Skip", "FIRE_ONCE_NOW": "RunLatest"}
LISTS: Final = ("data", "content", "jobs", "pagelist")
SIX: Final = 6
# activeDeadlineSeconds when it is not written.
WHOLE_RUN: Final = 3600


def jobs(value: Any) -> list[Json]:
    """The jobs of an export: a list, an answer of the admin around one, or a single job."""
    if isinstance(value, list):
        if not all(isinstance(item, dict) for item in value):
            raise ValueError("expected objects with jobDesc, scheduleConf and executorHandler")
        return value
    if isinstance(value, dict):
        for key in LISTS:
            if isinstance(value.get(key), list | dict):
                return jobs(value[key])
        if "executorHandler" in value or "scheduleConf" in value or "jobCron" in value:
            return [value]
    raise ValueError("expected a list of jobs")


def convert(job: Json, *, pool: str | None, time_zone: str) -> Converted:
    """The task of a job, and notes on all that it does not say."""
    source = f"job {job.get('id', '?')} {job.get('jobDesc') or ''}".strip()
    handler = str(job.get("executorHandler") or "")
    notes: list[str] = []
    schedule, problem = _schedule(job)
    spec: Json = {"schedule": schedule, "timeZone": time_zone}
    spec["suspend"] = not _number(job, "triggerStatus")
    spec["pool"] = pool or slug(
        str(job.get("appname") or job.get("jobGroupName") or f"group-{job.get('jobGroup', 0)}"), "pool"
    )
    spec["handler"] = handler
    route, note = ROUTES.get(str(job.get("executorRouteStrategy") or "FIRST"), ("LeastLoaded", "unknown"))
    spec["routingPolicy"] = route
    if note:
        notes.append(f"executorRouteStrategy {job.get('executorRouteStrategy')}: {note}")
    spec["concurrencyPolicy"] = BLOCKS.get(str(job.get("executorBlockStrategy") or "SERIAL_EXECUTION"), "Queue")
    spec["missedRunPolicy"] = MISFIRES.get(str(job.get("misfireStrategy") or "DO_NOTHING"), "Skip")
    spec["backoffLimit"] = min(_number(job, "executorFailRetryCount"), 100)
    if timeout := _number(job, "executorTimeout"):
        spec["attemptDeadlineSeconds"] = timeout
        if timeout > WHOLE_RUN:
            spec["activeDeadlineSeconds"] = timeout
    if payload := _payload(str(job.get("executorParam") or ""), notes):
        spec["payload"] = payload
    notes += _left(job)
    if not pool:
        notes.append(f"pool: {spec['pool']} is made up; label the Deployment that has the code with it")
    if not time_zone or time_zone == "UTC":
        notes.append("timeZone: UTC; XXL-JOB reads schedules in the zone of the admin's machine: see --time-zone")
    name = slug(handler or str(job.get("jobDesc") or ""), "job") + (f"-{job['id']}" if job.get("id") else "")
    found = checked(source, name=name, namespace=None, labels={}, spec=spec, notes=notes)
    found.problem = problem or found.problem
    return found


def _schedule(job: Json) -> tuple[str, str]:
    """The schedule, or why there is none."""
    kind = str(job.get("scheduleType") or ("CRON" if job.get("jobCron") else "NONE"))
    text = str(job.get("scheduleConf") or job.get("jobCron") or "").strip()
    match kind:
        case "FIX_RATE":
            return f"@every {text}s", ""
        case "CRON":
            words = text.split()
            if len(words) == SIX + 1 and words[-1] in ("*", "?"):
                words = words[:SIX]
            if len(words) == SIX + 1:
                return text, f"scheduleConf {text!r}: a year cannot be said in a schedule"
            if len(words) == SIX:
                words[-1] = _weekdays(words[-1])
            return " ".join(words), ""
    return "@daily", f"scheduleType {kind}: there is no schedule; start it with `warmcron trigger`"


def _weekdays(word: str) -> str:
    """Quartz counts weekdays from 1 for Sunday, cron from 0: numbers move down by one, names stay."""
    found = []
    for item in word.split(","):
        body, slash, step = item.partition("/")
        body, sharp, nth = body.partition("#")
        last = body.endswith("L") and len(body) > 1
        ends = [
            str(int(end) - 1) if end.isdigit() else end for end in body.removesuffix("L" if last else "").split("-")
        ]
        found.append("-".join(ends) + ("L" if last else "") + sharp + nth + slash + step)
    return ",".join(found)


def _payload(text: str, notes: list[str]) -> Json:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    notes.append("executorParam: no JSON object; handed over as payload.param")
    return {"param": text}


def _left(job: Json) -> list[str]:
    notes = []
    if (glue := str(job.get("glueType") or "BEAN")) != "BEAN":
        notes.append(f"glueType {glue}: code in the admin is not carried over; put it into a handler")
    if job.get("childJobId"):
        notes.append(f"childJobId {job['childJobId']}: chains of jobs have no counterpart")
    if job.get("alarmEmail"):
        notes.append("alarmEmail: alert on the metric warmcron_runs_total or the condition LastRunSucceeded")
    return notes


def _number(job: Json, key: str) -> int:
    try:
        return max(int(job.get(key) or 0), 0)
    except (TypeError, ValueError):
        return 0
