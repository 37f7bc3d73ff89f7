"""What the figures were measured on, and what else was going on there."""

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from warmcron import __version__


def describe() -> dict[str, Any]:
    """The machine, as far as it matters."""
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpus": os.cpu_count(),
        "cpu_model": _cpu_model(),
        "memory_gib": round(int(memory.split()[1]) / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "uvloop": metadata.version("uvloop"),
        "warmcron": __version__,
        "load_average": load(),
        "loop_of_10_million_s": _loop(),
    }


def load() -> list[float]:
    """How many processes wanted a core in the last 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def _loop() -> float:
    """CPU seconds of ten million empty steps: how fast one core runs Python here."""
    began = time.process_time()
    for _ in range(10_000_000):
        pass
    return round(time.process_time() - began, 2)
