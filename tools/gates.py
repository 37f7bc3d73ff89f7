"""Looks for what is insecure in code, images and the rendered chart (`make gates`). It changes nothing and asks nobody.

The scanners live in an environment of their own (requirements/gates.lock), which is made once and kept in the cache. A
program that is missing is an error, never a pass.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "gates.lock"
RULES = ROOT / "tools" / "semgrep" / "rules.yaml"
STAMP = ROOT / ".cache" / "gates.stamp"
CODE = ("operator", "worker_image", "charts/warmcron/files", "examples")
IMAGES = ("operator/Dockerfile", "worker_image/Dockerfile")
# What a shell reads; that of Python files is Python's.
SHELLS = ("#!/bin/sh", "#!/usr/bin/env sh", "#!/usr/bin/env bash")
INPUTS = (*CODE, "charts", "requirements", "tools/semgrep", "tools/gates.py", "tools/checkov.yaml", "pyproject.toml")
QUIET = ("--metrics=off", "--disable-version-check", "--quiet")


class FoundError(Exception):
    """A gate is shut; the message is what its scanner said."""


def run(*argv: str | Path, ok: tuple[int, ...] = (0,), **env: str) -> str:
    """Runs a program in the repository's root; raises FoundError with what it said."""
    done = subprocess.run(
        [str(word) for word in argv], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    if done.returncode not in ok:
        raise FoundError(f"{Path(argv[0]).name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def inputs() -> str:
    """A hash of everything that the gates look at: what has passed once passes again."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", *INPUTS).split("\n")
    total = hashlib.sha256()
    for name in sorted({*filter(None, listed), *scripts()}):
        if (ROOT / name).is_file():
            total.update(name.encode() + b"\0" + hashlib.sha256((ROOT / name).read_bytes()).digest())
    return total.hexdigest()


def scanners() -> Path:
    """The folder of the scanners' programs; they are installed where they are not yet."""
    cache = Path(os.environ.get("WARMCRON_CACHE") or Path.home() / ".cache" / "warmcron")
    place = cache / "gates" / hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    if not (place / "complete").exists():
        print("gates: installing the scanners (about two minutes, once)", file=sys.stderr)
        run(sys.executable, "-m", "venv", "--clear", place)
        run(place / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", LOCK)
        (place / "complete").touch()
    return place / "bin"


def helm() -> str:
    """A Helm to render the chart with; on a machine that has none it is built, as the tests would do a little later."""
    tools = json.loads(run(sys.executable, "tools/cluster", "status"))["paths"]["tools"]
    where = os.pathsep.join((os.environ.get("WARMCRON_TOOLS", ""), tools, os.environ["PATH"]))
    for name in ("helm4", "helm3", "helm"):
        if found := shutil.which(name, path=where):
            return found
    print("gates: no helm is here; building one, with kind and kubectl (some minutes, once)", file=sys.stderr)
    return str(Path(run(sys.executable, "tools/cluster", "tools").strip()) / "helm4")


def bandit(_: Path) -> None:
    """Known bad habits of Python code."""
    run(ROOT / ".venv" / "bin" / "bandit", "--quiet", "--recursive", "--configfile", "pyproject.toml", *CODE)


def hadolint(programs: Path) -> None:
    """Dockerfiles."""
    run(programs / "hadolint", "--failure-threshold", "info", *IMAGES)


def scripts() -> list[str]:
    """Every file in the repository that a shell runs, by its first line."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard").split("\n")
    found = []
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                first = file.readline(40).decode(errors="replace")
            if first.startswith(SHELLS):
                found.append(name)
    return sorted(found)


def shellcheck(programs: Path) -> None:
    """Shell scripts, wherever they lie."""
    run(programs / "shellcheck", "--severity", "style", *scripts())


def semgrep(programs: Path) -> None:
    """Our own rules, each of which must find its example before its silence counts."""
    rules = yaml.safe_load(RULES.read_text())["rules"]
    program = (programs / "semgrep", "scan", *QUIET, "--no-git-ignore")
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as scratch:
        for rule in rules:
            (Path(scratch) / f"{rule['id']}.py").write_text(rule["metadata"]["example"] + "\n")
        found = json.loads(run(*program, "--config", RULES, "--json", scratch, PATH=path))["results"]
    seen = {(Path(one["path"]).stem, one["check_id"].rsplit(".", 1)[-1]) for one in found}
    if blind := [rule["id"] for rule in rules if (rule["id"], rule["id"]) not in seen]:
        raise FoundError(f"these rules do not find their own example: {', '.join(blind)}")
    run(*program, "--config", RULES, "--error", *CODE, PATH=path)


def checkov(programs: Path) -> None:
    """The chart as it is rendered, and the Dockerfiles; tools/checkov.yaml says what is skipped, and why."""
    skips = yaml.safe_load((ROOT / "tools" / "checkov.yaml").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        for values in sorted((ROOT / "charts" / "warmcron" / "ci").glob("*-values.yaml")):
            flags = ("--namespace", "warmcron-system", "--kube-version", "1.37.0", "--values", values)
            text = run(helm(), "template", "warmcron", "charts/warmcron", *flags)
            (Path(scratch) / values.name).write_text(text)
        for name in IMAGES:
            shutil.copy(ROOT / name, Path(scratch) / f"{Path(name).parent.name}.Dockerfile")
        skipped = [word for check in skips for word in ("--skip-check", check)]
        text = run(
            programs / "checkov", "--directory", scratch, "--framework", "kubernetes", "dockerfile", "--skip-download",
            "--quiet", "--compact", "--output", "json", *skipped, ok=(0, 1),
        )  # fmt: skip
    parts = json.loads(text)
    parts = parts if isinstance(parts, list) else [parts]
    passed = sum(part["summary"]["passed"] for part in parts)
    failed = [one for part in parts for one in part["results"]["failed_checks"]]
    if not passed:
        raise FoundError(f"checkov has checked nothing:\n{text}")
    if failed:
        lines = sorted({f"{one['check_id']} {one['resource']}: {one['check_name']}" for one in failed})
        raise FoundError("checkov:\n" + "\n".join(lines))


def main() -> int:
    """Runs all gates, unless nothing that they look at has changed since they last passed."""
    now = inputs()
    if STAMP.exists() and STAMP.read_text() == now:
        print("gates: nothing has changed since they passed")
        return 0
    try:
        programs = scanners()
        for gate in (bandit, hadolint, shellcheck, semgrep, checkov):
            gate(programs)
            print(f"gates: {gate.__name__} has passed")
    except FoundError as error:
        print(f"gates: {error}", file=sys.stderr)
        return 1
    STAMP.parent.mkdir(exist_ok=True)
    STAMP.write_text(now)
    return 0


if __name__ == "__main__":
    sys.exit(main())
