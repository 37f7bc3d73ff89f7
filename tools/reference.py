#!/usr/bin/env python3
"""Writes the pages of docs/reference that say what the code says; `--check` says which are stale and writes nothing."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from typer.main import get_command

from warmcron.cli.main import app
from warmcron.config import Settings
from warmcron.history.history import Figures
from warmcron.kube.events import Figures as Posted
from warmcron.notify.webhook import Figures as Notified
from warmcron.observe import Metrics
from warmcron.spec import crd, rules

ROOT = Path(__file__).parents[1]
HERE = ROOT / "docs" / "reference"
NOTE = "<!-- Made by `make generate`; do not edit. -->\n\n"
Json = dict[str, Any]


def scheduledtask() -> str:
    """Every field, from the CRD."""
    schema = crd.render()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    lines = [
        "# ScheduledTask\n",
        "`warmcron.dev/v1alpha1`, namespaced, short name `stask`. The API server checks what it can when you apply;",
        "`kubectl explain scheduledtask.spec` shows the same texts.\n",
        "## spec\n",
        *table(("field", "type", "default", "meaning"), fields(schema["spec"])),
        "\n### Rules over several fields\n",
        *(f"- {rule['message']}" for rule in crd.SPEC_RULES),
        "\n### Rules of single fields\n",
        *(f"- `{field}`: {message}" for field, found in rules.field_messages().items() for message in found),
        "\n## status\n",
        "Written by the operator, and by nobody else.\n",
        *table(("field", "type", "meaning"), ((row[0], row[1], row[3]) for row in fields(schema["status"]))),
    ]
    return "\n".join(lines) + "\n"


def fields(schema: Json, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Rows for the properties of a schema, and of what lies below them."""
    required = schema.get("required", [])
    for name, found in schema.get("properties", {}).items():
        shown = f"`{prefix}{name}`"
        default = f"`{json.dumps(found['default'])}`" if found.get("default", {}) != {} else ""
        if name in required and not prefix:
            default = "required"
        yield shown, kind(found), default.replace('"', ""), text(found)
        below = found.get("items", found)
        if "properties" in below:
            yield from fields(below, f"{prefix}{name}{'[]' if 'items' in found else ''}.")


def text(found: Json) -> str:
    """A description as a cell of a table."""
    words = " ".join(str(found.get("description", "")).split())
    return words.replace("|", "\\|").replace("<", "&lt;")


def kind(found: Json) -> str:
    """A type with its bounds, in a few words."""
    if "enum" in found:
        return ", ".join(f"`{value}`" for value in found["enum"])
    low, high = found.get("minimum"), found.get("maximum")
    bounds = f" {low} to {high}" if low is not None and high is not None else f" ≥ {low}" if low is not None else ""
    if "maxLength" in found:
        bounds = f", at most {found['maxLength']} characters"
    if "maxItems" in found:
        bounds = f", at most {found['maxItems']}"
    name = "time" if found.get("format") == "date-time" else str(found.get("type", "any"))
    return f"{'list' if name == 'array' else name}{bounds}"


def settings() -> str:
    """The operator's environment."""
    rows = []
    for name, info in Settings.model_fields.items():
        default = info.get_default(call_default_factory=False)
        shown = "" if default is None or info.default_factory or default in ((), "") else f"`{default}`"
        rows.append((f"`WARMCRON_{name.upper()}`", shown, str(info.description).replace("|", "\\|")))
    return (
        "\n".join(
            [
                "# Settings\n",
                "The operator reads environment variables, once, at its start; the chart sets them. A value that",
                "cannot be used ends it with exit code 2 and the name of the variable. The worker SDK's are in",
                "[its README](../../worker_image/README.md#settings).\n",
                *table(("variable", "default", "meaning"), rows),
            ]
        )
        + "\n"
    )


def metrics() -> str:
    """Everything that /metrics shows."""
    rows = []
    for found in [
        *vars(Metrics()).values(),
        *vars(Figures(CollectorRegistry())).values(),
        *vars(Notified(CollectorRegistry())).values(),
        *vars(Posted(CollectorRegistry())).values(),
    ]:
        if isinstance(found, MetricWrapperBase):
            name = found._name + ("_total" if found._type == "counter" else "")  # noqa: SLF001 - it has no public ones
            labels = ", ".join(f"`{label}`" for label in found._labelnames)  # noqa: SLF001
            rows.append((f"`{name}`", found._type, labels, found._documentation))  # noqa: SLF001
    for one in Metrics().series.parts(1000):
        name = one.name + ("_total" if one.type == "counter" else "")
        rows.append((f"`{name}`", one.type, ", ".join(f"`{label}`" for label in one._labelnames), one.documentation))  # type: ignore[attr-defined]  # noqa: SLF001
    return (
        "\n".join(
            [
                "# Metrics\n",
                "At `/metrics` on the port `http` of every replica, in the Prometheus format; as OpenMetrics where",
                "that is asked for, with the traces of late runs as exemplars. No label holds the name of a pod or",
                "the id of a run. Only metrics with the label `task` name tasks: at most 500 that fail, and for the",
                "rest at most `WARMCRON_METRICS_TASKS`.\n",
                *table(("metric", "type", "labels", "meaning"), rows),
            ]
        )
        + "\n"
    )


def command() -> str:
    """Every verb of `warmcron` with its options."""
    lines = [
        "# The command warmcron\n",
        "`warmcron --help` and `warmcron VERB --help` say the same. Data goes to standard output, everything else to",
        "standard error; `NO_COLOR` is obeyed. `kubectl warmcron` is the same command.\n",
        *table(
            ("exit code", "meaning"),
            [
                ("0", "done"),
                (
                    "1",
                    "not done: not there, refused, no answer; a run that failed; what `doctor` found",
                ),
                ("2", "asked wrongly: an option, a file, a schedule, a kubeconfig"),
                ("130", "Ctrl-C"),
            ],
        ),
        "\n## Which warmcron\n",
        "Verbs about tasks and workers speak to the API server of the kubeconfig's current context, with your rights.",
        "In a folder where `warmcron dev` runs they speak to that one, unless `--context` or `--kubeconfig` names a",
        "cluster; called as `kubectl warmcron` they always mean a cluster. `--server` names warmcron's own API",
        "instead, with `--token` for it.\n",
        "`runs`, `logs`, `cancel` and `retry` need that API. Without `--server` they reach it in a cluster by",
        "`kubectl port-forward`, with the token of the kubeconfig.\n",
        "`-o json` and `-o yaml` print a cluster's objects as they are there, and of the API what it answered.\n",
    ]
    group: Any = get_command(app)
    for name, verb in sorted(verbs(group)):
        if verb.hidden:
            continue
        lines += [f"## {name}\n", *(line.rstrip() for line in str(verb.help or "").splitlines()), ""]
        rows = [parameter(one) for one in verb.params if not getattr(one, "hidden", False) and one.name != "help"]
        lines += [*table(("option", "default", "meaning"), rows), ""] if rows else []
    return "\n".join(lines).rstrip() + "\n"


def verbs(group: Any) -> Iterator[tuple[str, Any]]:
    """Every verb, those of a verb with verbs of its own included."""
    for name, verb in group.commands.items():
        if hasattr(verb, "commands"):
            yield from ((f"{name} {inner}", found) for inner, found in verbs(verb))
        else:
            yield name, verb


def parameter(found: Any) -> tuple[str, str, str]:
    """An option or an argument of a verb."""
    names = [*found.opts, *found.secondary_opts] if found.param_type_name == "option" else [str(found.name).upper()]
    default = found.default
    shown = "" if callable(default) or default in (None, "", False, (), []) else f"`{default}`"
    return (
        ", ".join(f"`{name}`" for name in names),
        "required" if found.required else shown,
        text({"description": found.help}),
    )


def protocol() -> str:
    """The worker protocol as a page, from its OpenAPI document."""
    document = yaml.safe_load((HERE / "worker-openapi.yaml").read_text())
    lines = [
        "# Worker protocol, version 1\n",
        document["info"]["description"] + "\n",
        "Made from [worker-openapi.yaml](worker-openapi.yaml), which a test holds against the operator and the SDK.\n",
    ]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                lines += [f"## {method.upper()} {path}\n", operation["summary"] + "\n"]
                lines += operation_rows(document, operation)
    events = document["webhooks"]["events"]["post"]
    lines += ["## Callback\n", events["summary"] + "\n", *operation_rows(document, events)]
    for name, schema in document["components"]["schemas"].items():
        lines += [f"## {name}\n", *table(("field", "type", "meaning"), schema_rows(schema)), ""]
    return "\n".join(lines).rstrip() + "\n"


def operation_rows(document: Json, operation: Json) -> list[str]:
    """Headers, body and answers of one operation."""
    lines = []
    headers = [deref(document, found) for found in operation.get("parameters", [])]
    if headers:
        lines += [*table(("header", "meaning"), ((f"`{one['name']}`", one["description"]) for one in headers)), ""]
    if body := operation.get("requestBody"):
        lines += [f"Body: {link(body['content']['application/json']['schema'])}\n"]
    rows = []
    for status, answer in operation["responses"].items():
        content = deref(document, answer).get("content", {})
        shown = next((link(found["schema"]) for found in content.values()), "")
        rows.append((status, answer.get("description", ""), shown))
    return [*lines, *table(("answer", "meaning", "body"), rows), ""]


def deref(document: Json, found: Json) -> Json:
    """What a reference points at."""
    if "$ref" not in found:
        return found
    target: Any = document
    for part in found["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)


def link(schema: Json) -> str:
    """A schema by name, or what it is."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    return ", ".join(f"`{name}`" for name in schema.get("properties", {}))


def schema_rows(schema: Json, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Rows for the fields of a schema of the protocol."""
    for name, found in schema.get("properties", {}).items():
        below = found.get("items", found)
        what = link(below) if "$ref" in below else kind(found)
        yield f"`{prefix}{name}`", what, found.get("description", "")
        yield from schema_rows(below, f"{prefix}{name}.")


def table(head: tuple[str, ...], rows: Any) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]


PAGES: dict[str, Callable[[], str]] = {
    "scheduledtask.md": scheduledtask,
    "settings.md": settings,
    "metrics.md": metrics,
    "worker-protocol.md": protocol,
    "command.md": command,
}


def stale() -> list[str]:
    """Pages that are not what the code says."""
    return [
        name for name, make in PAGES.items() if not (HERE / name).exists() or (HERE / name).read_text() != NOTE + make()
    ]


def main() -> None:
    """Writes the pages, or checks them."""
    if sys.argv[1:] == ["--check"]:
        if found := stale():
            sys.exit(f"docs/reference is stale: {', '.join(found)}: run make generate")
        return
    for name, make in PAGES.items():
        (HERE / name).write_text(NOTE + make())


if __name__ == "__main__":
    main()
