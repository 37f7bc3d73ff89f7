"""The API over a made-up cluster: what it answers, whom it answers, and how it says no."""

import asyncio
import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from fakes.asgi import Browser, Reply
from fakes.web import NOW, FakeCluster, FakeGuard, FakeViewer, cluster, run_row
from warmcron.api.app import Sources, create
from warmcron.core import times
from warmcron.errors import HistoryError
from warmcron.history.model import AttemptRow, RunRow
from warmcron.web import seats
from warmcron.web.sources import Flag

EVERYBODY = "all"
VIEWERS = {
    "all": FakeViewer("alice"),
    "shop": FakeViewer("bob", scope=("shop",)),
    "none": FakeViewer("carol", scope=()),
}


@pytest.fixture
def source() -> FakeCluster:
    return cluster(10)


@pytest.fixture
def browser(source: FakeCluster) -> Browser:
    return Browser(create(sources(source)))


def sources(source: FakeCluster, guard: FakeGuard | None = None) -> Sources:
    return Sources(live=source, reader=source.history, orders=source, labels=source, guard=guard or FakeGuard(VIEWERS))


async def get(browser: Browser, path: str, *, token: str = EVERYBODY, **headers: str) -> Reply:
    return await browser.get(f"/api/v1{path}", authorization=f"Bearer {token}", **headers)


async def post(browser: Browser, path: str, body: object = None, *, token: str = EVERYBODY) -> Reply:
    text = b"" if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return await browser.ask("POST", f"/api/v1{path}", headers=headers, body=text)


def problem(reply: Reply) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    found = json.loads(reply.text)
    assert found["status"] == reply.status
    assert found["detail"]
    return reply.status, found["type"].removeprefix("urn:warmcron:problem:")


def newest(source: FakeCluster, namespace: str = "shop", *, state: str = "") -> RunRow:
    rows = [row for row in source.history.rows.values() if row.namespace == namespace and state in ("", row.state)]
    return max(rows, key=lambda row: row.scheduled)


def paths() -> list[tuple[str, str]]:
    """Every path and method that the description has."""
    app: Any = create(sources(cluster(1)))
    while not hasattr(app, "openapi"):
        app = app._app
    found = app.openapi()["paths"]
    return [(path, method.upper()) for path, methods in found.items() for method in methods]


def scope(method: str, path: str, *, token: str, length: int = 0) -> dict[str, Any]:
    """A request as the server hands it on, its body still to be read."""
    url = urlsplit(path)
    headers = {"host": "localhost", "content-length": str(length), "authorization": f"Bearer {token}"}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": url.path,
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


@pytest.mark.parametrize(("path", "method"), paths())
@pytest.mark.parametrize("credential", ["", "Bearer ", "Bearer nothing", "Basic YTpi", "all"])
async def test_no_route_answers_without_a_token_that_the_cluster_accepts(
    browser: Browser, path: str, method: str, credential: str
) -> None:
    headers = {"authorization": credential} if credential else {}
    filled = path.replace("{namespace}", "shop").replace("{name}", "stock-sync").replace("{run_id}", "x")

    reply = await browser.ask(method, filled, headers=headers)

    assert problem(reply) == (401, "unauthorized")
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("path", "method"), paths())
@pytest.mark.parametrize("leads", [True, False], ids=["leader", "standby"])
async def test_no_route_reads_a_body_before_it_knows_who_sent_it(
    source: FakeCluster, path: str, method: str, leads: bool
) -> None:
    app = create(sources(source), leader=lambda: "" if leads else "http://127.0.0.1:9")
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope(method, path.replace("{namespace}", "shop"), token="nothing", length=200_000), receive, send)

    assert sent[0]["status"] == 401


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1//tasks"])
async def test_what_is_no_route_tells_a_stranger_nothing(browser: Browser, path: str) -> None:
    assert problem(await browser.get(path)) == (401, "unauthorized")


async def test_a_cluster_that_is_away_is_503(source: FakeCluster) -> None:
    guard = FakeGuard(VIEWERS)
    guard.broken = "no answer"

    reply = await get(Browser(create(sources(source, guard))), "/tasks")

    assert problem(reply) == (503, "cluster-unavailable")


async def test_a_selector_chooses_among_what_the_caller_may_see(browser: Browser, source: FakeCluster) -> None:
    source.labels = {("shop", "stock-sync"): {"team": "a"}, ("billing", "close-ledger"): {"team": "a"}}

    every = json.loads((await get(browser, "/tasks?selector=team%3Da")).text)["items"]
    some = json.loads((await get(browser, "/tasks?selector=team%3Da", token="shop")).text)["items"]
    runs = json.loads((await get(browser, "/runs?selector=team%3Da", token="shop")).text)["items"]

    assert sorted(task["name"] for task in every) == ["close-ledger", "stock-sync"]
    assert [task["name"] for task in some] == ["stock-sync"]
    assert {run["task"] for run in runs} == {"stock-sync"}
    assert problem(await get(browser, "/runs?selector=a%3D%3D%3Db")) == (400, "refused")


async def test_one_question_tells_what_became_of_a_tick(browser: Browser, source: FakeCluster) -> None:
    task = source.rows["shop", "stock-sync"]
    run = next(row for row in source.history.rows.values() if row.task == "stock-sync" and row.trigger == "Schedule")
    source.history.say(run.run_id, "row 17 of 40", at=NOW)
    tick = datetime.fromtimestamp(run.scheduled, UTC).isoformat().replace("+00:00", "Z")

    found = json.loads((await get(browser, f"/tasks/shop/{task.name}/ticks/{tick}")).text)

    assert found["run"]["runId"] == run.run_id
    assert [line["text"] for line in found["lines"]][-1] == "row 17 of 40"
    assert len(found["attempts"]) == len(source.history.attempt_rows.get(run.run_id, ()))
    for when, why in (
        (
            "2026-01-01T00:00:01Z",
            "its schedule has no tick at 2026-01-01T00:00:01Z; the one after that is 2026-01-01T00:05",
        ),
        ("2036-01-01T00:00:00Z", "is still to come"),
        ("2016-01-01T00:00:00Z", "is older than what is kept"),
    ):
        never = await get(browser, f"/tasks/shop/{task.name}/ticks/{when}")
        assert problem(never) == (404, "not-found")
        assert why in never.text
    assert problem(await get(browser, f"/tasks/shop/{task.name}/ticks/{tick}", token="none")) == (404, "not-found")


async def test_a_pool_s_demand_is_one_number_and_never_one_that_is_too_small(
    browser: Browser, source: FakeCluster
) -> None:
    path = "/pools/shop/python/demand?within=3600"

    found = json.loads((await get(browser, path, token="shop")).text)

    assert found["demand"] == found["running"] + found["waiting"] + found["due"] > 0
    assert (found["namespace"], found["pool"], found["withinSeconds"]) == ("shop", "python", 3600)
    assert problem(await get(browser, path, token="none")) == (404, "not-found")
    nobody = json.loads((await get(browser, "/pools/shop/no-such-pool/demand")).text)
    assert (nobody["demand"], nobody["readyWorkers"]) == (0, 0)
    source.leading = False
    reply = await get(browser, path)
    assert problem(reply) == (503, "no-leader")
    assert reply.headers["retry-after"] == "1"


async def test_one_caller_cannot_take_all_places_of_those_who_follow(
    source: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seats, "MOST_OF_ONE", 2)
    run = newest(source)
    source.history.add(replace(run, state="Running", finished=None))
    path = f"/runs/{run.run_id}/logs?follow=true"
    app = create(sources(source))
    browser = Browser(app)

    async def sit_down(token: str) -> asyncio.Task[None]:
        """Follows; returns once the stream has begun."""
        begun = asyncio.Event()

        async def send(message: Any) -> None:
            assert message.get("status", 200) == 200
            begun.set()

        async def receive() -> Any:
            return await asyncio.Event().wait()

        request = scope("GET", f"/api/v1{path}", token=token)
        staying: asyncio.Task[None] = asyncio.ensure_future(app(request, receive, send))
        await asyncio.wait({staying, asyncio.create_task(begun.wait())}, return_when=asyncio.FIRST_COMPLETED)
        assert begun.is_set()
        return staying

    staying = [await sit_down("all"), await sit_down("all")]
    assert problem(await get(browser, path)) == (429, "too-many-followers")
    staying.append(await sit_down("shop"))

    source.history.add(replace(run, state="Failed"))
    await asyncio.gather(*staying)
    assert (await get(browser, path)).status == 200  # places are given back


async def test_tasks_are_listed_filtered_and_shown(browser: Browser, source: FakeCluster) -> None:
    every = json.loads((await get(browser, "/tasks")).text)
    some = json.loads((await get(browser, "/tasks?q=stock&namespace=shop")).text)
    one = json.loads((await get(browser, "/tasks/shop/stock-sync")).text)

    assert (every["total"], every["page"], every["pages"]) == (10, 1, 1)
    assert [task["name"] for task in some["items"]] == ["stock-sync"]
    assert one["task"]["timeZone"] == "UTC"
    assert one["task"]["nextScheduleTime"].startswith("20")
    assert set(every["counts"]) <= {flag.value for flag in Flag}


async def test_a_caller_sees_only_what_they_may(browser: Browser, source: FakeCluster) -> None:
    hidden, shown = newest(source, "billing"), newest(source, "shop")

    tasks = json.loads((await get(browser, "/tasks", token="shop")).text)["items"]
    runs = json.loads((await get(browser, "/runs?namespace=billing&namespace=shop", token="shop")).text)["items"]
    workers = json.loads((await get(browser, "/workers", token="shop")).text)["items"]

    assert {each["namespace"] for each in [*tasks, *runs, *workers]} == {"shop"}
    assert (await get(browser, f"/runs/{shown.run_id}", token="shop")).status == 200
    for path in (f"/runs/{hidden.run_id}", f"/runs/{hidden.run_id}/logs", "/tasks/billing/invoice-mail"):
        assert problem(await get(browser, path, token="shop")) == (404, "not-found")
    for path in (f"/runs/{hidden.run_id}/retry", "/tasks/billing/invoice-mail/trigger"):
        assert problem(await post(browser, path, token="shop")) == (404, "not-found")
    assert json.loads((await get(browser, "/runs", token="none")).text)["items"] == []
    assert source.orders == []


async def test_a_run_comes_with_its_attempts_and_why_each_pod_was_chosen(browser: Browser, source: FakeCluster) -> None:
    run = newest(source)
    source.history.attempt_rows[run.run_id] = [
        AttemptRow(
            run_id=run.run_id,
            attempt=1,
            pod_name="python-0",
            pod_uid="uid-0",
            epoch=3,
            sent=NOW,
            answer="Finished",
            chosen_by="LeastLoaded",
            filtered=(("python-1", "not ready"),),
        )
    ]

    found = json.loads((await get(browser, f"/runs/{run.run_id}")).text)

    assert found["run"]["runId"] == run.run_id
    (attempt,) = found["attempts"]
    assert (attempt["podUID"], attempt["chosenBy"], attempt["epoch"]) == ("uid-0", "LeastLoaded", 3)
    assert attempt["filtered"] == [{"podName": "python-1", "reason": "not ready"}]


@pytest.mark.parametrize("fault", ["", "connection refused"], ids=["not yet there", "away"])
async def test_a_run_that_the_history_cannot_tell_is_told_from_memory_and_says_so(
    browser: Browser, source: FakeCluster, fault: str
) -> None:
    run = newest(source)
    path = f"/runs/{run.run_id}"
    kept = json.loads((await get(browser, path)).text)
    source.remembered[run.run_id] = source.history.rows.pop(run.run_id)
    source.history.broken = fault

    found = json.loads((await get(browser, path)).text)

    assert (kept["source"], kept["fault"]) == ("History", "")
    assert found == {"run": kept["run"], "attempts": [], "source": "Memory", "fault": fault}
    # what neither has, and what is not theirs to see
    unknown = str(uuid.UUID(int=0))
    expected = (503, "history-unavailable") if fault else (404, "not-found")
    assert problem(await get(browser, f"/runs/{unknown}")) == expected
    assert problem(await get(browser, path, token="none")) == (404, "not-found")


async def test_a_run_that_has_just_ended_is_told_with_its_result(browser: Browser, source: FakeCluster) -> None:
    run = replace(newest(source), finished=time.time(), result={"rows": 7})
    source.remembered[run.run_id] = replace(run, result=None)
    del source.history.rows[run.run_id]
    source.history.coming[run.run_id] = (run, 3)

    found = json.loads((await get(browser, f"/runs/{run.run_id}")).text)

    assert (found["run"]["result"], found["source"]) == ({"rows": 7}, "History")


async def test_a_run_whose_attempts_cannot_be_read_is_told_from_memory(
    browser: Browser, source: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = source.rows["search", "reindex"].active[0]

    async def away(_: str) -> tuple[AttemptRow, ...]:
        raise HistoryError("the connection broke")

    monkeypatch.setattr(source.history, "attempts", away)
    found = json.loads((await get(browser, f"/runs/{run_id}")).text)
    assert (found["run"]["state"], found["source"], found["fault"]) == ("Running", "Memory", "the connection broke")


async def test_runs_are_filtered_and_paged(browser: Browser, source: FakeCluster) -> None:
    first = json.loads((await get(browser, "/runs?state=Failed&state=Skipped&limit=2")).text)
    second = json.loads((await get(browser, f"/runs?state=Failed&state=Skipped&limit=2&cursor={first['cursor']}")).text)

    rows = [*first["items"], *second["items"]]
    assert {row["state"] for row in rows} <= {"Failed", "Skipped"}
    assert len({row["runId"] for row in rows}) == 4


async def test_a_search_that_stopped_says_how_far_it_looked_and_goes_on(browser: Browser, source: FakeCluster) -> None:
    run_id = next(iter(source.history.rows))
    source.history.stops = NOW + 0.5

    first = json.loads((await get(browser, f"/runs?q={run_id}")).text)
    second = json.loads((await get(browser, f"/runs?q={run_id}&cursor={first['cursor']}")).text)

    assert (first["items"], first["searched"]) == ([], f"{times.text(NOW)[:-1]}.500000Z")
    assert [row["runId"] for row in second["items"]] == [run_id]
    assert (second["cursor"], second["searched"]) == ("", None)


@pytest.mark.parametrize(
    "query",
    [
        "state=Gone",
        "limit=0",
        "limit=501",
        "cursor=a%20b",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "colour=red",
    ],
)
async def test_a_question_that_makes_no_sense_names_its_part(browser: Browser, query: str) -> None:
    reply = await get(browser, f"/runs?{query}")

    assert problem(reply) == (422, "invalid")
    assert query.partition("=")[0] in json.loads(reply.text)["detail"]


async def test_orders_go_to_the_cluster_and_name_the_run(browser: Browser, source: FakeCluster) -> None:
    asked = await post(browser, "/tasks/shop/stock-sync/trigger", {"payload": {"a": 1}})
    run_id = json.loads(asked.text)["runId"]
    assert (asked.status, asked.headers["location"]) == (202, f"/api/v1/runs/{run_id}")
    assert (await post(browser, f"/runs/{run_id}/cancel")).status == 202
    assert (await post(browser, f"/runs/{run_id}/retry")).status == 202
    assert (await post(browser, "/tasks/shop/stock-sync/suspend")).status == 204
    assert (await post(browser, "/tasks/shop/stock-sync/resume")).status == 204

    assert [order[0] for order in source.orders] == ["trigger", "cancel", "trigger", "suspend", "resume"]
    assert source.orders[0][2] == "{'a': 1}"


async def test_a_refused_order_says_who_refused_it(browser: Browser, source: FakeCluster) -> None:
    source.refuse = "the cluster refused: bob may not patch scheduledtasks"

    reply = await post(browser, "/tasks/shop/stock-sync/trigger")

    assert problem(reply) == (403, "refused")
    assert "bob may not patch" in reply.text


async def test_a_history_that_is_away_is_503_and_tasks_are_still_told(browser: Browser, source: FakeCluster) -> None:
    source.history.broken = "no answer"

    assert problem(await get(browser, "/runs")) == (503, "history-unavailable")
    assert (await get(browser, "/tasks")).status == 200


async def test_a_log_is_read_from_a_number_on(browser: Browser, source: FakeCluster) -> None:
    run = newest(source)
    for number in range(5):
        source.history.say(run.run_id, f"<b>{number}</b>", at=NOW)

    first = source.history.lines[run.run_id][0].seq
    found = json.loads((await get(browser, f"/runs/{run.run_id}/logs?after={first}&limit=2")).text)["items"]

    assert [line["seq"] for line in found] == [first + 1, first + 2]


async def test_the_end_of_a_log_can_be_asked_for(browser: Browser, source: FakeCluster) -> None:
    run = newest(source)
    source.history.lines[run.run_id] = []
    for number in range(5):
        source.history.say(run.run_id, f"line {number}", at=NOW)

    async def texts(query: str) -> list[str]:
        reply = await get(browser, f"/runs/{run.run_id}/logs?{query}")
        if "follow" in query:
            events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
            return [event["text"] for event in events if "text" in event]
        return [line["text"] for line in json.loads(reply.text)["items"]]

    assert await texts("tail=2") == ["line 3", "line 4"]
    assert await texts("tail=100") == [f"line {number}" for number in range(5)]
    assert await texts("tail=0") == []
    assert await texts("tail=2&follow=true") == ["line 3", "line 4"]
    assert await texts("tail=0&follow=true") == []


async def test_workers_tell_their_version_and_are_chosen_by_the_labels_of_their_pods(
    browser: Browser, source: FakeCluster
) -> None:
    first, *others = source.workers_rows
    source.workers_rows[:] = [replace(first, version="2.0.1", labels=(("app", "reports"),)), *others]

    (found,) = json.loads((await get(browser, "/workers?selector=app%3Dreports")).text)["items"]

    assert (found["name"], found["version"], found["labels"]) == (first.name, "2.0.1", {"app": "reports"})
    assert len(json.loads((await get(browser, "/workers?selector=!app")).text)["items"]) == len(others)
    assert problem(await get(browser, "/workers?selector=a%3D%3D%3Db")) == (422, "invalid")


async def test_a_log_is_followed_to_the_end_of_its_run(browser: Browser, source: FakeCluster) -> None:
    run = newest(source)
    source.history.lines[run.run_id] = []
    for number in range(3):
        source.history.say(run.run_id, f"line {number}\nevent: forged", at=NOW)
    source.history.add(replace(run, state="Failed"))

    reply = await get(browser, f"/runs/{run.run_id}/logs?follow=true", **{"last-event-id": "1"})

    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in reply.text.strip().split("\n\n")]
    assert [event[0] for event in events] == ["retry: 1000", "id: 2-3", "id: 3-3", "event: end"]
    assert json.loads(events[1][1].removeprefix("data: "))["text"] == "line 1\nevent: forged"
    assert json.loads(events[3][1].removeprefix("data: "))["state"] == "Failed"


@pytest.mark.parametrize(
    ("host", "method", "headers", "status"),
    [
        ("localhost:8080", "GET", {}, 200),
        ("127.0.0.1:8080", "POST", {}, 202),  # a program: it names no site
        ("[::1]:8080", "GET", {}, 200),
        ("evil.example", "GET", {}, 421),  # a name of somebody else's that points here
        ("localhost:8080", "POST", {"origin": "https://evil.example"}, 421),
        ("localhost:8080", "POST", {"sec-fetch-site": "cross-site"}, 421),
    ],
)
async def test_where_nobody_logs_in_other_sites_reach_nothing(
    source: FakeCluster, host: str, method: str, headers: dict[str, str], status: int
) -> None:
    browser = Browser(create(sources(source, FakeGuard())), host=host)
    path = "/api/v1/tasks/shop/stock-sync" + ("/trigger" if method == "POST" else "")

    assert (await browser.ask(method, path, headers=headers)).status == status


async def test_a_body_that_is_too_large_or_of_no_length_is_refused_unread(browser: Browser) -> None:
    path = "/api/v1/tasks/shop/stock-sync/trigger"
    headers = {"authorization": "Bearer all"}

    large = await browser.ask("POST", path, headers={**headers, "content-length": "9999999"})
    endless = await browser.ask("POST", path, headers={**headers, "transfer-encoding": "chunked"})

    assert problem(large) == (413, "too-large")
    assert problem(endless) == (411, "length-required")


async def test_the_description_is_openapi_3_1_and_names_no_other_host(browser: Browser) -> None:
    reply = await browser.get("/api/v1/openapi.json")

    assert json.loads(reply.text)["openapi"].startswith("3.1")
    assert "http" not in reply.text
    assert (await browser.get("/docs")).status == 404


async def test_a_run_that_waits_for_its_turn_is_cancelled_by_those_who_see_its_namespace(
    browser: Browser, source: FakeCluster
) -> None:
    """The history does not have it: it has not begun."""
    source.queued = {"waits": ("billing", "invoice-mail")}

    assert problem(await post(browser, "/runs/waits/cancel", token="shop")) == (404, "not-found")
    assert source.orders == []
    assert (await post(browser, "/runs/waits/cancel")).status == 202
    assert [order[0] for order in source.orders] == ["cancel"]


async def test_a_tick_that_was_skipped_with_others_is_told_by_their_row(browser: Browser, source: FakeCluster) -> None:
    task = source.rows["shop", "stock-sync"]
    last = int(NOW) // 300 * 300
    row = run_row(task, last, state="Skipped", reason="Missed", attempts=0, started=None, skipped_ticks=12)
    source.history.rows = {row.run_id: row}

    reply = await get(browser, f"/tasks/shop/{task.name}/ticks/{times.text(last - 7 * 300)}")

    found = json.loads(reply.text)["run"]
    assert (found["runId"], found["skippedTicks"], found["scheduledTime"]) == (row.run_id, 12, times.text(last))
    before = await get(browser, f"/tasks/shop/{task.name}/ticks/{times.text(last - 12 * 300)}")
    assert problem(before) == (404, "not-found")
