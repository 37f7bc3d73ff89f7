import hashlib
import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fakes.asgi import Browser
from fakes.web import NOW, FakeCluster, FakeGuard, FakeViewer, cluster, run_row
from unit.web.poison import HOSTILE, paths, poisoned
from warmcron.core import times
from warmcron.errors import HistoryError
from warmcron.history.model import AttemptRow, LogRow, RunRow, line_seq
from warmcron.web.run import LINES
from warmcron.web.sources import Flag
from warmcron.web.speakers import Speakers


class Shape(HTMLParser):
    """Which elements a page has, and which attributes these have."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_text_can_add_an_element_or_an_attribute_to_a_page(text: str, serve: Callable[..., Any]) -> None:
    """The page with hostile text is built exactly as the page with a plain word in its place."""
    hostile, plain = poisoned(text), poisoned("word")
    for bad, good in zip(paths(hostile, text), paths(plain, "word"), strict=True):
        found = (await Browser(serve(hostile)).get(bad)).text
        expected = (await Browser(serve(plain)).get(good)).text
        assert Shape(found).found == Shape(expected).found, bad
        assert not set(found) & set("\u202e\x00\x1b"), bad


async def test_a_search_that_stopped_does_not_say_that_nothing_matches(browser: Browser, source: FakeCluster) -> None:
    run_id = next(iter(source.history.rows))
    source.history.stops = NOW

    first = (await browser.get(f"/runs?q={run_id}")).text
    assert f"searched back to {datetime.fromtimestamp(NOW, UTC):%Y-%m-%d %H:%M:%S} UTC" in first
    assert "No run matches so far." in first
    assert "No run matches.<" not in first
    (on,) = re.findall(r'rel="next" href="([^"]+)">Search on', first)
    behind = (await browser.get(html.unescape(on))).text
    assert f'href="/runs/{run_id}"' in behind
    assert "searched back" not in behind
    assert "No run matches.<" in (await browser.get("/runs?q=nowhere&cursor=0")).text, "all of it was looked at"


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_log_line_can_end_an_event_or_forge_one(text: str, serve: Callable[..., Any]) -> None:
    source = poisoned(text)
    ended = next(row.run_id for row in source.history.rows.values() if row.state == "Failed")
    reply = await Browser(serve(source)).get(f"/runs/{ended}/log?after=0")
    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [event for event in reply.text.split("\n\n") if event and not event.startswith(":")]
    assert [event.split("\n")[0] for event in events] == ["id: 1-1/1", "event: done"]
    assert Shape(events[0].replace("data: ", "")).found[0] == ("div", ("class",))


@pytest.mark.parametrize("tasks", [0, 1, 10, 10_000])
async def test_every_screen_answers_however_many_tasks_there_are(tasks: int, serve: Callable[..., Any]) -> None:
    browser = Browser(serve(cluster(tasks)))
    for path in ("/", "/tasks", "/runs", "/workers"):
        for language in ("en", "zh"):
            reply = await browser.get(path, accept_language=language)
            assert reply.status == 200
            # one page holds one page of rows, not all of them
            assert len(reply.text) < 400_000


async def test_a_page_is_in_the_language_and_zone_that_the_browser_keeps(browser: Browser) -> None:
    reply = await browser.post("/settings", {"lang": "zh", "zone": "mine", "mine": "Asia/Tokyo", "back": "/tasks"})
    assert (reply.status, reply.headers["location"]) == (303, "/tasks")
    text = (await browser.get("/tasks")).text
    assert '<html lang="zh-Hans">' in text
    assert "UTC+9" in text
    assert "UTC+1" not in text
    await browser.post("/settings", {"zone": "utc"})
    assert "UTC+9" not in (await browser.get("/tasks")).text


@pytest.mark.parametrize(("name", "value"), [("lang", "xx"), ("zone", "<script>"), ("mine", "../../etc"), ("lang", "")])
async def test_a_preference_that_is_none_is_not_kept(browser: Browser, name: str, value: str) -> None:
    assert (await browser.post("/settings", {name: value})).cookies == []


async def test_tiles_lead_to_the_rows_that_they_count(browser: Browser, source: FakeCluster) -> None:
    text = (await browser.get("/")).text
    assert "/tasks?is=Failing" in text
    found = (await browser.get("/tasks?is=Failing")).text
    assert "stock-sync" in found
    assert "invoice-mail" not in found
    failed = (await browser.get("/runs?since=24h&state=Failed")).text
    assert failed.count("<tr>") - 1 == (await source.history.counts(None, since=NOW - 86_400))["Failed"]


async def test_while_the_history_is_down_the_tasks_are_still_there(browser: Browser, source: FakeCluster) -> None:
    source.history.broken = "connection refused"
    for path in ("/", "/tasks", "/tasks/shop/stock-sync", "/runs"):
        reply = await browser.get(path)
        assert reply.status == 200
        assert "connection refused" in reply.text
    assert "stock-sync" in (await browser.get("/tasks")).text
    assert "No run yet" not in (await browser.get("/tasks/shop/stock-sync")).text
    assert (await browser.get(f"/runs/{next(iter(source.history.rows))}")).status == 503


async def test_what_is_no_schedule_is_quoted_and_not_put_into_words(browser: Browser, source: FakeCluster) -> None:
    row = source.rows["shop", "stock-sync"]
    source.add(replace(row, schedule="61 * * * *", plan=None, next=None, flags=frozenset({Flag.INVALID})))
    for path in ("/tasks?q=stock", "/tasks/shop/stock-sync"):
        text = (await browser.get(path)).text
        assert "61 * * * *" in text
        assert "minutes past the hour" not in text


async def test_a_cluster_that_is_away_is_said_on_a_page(source: FakeCluster, serve: Callable[..., Any]) -> None:
    guard = FakeGuard({})
    guard.broken = "connection refused"
    reply = await Browser(serve(source, guard)).get("/tasks")
    assert reply.status == 503
    assert "connection refused" in reply.text
    assert "stock-sync" not in reply.text


async def test_a_run_that_was_just_asked_for_is_waited_for(browser: Browser) -> None:
    reply = await browser.get("/runs/00000000-3de5-5951-af3c-35bc7d1a7b2b")
    assert reply.status == 404
    assert 'id="poll"' in reply.text


async def test_a_long_log_is_shown_in_pages(browser: Browser, source: FakeCluster) -> None:
    run_id = next(row.run_id for row in source.history.rows.values() if row.state == "Succeeded")
    for number in range(LINES + 5):
        source.history.say(run_id, f"line {number}", at=NOW)
    first = (await browser.get(f"/runs/{run_id}")).text
    assert first.count('class="said"') == LINES
    assert f"?after={LINES}" in first
    second = (await browser.get(f"/runs/{run_id}?after={LINES}")).text
    assert second.count('class="said"') == 5


async def test_paging_keeps_the_filters(browser: Browser, serve: Callable[..., Any]) -> None:
    text = (await Browser(serve(cluster(200))).get("/tasks?q=sync&ns=shop&page=1")).text
    assert "page" not in text or "q=sync" in text
    newest = (await browser.get("/runs?ns=shop")).text
    assert "cursor=50&amp;ns=shop" in newest


async def test_a_search_as_you_type_leaves_an_address_without_what_is_empty(browser: Browser) -> None:
    reply = await browser.get("/tasks?q=sync&ns=&pool=&is=", hx_request="true", hx_target="main#main")
    assert reply.headers["hx-replace-url"] == "/tasks?q=sync"


async def test_a_follower_gets_each_new_line_and_then_the_end(source: FakeCluster, serve: Callable[..., Any]) -> None:
    run = next(row for row in source.history.rows.values() if row.state == "Succeeded")
    for number in range(3):
        source.history.say(run.run_id, f"line {number}", at=NOW)
    browser = Browser(serve(source))
    text = (await browser.get(f"/runs/{run.run_id}/log?after=1")).text
    assert "line 0" not in text
    assert "line 2" in text
    assert text.rstrip().endswith("data: over")
    again = (await browser.get(f"/runs/{run.run_id}/log?after=0", last_event_id="3")).text
    assert "line" not in again


def test_the_manifest_of_vendored_files_is_true() -> None:
    """Here and beside the browser tests: name, version, licence and digest of each file that others wrote."""
    root = Path(__file__).parents[3]
    for folder in (root / "operator/warmcron/web/static", root / "tests/browser/vendor"):
        listed = json.loads((folder / "vendor.json").read_text())
        assert {row["file"] for row in listed} == {path.name for path in folder.glob("*.min.js")}
        for row in listed:
            content = (folder / row["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == row["sha256"]
            assert row["version"]
            assert row["licence"]


async def test_a_run_that_goes_on_is_shown_from_memory_while_the_history_is_down(
    browser: Browser, source: FakeCluster
) -> None:
    run_id = source.rows["search", "reindex"].active[0]
    source.history.broken = "connection refused"
    reply = await browser.get(f"/runs/{run_id}")
    assert reply.status == 200
    assert "The history cannot be read" in reply.text
    assert "connection refused" in reply.text
    assert "search/reindex" in reply.text
    # nothing that would need the history: no log to follow, no attempts; and it looks again by itself
    assert 'id="log-lines"' not in reply.text
    assert 'id="poll"' in reply.text
    # what goes on can still be stopped
    assert f"/confirm/cancel?on={run_id}" in reply.text
    assert (await browser.get(f"/confirm/cancel?on={run_id}")).status == 200
    await browser.post("/orders/cancel", {"on": run_id})
    assert source.orders == [("cancel", run_id)]


async def test_a_run_that_its_task_remembers_is_shown_while_the_history_is_down(
    browser: Browser, source: FakeCluster
) -> None:
    row = next(row for row in source.history.rows.values() if row.error)
    source.remembered[row.run_id] = replace(row, error=None)
    source.history.broken = "connection refused"
    text = (await browser.get(f"/runs/{row.run_id}")).text
    assert "The history cannot be read" in text
    assert row.reason in text
    # the history says what to repeat, so that it cannot be asked for
    assert "/confirm/retry" not in text


async def test_a_run_that_is_not_yet_in_the_history_is_shown_from_memory(browser: Browser, source: FakeCluster) -> None:
    run_id, row = source.history.rows.popitem()
    source.remembered[run_id] = row
    reply = await browser.get(f"/runs/{run_id}")
    assert (reply.status, "Not in the history yet" in reply.text) == (200, True)


async def test_what_a_viewer_may_not_see_is_not_shown_from_memory_either(
    source: FakeCluster, serve: Callable[..., Any]
) -> None:
    run_id = source.rows["search", "reindex"].active[0]
    source.history.broken = "connection refused"
    guard = FakeGuard({"good": FakeViewer("ann", scope=("shop",))})
    browser = Browser(serve(source, guard), cookies={"warmcron_token": "good"})
    reply = await browser.get(f"/runs/{run_id}")
    assert (reply.status, "reindex" in reply.text) == (404, False)


async def test_a_tick_leads_to_its_run_or_to_the_row_of_those_it_was_skipped_with(
    browser: Browser, source: FakeCluster
) -> None:
    task = source.rows["shop", "stock-sync"]
    last = int(NOW) // 300 * 300
    row = run_row(task, last, state="Skipped", reason="Missed", attempts=0, started=None, skipped_ticks=12)
    source.history.rows = {row.run_id: row}
    for tick in (last, last - 300, last - 11 * 300):
        reply = await browser.get(f"/tasks/shop/stock-sync/ticks/{times.text(tick)}")
        assert (reply.status, reply.headers["location"]) == (303, f"/runs/{row.run_id}")
    page = (await browser.get(f"/runs/{row.run_id}")).text
    assert "stands for 12 ticks that were skipped together" in page
    for path in (
        f"shop/stock-sync/ticks/{times.text(last - 12 * 300)}",  # before them
        f"shop/stock-sync/ticks/{times.text(last - 1)}",  # no tick
        f"shop/no-such/ticks/{times.text(last)}",
        "shop/stock-sync/ticks/yesterday",
        "shop/stock-sync/ticks/0001-01-01T00:00:00%2B01:00",
        "shop/stock-sync/ticks/9999-12-31T23:59:59Z",
    ):
        assert (await browser.get(f"/tasks/{path}")).status == 404, path


async def test_each_time_in_the_list_of_runs_is_in_the_zone_of_its_task(browser: Browser) -> None:
    text = (await browser.get("/runs?ns=billing&task=invoice-mail")).text
    assert "UTC+1" in text
    await browser.post("/settings", {"zone": "utc"})
    assert "UTC+1" not in (await browser.get("/runs?ns=billing&task=invoice-mail")).text


async def test_runs_are_found_between_two_times(browser: Browser, source: FakeCluster) -> None:
    row = next(row for row in source.history.rows.values() if row.task == "stock-sync")
    start, end = times.text(row.scheduled), times.text(row.scheduled + 1)
    for form in (f"start={start}&until={end}", f"start={start[:-1]}&until={end[:-1]}", f"since={start}&until={end}"):
        text = (await browser.get(f"/runs?task=stock-sync&{form}")).text
        assert text.count('<a class="name"') == 1, form
    for nonsense in ("0001-01-01T00:00:00%2B01:00", "9999-12-31T23:59:59-01:00", "tomorrow", "1e400"):
        reply = await browser.get(f"/runs?task=stock-sync&start={nonsense}&until={nonsense}")
        assert (reply.status, 'name="start" value=""' in reply.text) == (200, True), nonsense


async def test_lines_of_a_later_attempt_are_under_its_number(browser: Browser, source: FakeCluster) -> None:
    run = next(row for row in source.history.rows.values() if row.state == "Succeeded")
    lines = [
        LogRow(run_id=run.run_id, attempt=n, seq=line_seq(n, 1, 0), time=NOW, stream="stdout", text=f"line of {n}")
        for n in (1, 2, 2, 3)
    ]
    source.history.lines[run.run_id] = lines
    text = (await browser.get(f"/runs/{run.run_id}")).text
    assert text.count('class="turn"') == 2
    assert text.index("attempt 2") < text.index("line of 2") < text.index("attempt 3") < text.index("line of 3")
    assert "attempt 1" not in text.partition('id="log-lines"')[2]
    # who follows from line 2 on is told of the third attempt, and not of the second once more
    events = (await browser.get(f"/runs/{run.run_id}/log?after=2")).text
    assert "attempt 3" in events


async def test_an_attempt_is_not_named_once_more_after_a_lost_connection(browser: Browser, source: FakeCluster) -> None:
    run = next(row for row in source.history.rows.values() if row.state == "Succeeded")

    def say(attempt: int, number: int) -> None:
        source.history.lines[run.run_id].append(said(run, attempt, f"{attempt}.{number}", seq=number))

    source.history.lines[run.run_id] = []
    for attempt in (1, 2):
        say(attempt, 1)
    # the page was made before the first line, and its address says so whenever the browser comes back
    path = f"/runs/{run.run_id}/log?after=0&attempt=0"
    first = (await browser.get(path)).text
    assert first.count("attempt 2") == 1
    place = re.findall("^id: (.*)$", first, re.MULTILINE)[-1]
    say(2, 2)
    again = (await browser.get(path, last_event_id=place)).text
    assert ("2.2" in again, "2.1" in again, 'class="turn"' in again) == (True, False, False)
    say(3, 1)
    assert (await browser.get(path, last_event_id=place)).text.count('class="turn"') == 1


async def test_a_line_of_a_broadcast_names_its_worker_and_others_do_not(browser: Browser, source: FakeCluster) -> None:
    run = next(row for row in source.history.rows.values() if row.state == "Succeeded")
    source.history.lines[run.run_id] = [
        said(run, 1, "from one", pod="uid-1"),
        said(run, 1, "from two", pod="uid-2", seq=2),
        said(run, 1, "from nobody", pod="", seq=3),
    ]
    for second, shown in ((1, True), (2, False)):  # two workers at once; one after the other
        source.history.attempt_rows[run.run_id] = [
            sent(run, 1, "pod-one", "uid-1"),
            sent(run, second, "<two>", "uid-2"),
        ]
        page = (await browser.get(f"/runs/{run.run_id}")).text.partition('id="log-lines"')[2]
        live = (await browser.get(f"/runs/{run.run_id}/log?after=0")).text
        for text in (page, live):
            assert ('<bdi>pod-one</bdi></span><span class="said">from one<' in text) is shown
            assert ('<bdi>&lt;two&gt;</bdi></span><span class="said">from two<' in text) is shown
            assert ('<bdi>–</bdi></span><span class="said">from nobody<' in text) is shown


async def test_a_worker_that_speaks_later_is_named_in_a_live_log(source: FakeCluster) -> None:
    run = next(row for row in source.history.rows.values() if row.state == "Succeeded")
    attempts = source.history.attempt_rows[run.run_id] = [sent(run, 1, "pod-one", "uid-1")]
    speakers = Speakers(source.history, run.run_id)
    one, two = said(run, 1, "from one", pod="uid-1"), said(run, 1, "from two", pod="uid-2")
    assert await speakers.of([one]) == {}
    attempts.append(sent(run, 1, "pod-two", "uid-2"))
    assert await speakers.of([two]) == {"uid-1": "pod-one", "uid-2": "pod-two"}
    source.history.broken = "away"  # and is not asked about those who are known
    assert await speakers.of([one, two]) == {"uid-1": "pod-one", "uid-2": "pod-two"}
    with pytest.raises(HistoryError):
        await speakers.of([said(run, 1, "from three", pod="uid-3")])


async def test_reasons_are_explained_in_chinese_on_every_page_that_has_them(
    browser: Browser, source: FakeCluster
) -> None:
    run = next(row for row in source.history.rows.values() if row.task == "price-feed" and row.state == "Succeeded")
    source.history.rows = {run.run_id: replace(run, state="Failed", reason="DeadlineExceeded")}
    source.history.attempt_rows[run.run_id] = [replace(sent(run, 1, "pod", "uid"), answer="NoAnswer", reason="PodGone")]
    for path, shown in (
        (f"/runs/{run.run_id}", ("DeadlineExceeded\uff08运行超过了", "PodGone\uff08Pod 已不存在")),
        ("/runs", ("DeadlineExceeded\uff08运行超过了",)),
        (
            "/tasks/shop/price-feed",
            ("DeadlineExceeded\uff08运行超过了", "NoReadyWorker\uff08没有就绪的工作节点\uff09: no"),
        ),
        ("/workers", ("ContainersNotReady\uff08容器尚未就绪",)),
    ):
        local, english = [(await browser.get(path, accept_language=code)).text for code in ("zh", "en")]
        for text in shown:
            assert text in local, path
            assert text.partition("\uff08")[0] in english, path
        assert "\uff08" not in english, path


def said(run: RunRow, attempt: int, text: str, *, pod: str = "uid-1", seq: int = 1) -> LogRow:
    return LogRow(
        run_id=run.run_id,
        attempt=attempt,
        seq=line_seq(attempt, seq, 0),
        time=NOW,
        stream="stdout",
        text=text,
        pod_uid=pod,
    )


def sent(run: RunRow, attempt: int, name: str, uid: str) -> AttemptRow:
    return AttemptRow(run_id=run.run_id, attempt=attempt, pod_name=name, pod_uid=uid, epoch=1, sent=NOW)


async def test_a_fault_of_the_dashboard_is_said_on_a_page(source: FakeCluster, serve: Callable[..., Any]) -> None:
    source.rows = None  # type: ignore[assignment]  # what no code expects
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/tasks",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    with pytest.raises(AttributeError):  # and in the server's log
        await serve(source)(scope, receive, send)
    assert sent[0]["status"] == 500
    assert b"a fault of the dashboard" in b"".join(message.get("body", b"") for message in sent[1:])
