"""Texts and specs that mean harm, shared by what is tested with and without a cluster."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from warmcron.spec.task import ScheduledTaskSpec

FIELDS = sorted(field.alias or name for name, field in ScheduledTaskSpec.model_fields.items())
# One a line: what it is good for elsewhere is not always what it would do here.
TEXTS = [
    "",
    " ",
    "\0",
    "\ud800",
    "\u202e",
    "\x1b[31m",
    "../../etc/passwd",
    "a/b",
    "team-b/pool",
    "http://10.0.0.1/",
    "10.0.0.1:80",
    "%2e%2e",
    "${jndi:ldap://x}",
    "{{ 7*7 }}",
    "'; DROP TABLE runs; --",
    "<script>alert(1)</script>",
    "$(reboot)",
    "a" * 300,
    "* * * * *",
    "0 0 30 2 *",
    "R R * * *",
    "*/999999999 * * * *",
    "1-0 * * * *",
    "@every 0s",
    "@every 1ns",
    "@every 9999999h",
    "@every 1ms",
    "TZ=UTC * * * * *",
    "* * * * * * *",
    "9" * 250 + " * * * *",
    ",".join(["*"] * 120) + " * * * *",
    "* * 0W * *",
    "* * * * 8#9",
    "UTC",
    "localtime",
    "posixrules",
    "right/UTC",
    "Europe/../UTC",
    "/etc/localtime",
    "Local",
    "Europe/Berlin\0",
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from([0, -1, 2**31, 2**63, 10**400, 1e308, 0.1])
    | st.text(max_size=40)
    | st.sampled_from(TEXTS)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | st.sampled_from(FIELDS), inner, max_size=4)
    ),
    max_leaves=12,
)
VALID = {"schedule": "*/5 * * * *", "pool": "p", "handler": "h"}
# Mostly valid, with something wrong in it: what is wrong everywhere never gets past the first check.
SPECS = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3).map(lambda wrong: VALID | wrong) | JSON


def text_fields(definition: Path) -> list[str]:
    """Every field of the spec, in the definition as it is installed, that takes a text of the writer's own."""
    found: dict[str, Any] = yaml.safe_load(definition.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    fields = found["properties"]["spec"]["properties"]
    return sorted(name for name, field in fields.items() if field.get("type") == "string" and "enum" not in field)


# Values of a type that no field, or hardly one, is meant to have; what the API server stores is any JSON.
VALUES: list[Any] = [None, True, -1, 2**62, 1.5, [], [[]], {}, {"a": {"b": "c"}}, "", "1", "x" * 5000, ["* * * * *"]]


def bypassing() -> list[Any]:
    """Specs as they may lie in a cluster whose definition was once looser: texts and types that admission refuses."""
    texts = [VALID | {field: text} for field in FIELDS for text in TEXTS[::5]]
    types = [VALID | {field: value} for field in FIELDS for value in VALUES]
    wholes = [{}, *({field: VALID[field]} for field in VALID), VALID | {f"unknown-{n}": n for n in range(300)}]
    return [*texts, *types, *wholes]
