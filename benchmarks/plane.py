"""A real control plane on loopback: etcd, kube-apiserver and, for CronJob, kube-controller-manager."""

import asyncio
import base64
import secrets
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks import processes
from benchmarks.api import Api
from benchmarks.processes import Child, StartError

REPOSITORY: Final = Path(__file__).resolve().parents[1]
CRD: Final = REPOSITORY / "crds" / "scheduledtasks.warmcron.dev.yaml"
ETCD: Final = "http://127.0.0.1:2379"
SERVER: Final = "https://127.0.0.1:6443"
START_SECONDS: Final = 120.0


def binaries() -> Path:
    """Where tools/cluster keeps the programs that it has built."""
    sys.path.insert(0, str(REPOSITORY / "tools"))
    from cluster import paths  # noqa: PLC0415 - the folder is no package of ours

    found = paths.here().binaries
    if not (found / "kube-apiserver").exists():
        raise StartError("kube-apiserver is not built. Run `make cluster` once, or `python tools/cluster tools`.")
    return found


@dataclass(slots=True)
class Plane:
    """The running control plane.

    Attributes:
        folder: data, keys and logs of this run.
        kubeconfig: how to reach it as its administrator.
    """

    folder: Path
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    children: dict[str, Child] = field(default_factory=dict)

    @property
    def kubeconfig(self) -> Path:
        """How to reach it as its administrator."""
        return self.folder / "kubeconfig"

    @property
    def logs(self) -> Path:
        """Where every program of this run writes its log."""
        return self.folder / "logs"

    async def start(self) -> Api:
        """Starts etcd and the API server and applies the CRD."""
        self.logs.mkdir(parents=True, exist_ok=True)
        programs = binaries()
        self._keys()
        self.children["etcd"] = processes.start("etcd", self._etcd(programs), logs=self.logs)
        await self._wait(f"{ETCD}/health", ssl_context=None, name="etcd")
        self.children["apiserver"] = processes.start("apiserver", self._apiserver(programs), logs=self.logs)
        certificate = self.folder / "certs" / "apiserver.crt"
        end = asyncio.get_running_loop().time() + START_SECONDS
        while not certificate.exists() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.1)
        context = ssl.create_default_context(cafile=str(certificate))
        await self._wait(f"{SERVER}/readyz", ssl_context=context, name="apiserver")
        self._write_kubeconfig(certificate)
        api = Api(SERVER, token=self.token, context=context)
        await api.establish(yaml.safe_load(CRD.read_text()))
        return api

    def start_controllers(self, *, name: str, flags: tuple[str, ...] = ()) -> Child:
        """Starts the controllers that CronJob needs, under a name of their own; the caller stops them."""
        command = [
            str(binaries() / "kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig}",
            "--controllers=cronjob-controller,job-controller",
            "--leader-elect=false",
            "--secure-port=10257",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'kcm'}",
            *flags,
        ]
        return processes.start(name, command, logs=self.logs)

    async def stop(self) -> None:
        """Stops everything."""
        for child in reversed(self.children.values()):
            await child.stop()

    def _etcd(self, programs: Path) -> list[str]:
        return [
            str(programs / "etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--log-level=warn",
            "--quota-backend-bytes=8000000000",
        ]

    def _apiserver(self, programs: Path) -> list[str]:
        key = self.folder / "service-account.key"
        return [
            str(programs / "kube-apiserver"),
            f"--etcd-servers={ETCD}",
            "--secure-port=6443",
            "--bind-address=127.0.0.1",
            "--advertise-address=10.99.255.1",
            f"--cert-dir={self.folder / 'certs'}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.98.0.0/24",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=AlwaysAllow",
            # No controller makes service accounts here, and a Pod of a Job must be admitted without one.
            "--disable-admission-plugins=ServiceAccount",
        ]

    def _keys(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        (self.folder / "service-account.key").write_bytes(pem)
        (self.folder / "tokens.csv").write_text(f"{self.token},admin,admin,system:masters\n")

    def _write_kubeconfig(self, certificate: Path) -> None:
        authority = base64.b64encode(certificate.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "b", "cluster": {"server": SERVER, "certificate-authority-data": authority}}],
            "users": [{"name": "b", "user": {"token": self.token}}],
            "contexts": [{"name": "b", "context": {"cluster": "b", "user": "b"}}],
            "current-context": "b",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    async def _wait(self, url: str, *, ssl_context: ssl.SSLContext | None, name: str) -> None:
        end = asyncio.get_running_loop().time() + START_SECONDS
        headers = {"authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            while asyncio.get_running_loop().time() < end and self.children[name].alive():
                try:
                    async with session.get(url, ssl=ssl_context or False) as answer:
                        if answer.status == 200:  # noqa: PLR2004
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.2)
        raise StartError(f"{name} does not answer:\n{self.children[name].tail()}")
