#!/usr/bin/env sh
# `make test`: everything, on a cluster that is made for it unless one is there; what this starts it stops.
set -eu
cd "$(dirname "$0")/.."
cluster() { .venv/bin/python tools/cluster "$@"; }
say() { echo "test: $*" >&2; }

state=$(cluster status)
has() { echo "$state" | .venv/bin/python -c "import json, sys; sys.exit(not json.load(sys.stdin)$1)"; }
if has '["cluster"]["healthy"]'; then
    say "the cluster that is there is used, and stays"
elif [ "${KEEP_CLUSTER:-}" = 1 ]; then
    say "the cluster stays when the tests are over (KEEP_CLUSTER=1)"
else
    everything=--all
    has '["engine"]["up"]' && everything=
    trap 'say "stopping what was started for the tests"; cluster down $everything' EXIT
fi
trap 'exit 130' INT TERM

if cluster up && cluster images && WARMCRON_TOOLS=$(cluster tools); then
    export WARMCRON_TOOLS WARMCRON_E2E_READY=1
elif [ "${CI:-}" = true ]; then
    say "no cluster: the tests on one would not run, and in CI that is a failure"
    exit 1
else
    say "======================================================================================"
    say "NO CLUSTER: NOTHING IS TESTED ON KUBERNETES. The lines above say why."
    say "======================================================================================"
fi
.venv/bin/pytest "$@"
