# Every target sets up what it needs: a virtual environment in .venv, filled from requirements.lock.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Bytecode is kept: to compile everything anew would cost each process more than most of its work.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check format fix lint types cover rest pytest lowest deep sim bench pace torture walk reference picture translations app try-app lock clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up $(VENV) from requirements.lock (once) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## Purge sample_data against a simulated server; leaves demo/report.csv and .html
	@$(BIN)/python -m tests.demo

test: $(READY) ## Check the format, lint, check the types, and run all tests: what must be green before a commit
	@$(MAKE) --no-print-directory -j 5 format lint types cover rest

check: test

format: $(READY) ## Fail where the code is not formatted (make fix formats it)
	@$(BIN)/ruff format --check --quiet .

fix: $(READY) ## Format the code and mend what the linter can
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

lint: $(READY)
	@$(BIN)/ruff check --quiet .

types: $(READY)
	@$(BIN)/mypy

cover: $(READY) ## Fail where the tests of core do not take every branch of it
	@$(BIN)/coverage run --source=bulk_remove.core -m pytest -q -n0 tests/core
	@$(BIN)/coverage report --fail-under=100

rest: $(READY)
	@$(BIN)/python -m pytest -q --ignore=tests/core

TESTS ?=
pytest: $(READY) ## Run the tests, or only TESTS=tests/reader; make pytest VENV=.venv-3.13 PYTHON=python3.13 runs them with another Python
	@$(BIN)/python -m pytest -q $(TESTS)

lowest: $(READY) ## Run the tests with the lowest versions that pyproject.toml allows, in .venv-lowest; TESTS=tests/reader runs some
	@$(BIN)/python -m venv --clear .venv-lowest
	@$(BIN)/uv pip compile pyproject.toml --all-extras --resolution lowest-direct --python .venv-lowest \
		--no-header --no-annotate --no-emit-index-url --quiet --output-file .venv-lowest/lowest.txt
	@$(BIN)/uv pip install --quiet --python .venv-lowest --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python .venv-lowest -r .venv-lowest/lowest.txt
	@$(BIN)/uv pip install --quiet --python .venv-lowest --no-deps --no-build-isolation --editable .
	@.venv-lowest/bin/python -m pytest -q $(TESTS)

deep: $(READY) ## Look for more: a thousand made-up cases of each property, others each time, and the rarer cases of other tests
	@$(BIN)/python -m pytest -q -m "hypothesis or deep" --hypothesis-profile=deep

SEEDS ?= 10000
sim: $(READY) ## Play whole runs in made-up worlds, SEEDS=10000, killed and resumed; a failure says how to replay it
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

bench: $(READY) ## Measure the whole job beside curl, jq and a script, then reading and planning; adds to docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks.whole --write docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks.planning
	@$(BIN)/python -m tests.benchmarks.workbook
	@$(BIN)/python -m tests.benchmarks.linear

pace: $(READY) ## Hold the pace against hidden limits and other rules; writes docs/pace.md and docs/pace.svg
	@$(BIN)/python -m tests.benchmarks.pace

KILLS ?= 100
torture: $(READY) ## Kill the real command again and again, KILLS=100, and hold its report against the audit
	@$(BIN)/python -m tests.torture.killing --kills $(KILLS)

torture-shared: $(READY) ## Kill two hosts that share a run by PostgreSQL, KILLS=100, on both sides of the shipping
	@$(BIN)/python -m tests.torture.killing_hosts --kills $(KILLS)

walk: $(READY) ## Count the functions and files through which one number walks
	@$(BIN)/python -m tests.walk

reference: $(READY) ## Write docs/reference.md from the code
	@$(BIN)/python -m tests.docs.reference --write

translations: $(READY) ## Compile the translations (bulk_remove/locale/*/LC_MESSAGES/*.po)
	@$(BIN)/python -m tests.language.compiling

picture: $(READY) ## Draw docs/run.svg from a real run
	@$(BIN)/python -m tests.docs.picture --write

APP_PYTHONS ?= 3.11 3.12 3.13 3.14
app: $(READY) ## Build dist/bulk-remove.pyz, one file for this kind of machine and each of APP_PYTHONS="3.11 3.12"
	@$(BIN)/python -m tests.app.building $(APP_PYTHONS)

try-app: app ## Build it, then plan and run with it against the simulator
	@BULK_REMOVE_APP=dist/bulk-remove.pyz $(BIN)/python -m pytest -q -n0 tests/app

LOCKED := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet
lock: $(READY) ## Resolve the newest allowed versions into requirements.lock, and what an installation needs of it into runtime.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev $(LOCKED) --upgrade --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra notify --extra postgres $(LOCKED) --constraint requirements.lock --output-file runtime.lock

clean: ## Remove what was made
	@rm -rf .venv .venv-* demo dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
