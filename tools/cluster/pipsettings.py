"""Finds the pip settings that a build in a container needs too; it writes them nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Where Debian's and Python's base images keep the certificates that pip is pointed to.
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
# Settings that say which index to ask, and how; all others are this machine's own business.
WANTED = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")


@dataclass(frozen=True, slots=True)
class PipSettings:
    """The settings to carry over, and the certificates to trust."""

    options: Mapping[str, str]
    certificates: bytes | None

    @property
    def are_plain(self) -> bool:
        """Says whether a container reaches the index without anything carried over."""
        return not self.options and self.certificates is None

    def config(self) -> str:
        """Returns the text of a pip.conf."""
        lines = ["[global]", *(f"{name} = {value}" for name, value in sorted(self.options.items()))]
        if self.certificates is not None:
            lines.append(f"cert = {CA_FILE}")
        return "\n".join(lines) + "\n"


def parse_listing(text: str) -> dict[str, str]:
    """Reads the global settings from `pip config list`, whose values are Python literals."""
    found = {}
    for name, value in re.findall(r"^global\.([\w-]+)=(.*)$", text, re.MULTILINE):
        try:
            found[name] = str(ast.literal_eval(value))
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def from_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Reads the settings that are given as PIP_SOMETHING."""
    return {name[4:].lower().replace("_", "-"): value for name, value in env.items() if name.startswith("PIP_")}


def settings(listing: str, env: Mapping[str, str]) -> PipSettings:
    """Puts the two together as pip does: the environment wins."""
    every = {**parse_listing(listing), **from_environment(env)}
    options = {name: " ".join(every[name].split()) for name in WANTED if every.get(name)}
    certificate = every.get("cert") or env.get("SSL_CERT_FILE")
    path = Path(certificate) if certificate else None
    return PipSettings(options, path.read_bytes() if path and path.is_file() else None)
