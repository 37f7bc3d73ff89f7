"""Texts and specs that mean harm, shared by what is tested with and without a cluster."""

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
