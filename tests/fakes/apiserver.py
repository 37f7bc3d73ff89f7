"""A real kube-apiserver with its etcd, on free ports of loopback: what no fake says about rules, patches and rights."""

import base64
import contextlib
import http.client
import json
import os
import secrets
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cluster import paths
from fakes.waiting import free_ports

CRD = Path(__file__).parents[2] / "crds" / "scheduledtasks.warmcron.dev.yaml"
SERVED = "/apis/warmcron.dev/v1alpha1/scheduledtasks"
START_SECONDS = 180.0


@dataclass
class ApiServer:
    """A server that runs; `folder` has its kubeconfig, keys, data and logs."""

    port: int
    token: str
    certificate: Path
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def ask(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> tuple[int, Any]:
        """One request, whose body is of this kind: status and answer."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=60)
        headers = {"authorization": f"Bearer {self.token}", "content-type": kind}
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            content = answer.read()
        return answer.status, json.loads(content) if content.startswith(b"{") else content.decode()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """Starts both, applies the CRD, stops both. Skips where the programs are not built; in CI that is a failure."""
    programs = paths.here().binaries
    if not (programs / "kube-apiserver").exists():
        message = "NO API SERVER: kube-apiserver is not built. Run `make cluster` or `python tools/cluster tools`."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    token, (client, peer, port) = secrets.token_hex(16), free_ports(3)
    _keys(folder, token)
    with contextlib.ExitStack() as stack:
        etcd = f"http://127.0.0.1:{client}"
        stack.enter_context(_process(folder, "etcd", _etcd(programs, folder, etcd, f"http://127.0.0.1:{peer}")))
        process = stack.enter_context(_process(folder, "kube-apiserver", _apiserver(programs, folder, etcd, port)))
        server = ApiServer(port, token, folder / "certs" / "apiserver.crt", folder)
        _until_ready(server, process)
        _write_kubeconfig(server)
        _apply_crd(server)
        yield server


def _etcd(programs: Path, folder: Path, client: str, peer: str) -> list[str]:
    return [
        str(programs / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=error",
    ]


def _apiserver(programs: Path, folder: Path, etcd: str, port: int) -> list[str]:
    return [
        str(programs / "kube-apiserver"),
        f"--etcd-servers={etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=10.99.255.1",  # never dialled; loopback is not allowed here
        f"--cert-dir={folder / 'certs'}",
        f"--service-account-key-file={folder / 'service-account.key'}",
        f"--service-account-signing-key-file={folder / 'service-account.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.98.0.0/24",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",  # nobody makes service accounts here
        "--endpoint-reconciler-type=none",
    ]


@contextlib.contextmanager
def _process(folder: Path, name: str, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_ready(server: ApiServer, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            if server.certificate.exists() and server.ask("GET", "/readyz")[0] == 200:
                return
        time.sleep(0.2)
    raise AssertionError((server.folder / "kube-apiserver.log").read_text()[-3000:])


def _apply_crd(server: ApiServer) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    crd = yaml.safe_load(CRD.read_text())
    status, answer = server.ask("POST", path, crd)
    assert status == 201, answer
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        status, found = server.ask("GET", f"{path}/{crd['metadata']['name']}")
        kinds = [one["type"] for one in found.get("status", {}).get("conditions") or [] if one["status"] == "True"]
        if status == 200 and "Established" in kinds and server.ask("GET", SERVED)[0] == 200:
            return
        time.sleep(0.2)
    raise AssertionError("the CRD is not served")


def _keys(folder: Path, token: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (folder / "service-account.key").write_bytes(pem)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\nnobody-token,nobody,nobody\n")


def _write_kubeconfig(server: ApiServer) -> None:
    authority = base64.b64encode(server.certificate.read_bytes()).decode()
    address = f"https://127.0.0.1:{server.port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": address, "certificate-authority-data": authority}}],
        "users": [
            {"name": "admin", "user": {"token": server.token}},
            {"name": "nobody", "user": {"token": "nobody-token"}},
        ],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": name}} for name in ("admin", "nobody")],
        "current-context": "admin",
    }
    server.kubeconfig.write_text(yaml.safe_dump(config))
