"""The kubeconfig of whoever typed the command, read as kubectl reads it: contexts, certificates, tokens, exec plugins.

The `kubernetes` package would do it in 72 MiB and half a second; kopf's own reader knows no contexts and no plugins.
"""

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import kopf
import yaml

from warmcron.errors import UsageError

Json = dict[str, Any]

EXEC_SECONDS: Final = 60
DEFAULT: Final = Path("~/.kube/config")


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a cluster, and the namespace that its context names."""

    connection: kopf.ConnectionInfo
    namespace: str


def load(path: Path | None, context: str | None) -> Access:
    """Reads the kubeconfig; raises UsageError that says what is missing and where it was looked for."""
    paths = _paths(path)
    merged = _merge(paths)
    place = ":".join(map(str, paths))
    name = context or merged["current"]
    if not name:
        raise UsageError(f"{place}: no current-context; choose one with --context")
    found = _named(merged, "contexts", name, place)
    cluster = _named(merged, "clusters", str(found.get("cluster")), place)
    user = _named(merged, "users", str(found["user"]), place) if found.get("user") else {}
    server = cluster.get("server")
    if not isinstance(server, str) or not server:
        raise UsageError(f"{place}: the cluster of context {name!r} has no server")
    try:
        connection = kopf.ConnectionInfo(server=server, **_trust(cluster), **_identity(user))
        connection.as_ssl_context()
    except (ValueError, OSError) as error:
        raise UsageError(f"{place}: context {name!r} cannot be used: {error}") from None
    return Access(connection, str(found.get("namespace") or "default"))


def _paths(path: Path | None) -> list[Path]:
    if path is not None:
        return [path]
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return listed or [DEFAULT.expanduser()]


def _merge(paths: list[Path]) -> Json:
    """Several files as kubectl merges them: of a name that is there twice, the first counts."""
    merged: Json = {"current": "", "contexts": {}, "clusters": {}, "users": {}}
    existing = [path for path in paths if path.exists()]
    if not existing:
        raise UsageError(
            f"no cluster: {', '.join(map(str, paths))} is not there; name a kubeconfig with --kubeconfig, "
            "or run `warmcron dev` for one without a cluster"
        )
    for path in existing:
        try:
            read = yaml.safe_load(path.read_text("utf-8")) or {}
            merged["current"] = merged["current"] or read.get("current-context") or ""
            for kind, inner in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
                for item in read.get(kind) or []:
                    merged[kind].setdefault(item["name"], _absolute(dict(item.get(inner) or {}), path.parent))
        except (OSError, ValueError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise UsageError(f"{path}: not a kubeconfig: {str(error).splitlines()[0]}") from None
    return merged


def _absolute(found: Json, folder: Path) -> Json:
    """Files are named relative to the kubeconfig that names them."""
    for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
        if found.get(key):
            found[key] = str(folder / found[key])
    return found


def _named(merged: Json, kind: str, name: str, place: str) -> Json:
    if name not in merged[kind]:
        known = ", ".join(sorted(merged[kind])) or "none"
        raise UsageError(f"{place}: no {kind.removesuffix('s')} {name!r}; known are {known}")
    return dict(merged[kind][name])


def _trust(cluster: Json) -> Json:
    return {
        "ca_path": cluster.get("certificate-authority"),
        "ca_data": cluster.get("certificate-authority-data"),
        "insecure": cluster.get("insecure-skip-tls-verify"),
        "proxy_url": cluster.get("proxy-url"),
    }


def _identity(user: Json) -> Json:
    if user.get("exec"):
        user = {**user, **_ask_plugin(user["exec"])}
    token = user.get("token")
    if user.get("tokenFile"):
        token = Path(user["tokenFile"]).read_text("utf-8").strip()
    return {
        "token": token,
        "username": user.get("username"),
        "password": user.get("password"),
        "certificate_path": user.get("client-certificate"),
        "certificate_data": user.get("client-certificate-data"),
        "private_key_path": user.get("client-key"),
        "private_key_data": user.get("client-key-data"),
    }


def _ask_plugin(plugin: Json) -> Json:
    """Credentials from the program that the kubeconfig names, as clouds have it."""
    command = [str(plugin.get("command")), *map(str, plugin.get("args") or [])]
    info = {"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": {"interactive": False}}
    environment = {str(pair["name"]): str(pair["value"]) for pair in plugin.get("env") or []}
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(info)
    try:
        done = subprocess.run(  # noqa: S603 - the user's own kubeconfig names it
            command, env={**os.environ, **environment}, capture_output=True, timeout=EXEC_SECONDS, check=True, text=True
        )
        status = json.loads(done.stdout)["status"]
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ValueError(f"{command[0]} failed: {said}") from None
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{command[0]} gave no credentials: {error}") from None
    found = {"token": status.get("token")}
    for key, name in (("client-certificate-data", "clientCertificateData"), ("client-key-data", "clientKeyData")):
        if status.get(name):
            found[key] = base64.b64encode(str(status[name]).encode()).decode()
    return found
