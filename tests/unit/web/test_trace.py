import pytest
from pydantic import ValidationError

from fakes.asgi import Browser
from fakes.web import FakeCluster, FakeGuard
from warmcron import config
from warmcron.web.app import app

URL = "https://jaeger.example/trace/{traceId}?uiFind=warmcron"


async def test_a_run_leads_to_its_trace(source: FakeCluster) -> None:
    run_id = source.rows["search", "reindex"].active[0]
    trace_id = source.history.rows[run_id].trace_id
    pages = app(
        live_source=source,
        reader=source.history,
        orders_to=source,
        guarded_by=FakeGuard(),
        clock=source.clock,
        trace_url=URL,
    )
    text = (await Browser(pages).get(f"/runs/{run_id}")).text
    assert f'href="https://jaeger.example/trace/{trace_id}?uiFind=warmcron"' in text


async def test_without_an_address_a_trace_is_only_named(browser: Browser, source: FakeCluster) -> None:
    run_id = source.rows["search", "reindex"].active[0]
    text = (await browser.get(f"/runs/{run_id}")).text
    assert source.history.rows[run_id].trace_id in text
    assert "jaeger" not in text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert('{traceId}')",
        "https://jaeger.example/trace/",  # without a place for the id
        "/trace/{traceId}",
        "https:///{traceId}",
        "ftp://x.example/{traceId}",
    ],
)
def test_an_address_that_cannot_lead_to_a_trace_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError, match="traceId"):
        config.Settings(trace_url=url)
    assert config.Settings(trace_url="").trace_url == ""
