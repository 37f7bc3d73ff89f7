"""TLS both ways between the real dispatcher, the callbacks port and a real worker: who is believed, who is refused."""

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import Encoding

from fakes import dispatch
from fakes.authority import Authority
from fakes.dispatch import sending
from unit.worker.harness import Start, workers
from warmcron import config
from warmcron.core import runs
from warmcron.errors import ConfigError
from warmcron.workers.signing import Signer
from warmcron.workers.tls import Tls, worker_name

OURS, OTHERS = Authority(), Authority()
SIGNER = Signer.made()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with workers(tmp_path / "state") as start:
        yield start


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls.read(OURS.secret(tmp_path / "operator", "localhost"), own_name="localhost")


def environment(directory: Path | None) -> dict[str, str]:
    found = {"WARMWORKER_PUBLIC_KEYS": SIGNER.public_keys[0]}
    return found | ({"WARMWORKER_TLS_DIR": str(directory)} if directory else {})


async def test_a_worker_that_shows_its_namespaces_certificate_gets_runs(start: Start, tls: Tls, tmp_path: Path) -> None:
    worker = start(**environment(OURS.secret(tmp_path / "worker", worker_name("ns"))))
    async with sending(SIGNER, tls=tls) as operator:
        seen = dispatch.worker(worker._port)
        for _ in range(2):
            assert await operator.execute(dispatch.run("noop"), seen) == runs.Finished(runs.Outcome.SUCCEEDED)
        assert await operator.dispatcher.reports(seen)


async def test_whoever_shows_another_certificate_or_none_gets_nothing(start: Start, tls: Tls, tmp_path: Path) -> None:
    shown = {
        "of another namespace": OURS.secret(tmp_path / "a", worker_name("other")),
        "of another authority": OTHERS.secret(tmp_path / "b", worker_name("ns")),
        "of another kind of name": OURS.secret(tmp_path / "c", "127.0.0.1", "localhost", "*.ns.svc"),
        "none": None,
    }
    async with sending(SIGNER, tls=tls) as operator:
        for number, (what, directory) in enumerate(shown.items()):
            state = str(tmp_path / f"state-{number}")
            worker = start(WARMWORKER_STATE_DIR=state, **environment(directory))
            event = await operator.execute(dispatch.run("noop"), dispatch.worker(worker._port))
            if what == "of another kind of name":
                assert event == runs.Finished(runs.Outcome.SUCCEEDED), "a wildcard of the namespace is the namespace's"
            else:
                assert isinstance(event, runs.Refused), what
            worker.terminate()


async def test_a_worker_reports_by_tls_to_the_operator_and_to_no_impostor(
    start: Start, tls: Tls, tmp_path: Path
) -> None:
    reports: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        reports.put_nowait(await request.read())
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/api/task/runs/{run_id}/events", take)
    impostor = Tls.read(OTHERS.secret(tmp_path / "impostor", "localhost"), own_name="localhost")
    for number, (server, told) in enumerate(((tls, True), (impostor, False))):
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server.server)
        await site.start()
        url = f"https://localhost:{runner.addresses[0][1]}"
        secret = OURS.secret(tmp_path / f"worker-{number}", worker_name("ns"))
        worker = start(WARMWORKER_STATE_DIR=str(tmp_path / f"s{number}"), **environment(secret))
        async with sending(SIGNER, tls=tls, callback_url=url) as operator:
            event = await operator.execute(dispatch.run("sleep", b'{"seconds":3}'), dispatch.worker(worker._port))
            assert event == runs.Accepted()
        if told:
            assert b"Started" in await asyncio.wait_for(reports.get(), 60)
        else:
            await asyncio.to_thread(worker.has_said, "certificate verify failed")
            assert reports.empty()
        worker.kill()
        while not reports.empty():
            reports.get_nowait()
        await runner.cleanup()


async def test_the_port_speaks_nothing_older_than_tls_1_3(tls: Tls) -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls.server).start()
    old = ssl.create_default_context(cadata=OURS.certificate.public_bytes(Encoding.PEM).decode())
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    url = f"https://localhost:{runner.addresses[0][1]}/"
    async with aiohttp.ClientSession() as session:
        async with session.get(url, ssl=tls.client()) as answer:
            assert answer.status == 404
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url, ssl=old)
    await runner.cleanup()


def test_certificates_are_read_again_when_they_are_replaced(tls: Tls) -> None:
    assert not tls.renew()
    OURS.secret(tls.directory, "localhost")
    assert tls.renew()
    (tls.directory / "tls.crt").write_text("half of it")
    with pytest.raises(ConfigError, match="cannot be used"):
        tls.renew()


async def served(context: ssl.SSLContext, trusting: Authority) -> str:
    """How a client that believes one authority fares at a port with this context."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    client = ssl.create_default_context(cadata=trusting.pem().decode())
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://localhost:{runner.addresses[0][1]}/", ssl=client) as answer,
        ):
            return str(answer.status)
    except aiohttp.ClientConnectorCertificateError:
        return "not believed"
    except aiohttp.ClientError as error:
        return type(error).__name__
    finally:
        await runner.cleanup()


async def test_a_port_that_listens_shows_what_was_read_last_and_all_of_it_or_nothing(tls: Tls, tmp_path: Path) -> None:
    listening = tls.server
    assert await served(listening, OURS) == "404"
    # A certificate without its key: what a renewal looks like that is written file by file.
    half = OTHERS.secret(tmp_path / "half", "localhost")
    (tls.directory / "tls.crt").write_bytes((half / "tls.crt").read_bytes())
    with pytest.raises(ConfigError, match="cannot be used"):
        tls.renew()
    assert await served(listening, OURS) == "404", "what was shown before is shown on, whole"
    (tls.directory / "tls.key").write_bytes((half / "tls.key").read_bytes())
    assert tls.renew()
    assert await served(listening, OTHERS) == "404"
    assert await served(listening, OURS) == "not believed"


async def test_an_authority_that_is_taken_out_is_believed_no_more(start: Start, tls: Tls, tmp_path: Path) -> None:
    secret = OURS.secret(tmp_path / "worker", worker_name("ns"))
    worker = start(**environment(secret))
    async with sending(SIGNER, tls=tls) as operator:
        seen = dispatch.worker(worker._port)
        OTHERS.secret(tls.directory, "localhost")
        assert tls.renew()
        assert isinstance(await operator.execute(dispatch.run("noop"), seen), runs.Refused)


async def test_a_worker_that_is_told_to_asks_for_the_operators_certificate_and_probes_need_none(
    start: Start, tls: Tls, tmp_path: Path
) -> None:
    secret = OURS.secret(tmp_path / "worker", worker_name("ns"))
    strangers = {
        "another name": Tls.read(OURS.secret(tmp_path / "a", "elsewhere"), own_name="localhost"),
        "another authority": _believing(
            OURS, Tls.read(OTHERS.secret(tmp_path / "b", "localhost"), own_name="localhost")
        ),
    }
    for number, (name, expected) in enumerate((("localhost", "Finished"), ("operator.svc", "Refused"))):
        state = str(tmp_path / f"state-{number}")
        asked = {"WARMWORKER_STATE_DIR": state, "WARMWORKER_TLS_CLIENT_NAME": name, **environment(secret)}
        worker = start(**asked)
        async with sending(SIGNER, tls=tls) as operator:
            event = await operator.execute(dispatch.run("noop"), dispatch.worker(worker._port))
            assert type(event).__name__ == expected
        if expected == "Finished":
            for what, stranger in strangers.items():
                async with sending(SIGNER, tls=stranger) as operator:
                    event = await operator.execute(dispatch.run("noop"), dispatch.worker(worker._port))
                    assert isinstance(event, runs.Refused | runs.NoAnswer), what
            context = ssl.create_default_context(cadata=OURS.pem().decode())
            context.check_hostname = False
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
                for path, status in (("/readyz", 200), ("/livez", 200), ("/api/task/runs", 401)):
                    async with session.get(f"https://127.0.0.1:{worker._port}{path}") as answer:
                        assert answer.status == status, path
        worker.terminate()


def _believing(authority: Authority, shown: Tls) -> Tls:
    """Shows its own certificate, and believes this authority: who means harm does not mind whom it talks to."""
    shown.client().load_verify_locations(cadata=authority.pem().decode())
    return shown


def test_the_setting_at_fault_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^WARMCRON_CALLBACK_URL: with WARMCRON_TLS_DIR it has to be https"):
        config.Settings(tls_dir=tmp_path).tls()
    with pytest.raises(ConfigError, match=r"^WARMCRON_TLS_DIR: TLS file .*tls\.crt cannot be read"):
        config.Settings(tls_dir=tmp_path, callback_url="https://x").tls()
    assert config.Settings().tls() is None
