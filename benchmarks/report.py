"""One JSON record of a run, and the tables that it says in words: for a terminal, for the docs, for the README."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

Record = dict[str, Any]

HERD: Final = (
    ("tasks due at once", "count"),
    ("workers", "workers"),
    ("delivery", "delivery"),
    ("history", "history"),
    ("arrival p50 ms", "arrival_p50_ms"),
    ("p99 ms", "arrival_p99_ms"),
    ("last ms, by round", "arrival_last_ms"),
    ("lost / doubled / early", "counts"),
    ("status written: last, s", "status_last_s"),
    ("status writes a run", "status_writes_per_run"),
    ("operator CPU ms a run", "cpu_operator_ms"),
    ("API server + etcd", "cpu_plane_ms"),
)
SIDE: Final = (
    ("", "peer"),
    ("N", "count"),
    ("p50 ms", "arrival_p50_ms"),
    ("p99 ms", "arrival_p99_ms"),
    ("p99 ÷ floor", "floor_ratio"),
    ("lost / doubled / early", "counts"),
    ("own CPU ms a run", "cpu_operator_ms"),
    ("blocks (noisy)", "blocks_text"),
)
CRONJOB: Final = (
    ("", "peer"),
    ("N", "count"),
    ("Pod object p50 ms", "pod_p50_ms"),
    ("p99 ms", "pod_p99_ms"),
    ("CronJob's p99 ÷ ours", "times_ours"),
    ("lost", "lost_text"),
    ("API writes a run", "api_writes_per_run"),
    ("own CPU ms a run", "cpu_controllers_ms"),
    ("API server + etcd", "cpu_plane_ms"),
)
KIND: Final = (
    ("", "peer"),
    ("N", "count"),
    ("code runs, p50 ms", "arrival_p50_ms"),
    ("p99 ms", "arrival_p99_ms"),
    ("last ms", "last_ms"),
    ("runs due", "expected"),
    ("lost / doubled / early", "counts"),
)
RESIDENT: Final = (
    ("tasks", "count"),
    ("bytes a task", "bytes_per_task"),
    ("resident MiB", "rss_restart_mib"),
    ("restart until leading, s", "restart_leading_s"),
    ("longest stall, ms: in sync", "stall_ms"),
    ("scrape", "scrape_stall_ms"),
    ("lists by API", "api_stall_ms"),
    ("idle CPU, % of a core", "idle_cpu_percent"),
)
TAKEOVER: Final = (
    ("leader gets", "signal"),
    ("tasks a second", "count"),
    ("next tick arrives after, s", "first_tick_after_s"),
    ("latest tick was late by, s", "latest_tick_s"),
    ("lost / doubled / early", "counts"),
)
ARITHMETIC: Final = (
    ("schedule", "schedule"),
    ("warmcron µs", "warmcron_us"),
    ("cronsim µs", "cronsim_us"),
    ("croniter µs", "croniter_us"),
)
SPREAD: Final = (
    ("tasks a minute", "tasks_per_minute"),
    ("history", "history"),
    ("p50 ms", "arrival_p50_ms"),
    ("p99 ms", "arrival_p99_ms"),
    ("lost / doubled / early", "counts"),
    ("operator CPU, % of a core", "operator_cpu_percent"),
    ("status writes a run", "status_writes_per_run"),
)
FREQUENT: Final = (
    ("tasks with @every 1s", "count"),
    ("history", "history"),
    ("p50 ms", "arrival_p50_ms"),
    ("p99 ms", "arrival_p99_ms"),
    ("lost / doubled / early", "counts"),
    ("operator CPU, % of a core", "operator_cpu_percent"),
    ("status writes a run", "status_writes_per_run"),
)
PICKING: Final = (
    ("workers", "workers"),
    ("LeastLoaded µs", "LeastLoaded"),
    ("RoundRobin µs", "RoundRobin"),
    ("Random µs", "Random"),
    ("ConsistentHash µs", "ConsistentHash"),
)
SUSTAINED: Final = (
    ("runs a second", "runs_per_second"),
    ("for s", "seconds"),
    ("p50 ms", "arrival_p50_ms"),
    ("p99 ms", "arrival_p99_ms"),
    ("lost / doubled / early", "counts"),
    ("operator CPU, % of a core", "operator_cpu_percent"),
    ("status writes a run", "status_writes_per_run"),
    ("history: rows written / dropped / waiting", "rows_text"),
)

HISTORY_INTAKE: Final = (
    ("database", "database"),
    ("runs in it", "count"),
    ("runs a second", "runs_per_second"),
    ("records a second", "records_per_second"),
    ("operator CPU ms a run", "cpu_operator_ms"),
    ("server CPU ms a run", "cpu_database_ms"),
    ("slowest transaction ms", "slowest_transaction_ms"),
    ("bytes a run", "bytes_per_run"),
)
HISTORY: Final = (
    ("question", "question"),
    ("SQLite p50 ms", "sqlite_p50_ms"),
    ("p95 ms", "sqlite_p95_ms"),
    ("slowest ms", "sqlite_max_ms"),
    ("PostgreSQL p50 ms", "postgresql_p50_ms"),
    ("p95 ms", "postgresql_p95_ms"),
    ("slowest ms", "postgresql_max_ms"),
)

TABLES: Final = {
    "herd": ("Herd: tasks due in the same second", HERD),
    "side": ("Side by side, in shuffled blocks of one run", SIDE),
    "cronjob": ("CronJob on the same control plane", CRONJOB),
    "kind": ("On kind: from the tick to the running code", KIND),
    "spread": ("Spread over a minute", SPREAD),
    "frequent": ("Due every second", FREQUENT),
    "sustained": ("Sustained", SUSTAINED),
    "resident": ("Resident", RESIDENT),
    "takeover": ("Takeover", TAKEOVER),
    "arithmetic": ("Arithmetic", ARITHMETIC),
    "picking": ("Choice of a worker", PICKING),
    "history_intake": ("History: taken in, in transactions of 500 runs with attempt and line", HISTORY_INTAKE),
    "history": ("History: a page of 50 for each kind of question", HISTORY),
}


def tables(record: Record, *, level: int = 2) -> str:
    """Every table that the record has figures for, as Markdown."""
    parts = []
    for name, (title, columns) in TABLES.items():
        if rows := record.get(name):
            parts.append(f"{'#' * level} {title}\n\n{table(rows, columns)}")
    return "\n".join(parts)


def table(rows: Iterable[Record], columns: Sequence[tuple[str, str]]) -> str:
    """One Markdown table."""
    lines = [
        "| " + " | ".join(title for title, _ in columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(_cell(_more(row), key) for _, key in columns) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def write(record: Record, target: Path) -> None:
    """The record and, beside it, its tables."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(record, indent=1) + "\n")
    target.with_suffix(".md").write_text(f"# Benchmark of {record['machine']['time']}\n\n{tables(record)}")


def _more(row: Record) -> Record:
    """What several columns say together."""
    more = {"history": "off", **row}
    if "doubled" in row:
        more["counts"] = f"{row['lost']} / {row['doubled']} / {row['early']}"
    if row.get("status_last_ms"):
        more["status_last_s"] = round(row["status_last_ms"] / 1000, 1)
    if "cpu_apiserver_ms" in row:
        more["cpu_plane_ms"] = round(row["cpu_apiserver_ms"] + row["cpu_etcd_ms"], 1)
    if "noisy" in row and "blocks" in row:
        more["blocks_text"] = f"{row['blocks']} ({row['noisy']})" + (", inconclusive" if row["inconclusive"] else "")
    if "restart_stall" in row:
        more["stall_ms"] = row["restart_stall"]["max_ms"]
        more["scrape_stall_ms"] = row.get("scrape_stall", {}).get("max_ms", "")
        more["api_stall_ms"] = row.get("api_stall", {}).get("max_ms", "")
    if more["history"] != "off" and "history_written" in row:
        more["rows_text"] = f"{row['history_written']} / {row['history_dropped']} / {row['history_waiting']}"
    if "expected" in row:
        more["lost_text"] = f"{row['lost']} of {row['expected']}"
    return more


def _cell(row: Record, key: str) -> str:
    value = row.get(key, "")
    if isinstance(value, list):
        return ", ".join(f"{part:g}" for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
