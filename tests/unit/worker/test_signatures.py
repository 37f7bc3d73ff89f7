"""Who gets through the gate: the operator, with what was meant for this pod and this call. Each row is one attack."""

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from unit.worker.harness import KEYS, OPERATOR_KEY, ROOT, Start, Worker, order, public, sign
from warmworker import keys, settings, signatures
from warmworker.errors import BadSetting
from warmworker.signatures import Fixed, Gate, Watched

NOW = 1_700_000_000.0
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BODY = b'{"runId":"run-a"}'
GOOD = sign("execute:uid-a:run-a:1", BODY, at=NOW)
GATE = Gate(Fixed((OPERATOR_KEY.public_key(),)), pod_uid="uid-a")


def status(headers: dict[str, str], *, gate: Gate = GATE, operation: str = "execute", **given: Any) -> int:
    call = {"run_id": None, "body": BODY, "now": NOW} | given
    found = gate.check(operation, call.pop("run_id"), headers=headers, **call)
    return found.status if found else 200


@pytest.mark.parametrize(
    ("headers", "given", "expected"),
    [
        (GOOD, {}, 200),
        # Not signed, or not by the operator.
        ({}, {}, 401),
        ({**GOOD, "webhook-signature": ""}, {}, 401),
        ({key: GOOD[key] for key in ("webhook-timestamp", "webhook-signature")}, {}, 401),
        ({key: GOOD[key] for key in ("webhook-id", "webhook-signature")}, {}, 401),
        (sign("execute:uid-a:run-a:1", BODY, at=NOW, key=OTHER_KEY), {}, 401),
        # A signature by shared secret (`v1`) proves nothing to who holds public keys.
        ({**GOOD, "webhook-signature": GOOD["webhook-signature"].replace("v1a,", "v1,")}, {}, 401),
        ({**GOOD, "webhook-signature": "v1a,"}, {}, 401),
        ({**GOOD, "webhook-signature": "v1a,AAAA"}, {}, 401),
        ({**GOOD, "webhook-signature": "v1a,é"}, {}, 401),
        # Something that is covered was changed.
        (GOOD, {"body": BODY + b" "}, 401),
        ({**GOOD, "webhook-id": "execute:uid-a:run-b:1"}, {}, 401),
        ({**GOOD, "webhook-timestamp": str(int(NOW) + 1)}, {}, 401),
        # Too old and too new; the edges are good.
        (GOOD, {"now": NOW + 300}, 200),
        (GOOD, {"now": NOW + 301}, 401),
        (GOOD, {"now": NOW - 300}, 200),
        (GOOD, {"now": NOW - 301}, 401),
        *(({**GOOD, "webhook-timestamp": text}, {}, 401) for text in ("now", "-1", "1e9", "٣", "9" * 400, " 1")),
        # Stolen: meant for another pod, another call, another run.
        (sign("execute:uid-b:run-a:1", BODY, at=NOW), {}, 421),
        (sign("execute::run-a:1", BODY, at=NOW), {}, 421),
        (GOOD, {"operation": "fence"}, 401),
        (GOOD, {"operation": "cancel", "run_id": "run-a"}, 401),
        (sign("cancel:uid-a:run-b:1", b"", at=NOW), {"operation": "cancel", "run_id": "run-a", "body": b""}, 401),
        (sign("cancel:uid-a:run-a:1", b"", at=NOW), {"operation": "cancel", "run_id": "run-a", "body": b""}, 200),
        # The operator's signature under an id of another product.
        (sign("msg_1", BODY, at=NOW), {}, 401),
    ],
)
def test_each_request_is_let_in_or_refused(headers: dict[str, str], given: dict[str, Any], expected: int) -> None:
    assert status(headers, **given) == expected


def test_one_good_signature_among_others_is_enough() -> None:
    old = sign("execute:uid-a:run-a:1", BODY, at=NOW, key=OTHER_KEY)["webhook-signature"]
    both = {**GOOD, "webhook-signature": f"v1,abc {old} {GOOD['webhook-signature']}"}
    assert status(both) == 200
    late = {**GOOD, "webhook-signature": " ".join([old] * signatures.MAX_SIGNATURES + [GOOD["webhook-signature"]])}
    assert status(late) == 401, "nobody makes a worker check any number of signatures"


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text()), st.binary())
def test_whatever_comes_is_refused_and_raises_nothing(headers: dict[str, str], body: bytes) -> None:
    assert status({**GOOD, **headers}, body=body) in ({401} if body != BODY or headers else {200})


def test_refusals_are_logged_now_and_then_not_each(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(Fixed((OPERATOR_KEY.public_key(),)), pod_uid="uid-a")
    for _ in range(100):
        assert status({}, gate=gate) == 401
    assert len(caplog.records) == 1


# ---- keys as people write them -------------------------------------------------------------------------------


def test_keys_are_read_in_every_way_they_are_written() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - this test's own

    pem = OTHER_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    one, two = public(OPERATOR_KEY), public(OTHER_KEY)
    assert keys.parse(f"# now\n{one}\n\n  # next\n{pem}", name="x") == (
        OTHER_KEY.public_key(),
        OPERATOR_KEY.public_key(),
    )
    for text in (f"{one},{two}", f"{one} {two}\n", f" {one} ,\n {two}"):
        assert keys.parse(text, name="x") == (OPERATOR_KEY.public_key(), OTHER_KEY.public_key())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds 0 public keys"),
        ("# only a comment", "holds 0 public keys"),
        ("\n".join([public(OPERATOR_KEY)] * 5), "holds 5 public keys"),
        ("whpk_AAAA", "is no public key"),
        ("whpk_%%%", "is no public key"),
        (public(OPERATOR_KEY).removeprefix("whpk_"), "is no public key"),
        ("whsk_" + "A" * 43 + "=", "holds a private key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "holds a private key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no Ed25519 public key"),
    ],
)
def test_what_is_no_key_is_named(text: str, message: str) -> None:
    with pytest.raises(BadSetting, match=message) as caught:
        keys.parse(text, name="WARMWORKER_PUBLIC_KEYS")
    assert "AAAAAAAAAA" not in str(caught.value)


def test_a_file_of_keys_is_read_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "LOOK_SECONDS", -1.0)
    file = tmp_path / "keys"
    file.write_text(public(OPERATOR_KEY))
    watched = Watched(file)
    gate = Gate(watched, pod_uid="uid-a")
    assert status(GOOD, gate=gate) == 200

    def replace(text: str) -> None:
        new = tmp_path / "new"
        new.write_text(text)
        new.replace(file)

    replace("# nothing")
    assert status(GOOD, gate=gate) == 200, "an edit that cannot be used changes nothing"
    replace(public(OTHER_KEY))
    assert status(GOOD, gate=gate) == 401, "a key that was taken out is good no longer"
    file.unlink()
    assert watched.current() == (OTHER_KEY.public_key(),)
    replace(f"{public(OTHER_KEY)} {public(OPERATOR_KEY)}")
    assert status(GOOD, gate=gate) == 200


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "No public key is set, so nobody could be believed"),
        ({"WARMWORKER_INSECURE_ACCEPT_UNSIGNED": "false"}, "No public key is set"),
        ({"WARMWORKER_INSECURE_ACCEPT_UNSIGNED": "1"}, "WARMWORKER_INSECURE_ACCEPT_UNSIGNED is '1'"),
        (
            {"WARMWORKER_INSECURE_ACCEPT_UNSIGNED": "true", "WARMWORKER_PUBLIC_KEYS": public(OPERATOR_KEY)},
            "is set beside public keys",
        ),
        ({"WARMWORKER_PUBLIC_KEYS": public(OPERATOR_KEY), "WARMWORKER_PUBLIC_KEYS_FILE": "x"}, "are both set"),
        ({"WARMWORKER_PUBLIC_KEYS": public(OPERATOR_KEY)}, "POD_UID is not set"),
        ({"WARMWORKER_PUBLIC_KEYS_FILE": "/nowhere/keys", "POD_UID": "u"}, "/nowhere/keys cannot be read"),
    ],
)
def test_a_worker_that_could_not_tell_who_is_who_does_not_start(environment: dict[str, str], message: str) -> None:
    with pytest.raises(BadSetting, match=message):
        settings.read(environment)


def test_the_unsafe_option_is_taken_from_the_command_line_too() -> None:
    assert settings.read({}, insecure_accept_unsigned="true").keyring is None


# ---- a real worker -------------------------------------------------------------------------------------------

ROUTES = [
    ("POST", "/api/task/execute"),
    ("GET", "/api/task/runs"),
    ("GET", "/api/task/runs/a"),
    ("PUT", "/api/task/runs/a/fence"),
    ("POST", "/api/task/runs/a/cancel"),
    ("GET", "/api/task/handlers"),
]


def test_no_route_but_the_probes_answers_who_has_not_signed(worker: Worker) -> None:
    from warmworker import demo, server  # noqa: F401, PLC0415 - the handlers register themselves

    app = server.app(settings.Settings(keyring=None))
    walked = [(min(route.methods - {"HEAD"}), route.path) for route in app._starlette.routes]  # type: ignore[attr-defined]
    assert {(method, path.replace("{run_id}", "a")) for method, path in walked} == {
        *ROUTES,
        ("GET", "/readyz"),
        ("GET", "/livez"),
    }, "a new route is a new row above"
    garbage = {
        "authorization": "Bearer nothing",
        "webhook-id": "x",
        "webhook-timestamp": "1",
        "webhook-signature": "v1a,x",
    }
    for method, path in ROUTES:
        for headers in ({}, garbage):
            answer = worker.ask(method, path, b"{}", headers)
            assert (answer.status, answer.body["type"]) == (401, "urn:warmcron:problem:bad-signature"), path
    for path in ("/readyz", "/livez"):
        assert worker.ask("GET", path, b"", {}).status == 200


def test_nothing_of_a_refused_request_is_kept_and_a_copy_starts_nothing(worker: Worker) -> None:
    body = order("hello")
    assert worker.ask("POST", "/api/task/execute", b'{"epoch":9007199254740991}', {}).status == 401
    assert worker.execute(body).status == 200
    assert worker.execute(body).status == 409, "the same bytes again: the run is here already"
    for headers in (sign(f"cancel:uid-a:{body['runId']}:1", b"{}", at=time.time() - 400), {}):
        assert worker.ask("POST", f"/api/task/runs/{body['runId']}/cancel", b"{}", headers).status == 401


def test_a_cancel_of_an_earlier_attempt_or_of_a_leader_of_the_past_stops_nothing(worker: Worker) -> None:
    body = order("sleep", {"seconds": 60}, attempt=2, epoch=3)
    path = f"/api/task/runs/{body['runId']}/cancel"
    assert worker.execute(body, wait=0).status == 202
    assert worker.call("POST", path, {"attempt": 1, "epoch": 3}).status == 200
    assert worker.call("POST", path, {"attempt": 2, "epoch": 2}).status == 412
    assert worker.run(body)["state"] == "Running"
    assert worker.call("POST", path, {"attempt": 2, "epoch": 3}).status == 202
    assert worker.ended(body)["state"] == "Cancelled"


def test_without_a_key_the_process_ends_and_says_why(start: Start) -> None:
    worker = start(listening=False, WARMWORKER_PUBLIC_KEYS="")
    assert worker.exit_code() == 2
    assert "No public key is set" in worker.log
    assert worker.log.count("\n") == 1


def test_who_says_so_gets_a_worker_that_takes_anything_and_warns(start: Start) -> None:
    worker = start(WARMWORKER_INSECURE_ACCEPT_UNSIGNED="true", POD_UID="")
    worker.has_said("INSECURE: whoever reaches this port may start runs here")
    assert worker.ask("GET", "/api/task/runs", b"", {}).status == 200


def test_the_names_of_the_settings_are_those_of_the_readme() -> None:
    text = (ROOT / "worker_image" / "README.md").read_text()
    assert all(f"`{name}`" in text for name in KEYS)
