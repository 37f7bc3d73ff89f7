"""Reports that mean harm: forged, foreign, endless, malformed. The port refuses them and nothing else notices."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from fakes.hostile_specs import JSON
from unit.workers.test_callbacks import TOKENS, Reported
from warmcron.core import runs
from warmcron.workers.callbacks import MAX_EVENTS
from warmcron.workers.tokens import Tokens

GOOD = TOKENS.make("run", 1, "uid")


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(Reported().callbacks.app())) as found:
        yield found


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "1.uid.", "1.uid", GOOD[:-1], GOOD + "A", GOOD.swapcase(),
        GOOD.replace("1.", "2.", 1), GOOD.replace("1.", "01.", 1),
        GOOD.replace("uid", "other"), Tokens(b"another key").make("run", 1, "uid"), TOKENS.make("other run", 1, "uid"),
        "9" * 5000 + ".uid.x", "٣.uid.x", "-1.uid.x", "1.\udcff.x", "1.uid.\udcff",
    ],
)  # fmt: skip
def test_no_token_but_ours_is_good(token: str) -> None:
    assert TOKENS.read(token, "run") is None


@given(st.text(), st.text())
def test_no_text_is_a_token(token: str, run_id: str) -> None:
    assert TOKENS.read(token, run_id) is None


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="|")), st.integers(1, 10**8), st.uuids())
def test_a_token_says_for_whom_it_is(run_id: str, attempt: int, pod_uid: object) -> None:
    token = TOKENS.make(run_id, attempt, str(pod_uid))
    assert TOKENS.read(token, run_id) == (attempt, str(pod_uid))
    assert TOKENS.read(token, run_id + "x") is None
    assert token.isascii()
    assert token.isprintable()


async def test_who_has_no_token_is_refused_before_the_body_is_there(client: TestClient[Any, Any]) -> None:
    """The body never comes: the answer must not wait for it."""
    assert client.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    head = (
        "POST /api/task/runs/r/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-length: 2000000\r\n\r\n"
    )
    writer.write(head.encode())
    assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 401")
    writer.close()


@pytest.mark.parametrize("header", [b"Bearer \xff\xfe", b"Basic Og==", b"", b"Bearer", b"bearer \x80.\x80.\x80"])
async def test_a_header_of_any_bytes_is_refused(client: TestClient[Any, Any], header: bytes) -> None:
    assert client.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(
        b"POST /api/task/runs/%ff/events HTTP/1.1\r\nhost: x\r\nauthorization: "
        + header
        + b"\r\ncontent-length: 2\r\n\r\n{}"
    )
    first = await asyncio.wait_for(reader.readline(), 60)
    assert first.split()[1] in (b"400", b"401")
    writer.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/api/task/runs/r/events", "/api/task/runs/../../etc/passwd", "/metrics"])
async def test_no_other_path_or_method_says_anything(client: TestClient[Any, Any], method: str, path: str) -> None:
    answer = await client.request(method, path)
    assert answer.status in (404, 405)


@given(JSON)
def test_a_body_of_any_json_is_taken_or_refused(body: object) -> None:
    world = Reported()
    whole = {"attempt": 1, "podUID": "uid-pod-a"}

    async def post() -> None:
        async with TestClient(TestServer(world.callbacks.app())) as client:
            headers = {"authorization": f"Bearer {TOKENS.make(world.run_id, 1, 'uid-pod-a')}"}
            for sent in (body, whole | {"events": body}, whole | {"events": [body]}):
                path = f"/api/task/runs/{world.run_id}/events"
                answer = await client.post(path, data=json.dumps(sent), headers=headers)
                assert answer.status in (200, 400, 401, 410), await answer.text()

    asyncio.run(post())


EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["Started", "Log", "Progress", "Finished"])},
    optional={
        "seq": JSON,
        "lines": JSON | st.lists(st.fixed_dictionaries({"text": JSON, "time": JSON, "stream": JSON}), max_size=3),
        "fraction": JSON, "text": JSON, "outcome": JSON, "result": JSON, "error": JSON, "retry": JSON,
    },
)  # fmt: skip


@given(st.lists(EVENTS, max_size=4))
def test_events_with_anything_in_them_are_taken_or_left(events: list[dict[str, Any]]) -> None:
    world = Reported()
    last = world.callbacks._take(runs.Attempt(world.run_id, 1, "uid-pod-a"), events)
    assert isinstance(last, int)
    world.written()


async def test_more_events_than_are_taken_at_once_are_not_acknowledged() -> None:
    world = Reported()
    async with TestClient(TestServer(world.callbacks.app())) as client:
        events = [{"seq": number, "type": "Log", "lines": []} for number in range(1, 1000)]
        answer = await client.post(
            f"/api/task/runs/{world.run_id}/events",
            data=json.dumps({"attempt": 1, "podUID": "uid-pod-a", "events": events}),
            headers={"authorization": f"Bearer {TOKENS.make(world.run_id, 1, 'uid-pod-a')}"},
        )
        assert await answer.json() == {"lastSeq": MAX_EVENTS}
