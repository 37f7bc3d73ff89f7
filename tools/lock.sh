#!/usr/bin/env sh
# Rewrites requirements/*.lock: every distribution pinned with its hashes, and no index URL in any of them.
set -eu
cd "$(dirname "$0")/.."
compile() { # compile OUTPUT ARG...
    output=$1; shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-header --no-annotate --output-file "requirements/$output" "$@"
}
worker=worker_image/pyproject.toml
# editables is what hatchling builds an editable install with.
printf "hatchling\neditables\n" | compile build.lock -
# One resolution for everything, so that what is tested is what the images hold.
compile dev.lock pyproject.toml "$worker" requirements/build.lock --group dev
# The site generator: its script and style are in its wheel, and 0.1 needs a part that is in no index yet.
printf "zensical==0.0.73\n" | compile docs.lock - --constraint requirements/dev.lock
# The image can export traces.
compile operator.lock pyproject.toml --extra otel --constraint requirements/dev.lock
compile worker.lock "$worker" --constraint requirements/dev.lock
# The scanners of `make gates` have an environment of their own: they pin what we do not.
printf "checkov>=3.3\nhadolint-bin>=2.15\nsemgrep>=1.182\nshellcheck-py>=0.11\n" | compile gates.lock -
