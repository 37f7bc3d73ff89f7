# Each command does its own set-up: nothing has to be installed first but Python 3.11+ and make.
.DEFAULT_GOAL := help
.PHONY: help setup run run-operator test check gates unit e2e cluster cluster-down images bench bench-quick generate docs lock clean
PY := .venv/bin

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

setup: ## make .venv with everything that development needs
	@tools/setup.sh dev

run: ## run the embedded mode, without a cluster: ARGS="examples/python-worker" names tasks of your own
	@tools/setup.sh run && exec $(PY)/warmcron dev $(ARGS)

run-operator: setup ## run the operator against the cluster that the kubeconfig names
	@WARMCRON_LOG_FORMAT=$${WARMCRON_LOG_FORMAT:-console} $(PY)/python -m warmcron

test: check gates ## check and test everything, on a kind cluster too
	@tools/test.sh

check: setup ## lint, types, layers, and whether generated files are fresh
	@$(PY)/ruff check .
	@$(PY)/ruff format --check .
	@$(PY)/mypy
	@$(PY)/lint-imports
	@$(PY)/python -m warmcron.spec.crd | diff -u crds/scheduledtasks.warmcron.dev.yaml - || \
		{ echo "crds/ is stale: run make generate"; exit 1; }
	@$(PY)/python tools/reference.py --check

gates: setup ## look for what is insecure: bandit, semgrep with our rules, hadolint, shellcheck, checkov on the rendered chart
	@$(PY)/python tools/gates.py

unit: setup ## the tests that need no cluster
	@$(PY)/pytest tests/unit tests/contract

e2e: setup ## the tests on the kind cluster, which is made if it is not there and stays
	@KEEP_CLUSTER=1 tools/test.sh tests/e2e

cluster: setup ## a kind cluster with the images of this checkout
	@$(PY)/python tools/cluster up && $(PY)/python tools/cluster images

cluster-down: setup ## delete the cluster, and stop the Docker engine if `make cluster` started it
	@$(PY)/python tools/cluster down --all

images: setup ## build the images, and load them into the cluster
	@$(PY)/python tools/cluster images

bench: setup ## measure everything, beside CronJob and APScheduler (an hour and a half; README's table comes from it)
	@$(PY)/python -m benchmarks all
	@$(PY)/python -m benchmarks kind

bench-quick: setup ## the short run: nothing lost, doubled or early (under five minutes)
	@$(PY)/python -m benchmarks quick

generate: setup ## write again what is generated from code: crds/, the chart's copy, the chart's README, docs/reference
	@$(PY)/python -m warmcron.spec.crd > crds/scheduledtasks.warmcron.dev.yaml
	@cp crds/scheduledtasks.warmcron.dev.yaml charts/warmcron/files/
	@$(PY)/python tests/contract/chart_readme.py
	@$(PY)/python tools/reference.py

docs: ## build the documentation's site into build/site
	@tools/setup.sh docs && $(PY)/python tools/docsite.py

lock: ## resolve requirements/*.lock anew (needs uv)
	@tools/lock.sh

clean: ## remove what the commands above made in this folder
	@rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .warmcron dist build
