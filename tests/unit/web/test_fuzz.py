"""Every page under whatever a browser, or somebody who is none, may send: no fault of ours, no markup of theirs."""

import asyncio
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fakes.asgi import Browser, Reply
from fakes.web import NOW, FakeCluster
from unit.web.conftest import dashboard, walk
from unit.web.poison import HOSTILE, poisoned

# An element and an attribute that no page has: should either come out of the parser, then some text was not escaped.
FORGED = ("<zz9>", "\"'><zz9 zz8=1>", "' zz8=1 '", "</textarea></title></style><zz9>", "<!--<zz9>", "\x1b]0;<zz9>\x07")
TEXT = st.one_of(
    st.sampled_from([*HOSTILE, *FORGED, "", "1", "-1", "9" * 40, "²", "24h", "%", "%00", "{traceId}", "x" * 5000]),
    st.text(max_size=40),
    st.tuples(st.text(max_size=8), st.sampled_from(FORGED), st.text(max_size=8)).map("".join),
)
FIELDS = (
    "q",
    "ns",
    "pool",
    "is",
    "labels",
    "sort",
    "page",
    "task",
    "state",
    "trigger",
    "pod",
    "since",
    "start",
    "until",
)
MORE = ("cursor", "after", "zone", "on", "back", "every", "digest", "payload", "token", "next", "lang", "mine")
# Values of a header as they can come over the wire.
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
HEADERS = ("cookie", "accept-language", "hx-request", "hx-target", "last-event-id", "origin", "x-forwarded-proto")
PREFERENCES = ("wc_lang", "wc_zone", "wc_mine", "wc_note")
ROUTES = [(method, path) for method, path in walk() if method != "HEAD"]


def source() -> FakeCluster:
    """A cluster in which every text is hostile and forges an element, and one line is far too long."""
    found = poisoned("".join(HOSTILE) + "".join(FORGED))
    for run_id in found.history.rows:
        found.history.say(run_id, "<zz9>" + "x" * 10_000_000, at=NOW)
    return found


SOURCE = source()
IDS = [run_id for run_id, row in SOURCE.history.rows.items() if row.state != "Running"]
KNOWN = {"namespace": "ns", "name": "name", "run_id": IDS[0], "order": "trigger", "tick": "2026-11-24T22:30:00Z"}


class Markup(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.forged: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "zz9" or any(name in ("zz8", "onload", "onerror", "onfocus") for name, _ in attrs):
            self.forged.append(f"{tag} {attrs}")


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], bytes]:
    method, path = draw(st.sampled_from(ROUTES))
    follows = path.endswith("/log")  # of a run that goes on it would stay for an hour
    for name, known in KNOWN.items():
        if f"{{{name}}}" in path:
            value = draw(TEXT if follows else st.one_of(st.just(known), TEXT))
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
    pairs = st.lists(st.tuples(st.sampled_from([*FIELDS, *MORE]), st.one_of(TEXT, st.just("ns/name"))), max_size=6)
    query, form = urlencode(draw(pairs), errors="replace"), urlencode(draw(pairs), errors="replace")
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), HEADER, max_size=3))
    if draw(st.booleans()):
        kept = draw(st.dictionaries(st.sampled_from(PREFERENCES), TEXT, max_size=3))
        headers["cookie"] = "; ".join(f"{name}={quote(value, errors='replace')}" for name, value in kept.items())
    return method, f"{path}?{query}", headers, form.encode()


@given(requests())
@example(("GET", "/tasks/%E4%BB%BB%E5%8A%A1/x?", {"hx-target": "main#main"}, b""))
@example(("POST", "/login?", {"origin": "http://["}, b""))
@example(("GET", "/static/%00?", {}, b""))
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_is_answered_without_a_fault_and_without_foreign_markup(
    request: tuple[str, str, dict[str, str], bytes],
) -> None:
    method, path, headers, body = request
    reply = asyncio.run(ask(Browser(dashboard(SOURCE)), method, path, headers, body))
    assert reply.status < 500, (reply.status, reply.text[:500])
    assert Markup(reply.text).forged == []
    assert not set(reply.text) & set("\x00\x1b\x07\u202e"), "a control character"
    assert len(reply.text) < 3_000_000


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20))
@example("[")
@example("evil.example:99999")
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_host_is_named_is_answered_without_a_fault(host: str) -> None:
    for path in ("/", "/login", "/tasks/ns/name"):
        reply = asyncio.run(Browser(dashboard(SOURCE), host=host).get(path))
        assert reply.status < 500


async def ask(browser: Browser, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
    sent: dict[str, Any] = {"sec-fetch-site": "same-origin", **headers}
    return await browser.ask(method, path, headers=sent, body=body if method == "POST" else b"")
