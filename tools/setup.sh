#!/usr/bin/env sh
# Makes .venv from the hash-pinned lock, unless it is there already and the lock has not changed.
# usage: tools/setup.sh [run|dev|docs]   run: what the embedded mode needs; dev (default): everything that tests need;
#        docs: what builds the site
set -eu
cd "$(dirname "$0")/.."
say() { echo "setup: $*" >&2; }
kind=${1:-dev}
venv=.venv
case $kind in
    run) locks="requirements/build.lock requirements/operator.lock requirements/worker.lock" ;;
    dev) locks="requirements/dev.lock" ;;
    docs) locks="requirements/build.lock requirements/docs.lock" ;;
    *) say "expected run, dev or docs"; exit 2 ;;
esac

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
python=
for found in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if command -v "$found" >/dev/null && new_enough "$found"; then python=$found; break; fi
done
[ -n "$python" ] || { say "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python3"; exit 1; }

# The versions of everything that decides what is in the environment; the project itself is installed editable.
# shellcheck disable=SC2086 # several names, parted by spaces; none of ours holds one
wanted=$({ "$python" --version; pwd; cat $locks pyproject.toml worker_image/pyproject.toml; } | cksum)
holds() { [ "$(cat "$venv/.warmcron-$1" 2>/dev/null)" = "$wanted" ]; }
holds "$kind" && exit 0

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then # Debian ships it apart
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing python3-venv"
        apt-get update -q >/dev/null && apt-get install -qy python3-venv >/dev/null
    else
        say "Python's venv module is missing: install the package python3-venv"; exit 1
    fi
fi
say "installing into $venv what $kind needs (about half a minute)"
if [ ! -x "$venv/bin/python" ] || ! new_enough "$venv/bin/python"; then "$python" -m venv --clear "$venv"; fi
for lock in $locks; do
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock"
done
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e worker_image
echo "$wanted" >"$venv/.warmcron-$kind"
