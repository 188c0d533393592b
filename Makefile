# The work is in tools/*.py; this file names it. Every target sets the checkout up first, which takes no time once done.
.DEFAULT_GOAL := help
.PHONY: help setup sandbox test lint test-sanity test-molecule test-unit test-integration matrix chaos reliability \
	bench bench-many bench-cleaner demo build galaxy docs clean

# The first interpreter that really starts: a version manager's shim may exist for a version that it refuses to run.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
PY := .venv/bin/python
CHECK := $(PY) tools/check.py

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## .venv with pinned packages, .cache/tree with the collections (quick when nothing changed)
	@test -n "$(PYTHON)" || { echo "make setup needs Python 3.11 or newer with venv; name one: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) tools/setup.py

demo: setup ## break a service in the sandbox with stale locks, unlock it, show that it is healthy
	@$(PY) tools/demo.py

sandbox: setup ## start the sandbox that -e env=local talks to (stop it: .venv/bin/python -m sandbox down)
	@$(PY) -m sandbox up

test: setup ## everything: lint, the site, ansible-test sanity, molecule, unit and integration tests
	@$(CHECK) lint+site+sanity+molecule tests

lint: setup ## ruff, mypy, ansible-lint, changelog
	@$(CHECK) lint

test-sanity: setup ## ansible-test sanity in a copy of the tree
	@$(CHECK) sanity

test-molecule: setup ## the scenarios in extensions/molecule (SCENARIO=name for one)
	@$(CHECK) molecule

test-unit: setup ## unit tests with coverage of plugins/ (ARGS= goes to pytest)
	@$(CHECK) unit

test-integration: setup ## sandbox and integration tests (ARGS= goes to pytest)
	@$(CHECK) integration

matrix: setup ## each ansible-core from 2.17 on with each Python from 3.9 on; writes docs/compatibility.md (PAIRS="2.17/3.9" tries one)
	@$(PY) tools/matrix.py $(PAIRS) $(if $(TARGET),--target $(TARGET))

chaos: setup ## runs of the whole playbook, killed and disturbed (SEED= RUNS= FIRST= MINUTES= WORKERS=; TABLE=1 the kill table)
	@$(PY) tools/run_chaos.py $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) $(if $(FIRST),--first $(FIRST)) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(WORLDS),--worlds $(WORLDS)) \
		$(if $(PLAIN_EVERY),--plain-every $(PLAIN_EVERY)) $(if $(TABLE),--table) $(if $(FRESH),--fresh)

reliability: setup ## every figure of docs/reliability.md, measured on this code (goes on where it was stopped)
	@$(PY) tools/run_chaos.py --record $(if $(WORKERS),--workers $(WORKERS)) $(if $(FRESH),--fresh)
	@$(PY) tools/virtual_chaos.py --steps 10000
	@$(PY) tools/virtual_chaos.py --table

bench-cleaner: setup ## the cleaner against the runbook's command on one large store (FILES= LOCKS= REPEAT= SHELLS=)
	@$(PY) tools/bench_cleaner.py $(if $(FILES),--files $(FILES)) $(if $(LOCKS),--locks $(LOCKS)) \
		$(if $(REPEAT),--repeat $(REPEAT)) $(if $(SHELLS),--shells $(SHELLS))

bench: setup ## this collection beside the runbook, other modules and bare boto3, at AWS's own speed (ROUNDS= SPEED= STATE=; 40 min)
	@$(PY) tools/bench_unlock.py $(if $(STATE),--state $(STATE)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SPEED),--speed $(SPEED)) $(if $(KEEP),--keep $(KEEP))

bench-many: setup ## one run that unlocks many environments of one account (COUNTS="1 10 50" FORKS= SPEED= FIRST=yes)
	@$(PY) tools/bench_many.py $(COUNTS) $(if $(FORKS),--forks $(FORKS)) $(if $(SPEED),--speed $(SPEED)) $(if $(FIRST),--first)

build: setup ## the collection's tarball in build/, from a clean copy
	@$(PY) tools/build.py

galaxy: setup ## the tarball, read by galaxy-importer as Galaxy does on an upload (about a minute)
	@$(PY) tools/galaxy.py

docs: setup ## check the plugins' documentation, and build the site in build/docs
	@$(CHECK) docs

clean: ## remove what the targets made, but for .venv and the downloaded wheel
	rm -rf build .mypy_cache .pytest_cache .ruff_cache .coverage tests/output .cache/sanity .cache/molecule .cache/tests
