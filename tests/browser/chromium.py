"""Finds Chromium, and installs it where the tests may: on Debian, as root."""

import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-noto-cjk")


def found() -> str:
    """The program's path; empty if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


def ensured() -> str:
    """The program's path, installed first if it is missing and can be; empty if it cannot."""
    if not found() and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (("update", "-q"), ("install", "-qy", "--no-install-recommends", *PACKAGES)):
            subprocess.run(("apt-get", *command), env=environment, check=False, capture_output=True, timeout=900)
    return found()


def options() -> list[str]:
    """Chromium's sandbox wants a user of its own, which root is not."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


def axe() -> str:
    """The source of axe-core."""
    return (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
