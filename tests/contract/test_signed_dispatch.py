"""The operator's dispatcher and a real worker process: each call is let in, and what is stolen is good for nothing."""

import base64
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from fakes import dispatch
from fakes.dispatch import Sending, sending
from fakes.waiting import PATIENCE
from unit.worker.harness import ROOT, Start, Worker, workers
from warmcron.core import runs
from warmcron.workers.signing import Signer, message_id


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with workers(tmp_path / "state") as start:
        yield start


@pytest.fixture
async def operator() -> AsyncIterator[Sending]:
    async with sending() as found:
        yield found


def worker_for(start: Start, operator: Sending, *, module: str = "warmworker.demo", **environment: str) -> Worker:
    return start(module, WARMWORKER_PUBLIC_KEYS=",".join(operator.signer.public_keys), **environment)


async def test_every_call_of_the_operator_is_let_in(start: Start, operator: Sending) -> None:
    seen = dispatch.worker(worker_for(start, operator)._port)
    quick, slow = dispatch.run("hello", b'{"name":"you"}'), dispatch.run("sleep", b'{"seconds":60}')
    assert await operator.execute(quick, seen) == runs.Finished(runs.Outcome.SUCCEEDED)
    assert await operator.execute(slow, seen) == runs.Accepted()
    assert await operator.ask(slow, seen) == runs.Accepted()
    assert await operator.ask(dispatch.run(), seen, fence=True) == runs.Fenced()
    reports = await operator.dispatcher.reports(seen)
    assert {report.run_id for report in reports or ()} == {quick.id, slow.id}
    abilities = await operator.dispatcher.abilities(seen)
    assert abilities is not None
    assert "hello" in (abilities.handlers or ())
    await operator.cancel(slow, seen)
    for _ in range(100):
        if (event := await operator.ask(slow, seen)) != runs.Accepted():
            break
    assert isinstance(event, runs.Finished)
    assert event.outcome is runs.Outcome.CANCELLED


async def test_a_worker_that_told_a_new_leader_what_it_has_takes_nothing_more_of_the_one_before(
    start: Start, operator: Sending
) -> None:
    """What the old leader sent may still be on its way, also to a worker that never heard from the new one."""
    seen = dispatch.worker(worker_for(start, operator)._port)
    operator.epoch = 5
    assert await operator.dispatcher.reports(seen) == []
    operator.epoch = 4
    assert await operator.execute(dispatch.run("hello"), seen) == runs.Refused("StaleEpoch", pause=1.0)
    operator.epoch = 5
    assert await operator.execute(dispatch.run("hello"), seen) == runs.Finished(runs.Outcome.SUCCEEDED)


async def test_a_run_that_says_more_than_an_answer_holds_is_told_by_callback(start: Start, operator: Sending) -> None:
    """200 KB of lines: cut off, the answer would have read as success whatever it said."""
    seen = dispatch.worker(worker_for(start, operator, module="hostile")._port)
    event = await operator.execute(dispatch.run("chatty", b'{"lines":200,"width":1000}'), seen)
    assert event == runs.Accepted()
    assert await operator.execute(dispatch.run("chatty", b'{"lines":10,"width":1000}'), seen) == runs.Finished(
        runs.Outcome.SUCCEEDED
    )


async def test_a_worker_with_another_key_takes_nothing_and_tells_nothing(start: Start, operator: Sending) -> None:
    seen = dispatch.worker(start()._port)
    assert await operator.execute(dispatch.run(), seen) == runs.Refused("SignatureRefused", pause=30.0)
    assert await operator.ask(dispatch.run(), seen) == runs.Unreachable()
    assert await operator.dispatcher.reports(seen) is None
    assert await operator.dispatcher.abilities(seen) is None


async def test_a_new_pod_on_an_old_address_takes_nothing(start: Start, operator: Sending) -> None:
    """The operator still believes that uid-a has the address; it belongs to uid-b now."""
    worker = worker_for(start, operator, POD_UID="uid-b")
    seen = dispatch.worker(worker._port, uid="uid-a")
    assert await operator.execute(dispatch.run(), seen) == runs.Refused("WrongPod", pause=5.0)
    worker.has_said("refused execute")


async def test_what_a_hostile_worker_was_sent_starts_nothing_elsewhere(start: Start, operator: Sending) -> None:
    """A stolen dispatch, replayed byte by byte to another worker, and turned into other calls."""
    stolen: list[tuple[dict[str, str], bytes]] = []

    async def keep(request: web.Request) -> web.Response:
        stolen.append((dict(request.headers), await request.read()))
        return web.Response(status=503)

    app = web.Application()
    app.router.add_post("/api/task/execute", keep)
    thief = web.AppRunner(app)
    await thief.setup()
    site = web.TCPSite(thief, "127.0.0.1", 0)
    await site.start()
    port: int = thief.addresses[0][1]
    victim = worker_for(start, operator, POD_UID="uid-victim")
    run = dispatch.run("hello")
    assert isinstance(await operator.execute(run, dispatch.worker(port, uid="uid-thief")), runs.Refused)
    await thief.cleanup()
    (headers, body) = stolen[0]
    assert "authorization" not in {name.lower() for name in headers}, "nothing that is sent could be used again"
    base = f"http://127.0.0.1:{victim._port}/api/task"
    statuses = {}
    async with aiohttp.ClientSession() as session:
        for method, path in [
            ("POST", "/execute"),
            ("PUT", f"/runs/{run.id}/fence"),
            ("POST", f"/runs/{run.id}/cancel"),
            ("GET", f"/runs/{run.id}"),
            ("GET", "/runs"),
        ]:
            async with session.request(method, base + path, data=body, headers=headers) as answer:
                statuses[path.rpartition("/")[2]] = answer.status
    assert set(statuses.values()) == {421}


async def test_a_rotation_has_no_gap(start: Start, tmp_path: Path) -> None:
    """Old key, both keys, new key: a worker that never restarts and hears of the new key late takes every run."""
    old, new = Signer.made(), Signer.made()
    both = Signer([*old._keys, *new._keys])
    keys = tmp_path / "keys"
    keys.write_text(old.public_keys[0])
    worker = start(WARMWORKER_PUBLIC_KEYS_FILE=str(keys))
    seen = dispatch.worker(worker._port)

    async def rounds(signer: Signer, count: int) -> None:
        async with sending(signer) as operator:
            for _ in range(count):
                event = await operator.execute(dispatch.run("noop"), seen)
                assert event == runs.Finished(runs.Outcome.SUCCEEDED)

    async def until(said: str, signer: Signer) -> None:
        end = time.monotonic() + PATIENCE
        while said not in worker.log:
            assert time.monotonic() < end, worker.log
            await rounds(signer, 20)

    await rounds(old, 20)
    await rounds(both, 20)  # 1. the operator has both keys, the worker still the old one
    keys.write_text("\n".join(both.public_keys))  # 2. the worker hears of the new one, while runs go on
    await until("2 public keys are good now", both)
    await rounds(new, 20)  # 3. the operator forgets the old one
    keys.write_text(new.public_keys[0])
    await until("1 public keys are good now", new)
    async with sending(old) as forgotten:
        assert isinstance(await forgotten.execute(dispatch.run("noop"), seen), runs.Refused)


def test_the_check_that_the_docs_show_for_plain_workers_checks() -> None:
    text = (ROOT / "docs" / "security" / "keys.md").read_text()
    shown: dict[str, Any] = {}
    exec(text.split("```python\n")[1].split("```")[0], shown)  # noqa: S102 - our own page
    signer = Signer.made()
    body = b'{"runId":"r"}'
    given = {"key": signer._keys[0].public_key(), "pod_uid": "uid-a"}
    good = signer.headers(message_id("execute", "uid-a", "r", 1), body, now=time.time())
    check = shown["is_from_the_operator"]
    assert check(good, body, **given)
    assert not check(good, body + b" ", **given)
    assert not check(good, body, **given | {"pod_uid": "uid-b"})
    assert not check(good, body, **given | {"key": Signer.made()._keys[0].public_key()})
    assert not check({}, body, **given)
    for late in (time.time() - 400, time.time() + 400):
        assert not check(signer.headers(good["webhook-id"], body, now=late), body, **given)
    assert not check(signer.headers(message_id("fence", "uid-a", "r", 1), body, now=time.time()), body, **given)


def test_the_public_keys_are_those_of_the_private_ones() -> None:
    signer = Signer.made()
    raw = base64.b64decode(signer.public_keys[0].removeprefix("whpk_"))
    assert raw == signer._keys[0].public_key().public_bytes_raw()
