# Every target does all of its own set-up first; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# PYTHON=…  the Python that .venv is made with (default: the newest of 3.13, 3.12, 3.11 that is here)
# VENV=…    a ready environment to use as it is; nothing is installed then
PYTHON ?=
VENV ?= .venv
BIN := $(VENV)/bin
FAST := not slow and not integration and not browser and not crash and not bench and not static

ifneq ($(VENV),.venv)
export PYTHONPATH := $(CURDIR)
endif

##@ Use
.PHONY: run
run: setup ## the demo: two counters, the province and 12 cards on one page
	@exec $(BIN)/betang-terminal demo --dir demo-data

.PHONY: setup
setup: ## Debian packages, then .venv with the locked Python packages and the console scripts

##@ Check
.PHONY: test
test: setup setup-test ## install what the tests need and run all of them
	@$(BIN)/python -m pytest

.PHONY: check
check: setup ## format, lint, types, import contracts and the fast tests; under a minute
	@$(BIN)/ruff format --check --quiet . || { echo "check: run make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "$(FAST)"

.PHONY: bench
bench: setup ## the measured aims: a table, and bench/out/main.json
	@$(BIN)/python -m bench.main

.PHONY: bench-ledger
bench-ledger: setup ## the signed ledger at the size of the province, and bench/out/ledger.json
	@$(BIN)/python -m bench.ledger

.PHONY: bench-journal
bench-journal: setup ## what a broken road costs the counter, and proving a million entries; bench/out/journal.json
	@$(BIN)/python -m bench.journal

.PHONY: bench-sync
bench-sync: setup ## the road: bytes on the wire, the intake, the counter beside it; bench/out/sync.json
	@$(BIN)/python -m bench.sync

.PHONY: bench-chip
bench-chip: setup-test ## a redemption by chip over the real pcscd, beside the replay of its APDUs; bench/out/chip.json
	@$(BIN)/python -m bench.chip

.PHONY: setup-test
setup-test: setup ## what only the tests need: Chromium, pcscd and a virtual reader

##@ Simulate
SEEDS ?= 20
FIRST ?= 1
LIST ?=
.PHONY: simulate
simulate: setup ## some days of a province from each of SEEDS=20 seeds, on from FIRST=1; LIST=file is gone on with
	@$(BIN)/python -m tests.simulation.main --seeds $(SEEDS) --first $(FIRST) $(if $(LIST),--list $(LIST))

.PHONY: simulate-mutants
simulate-mutants: setup ## break the code on purpose, one way at a time; each must be found out within 30 seeds
	@$(BIN)/python -m tests.simulation.mutants

SECONDS ?= 60
.PHONY: fuzz
fuzz: setup ## bytes that go where the code has not been, into every reader of the road, for SECONDS=60
	@$(BIN)/python -m tests.fuzz.target .fuzz $(SECONDS)

##@ Change
.PHONY: format
format: setup ## rewrite the Python files in the house's format
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

.PHONY: docs
docs: setup ## rewrite the pages of docs/ that are made from tables
	@$(BIN)/python docs/make_pages.py

.PHONY: lock
lock: setup ## bring requirements.lock in step with pyproject.toml; UPGRADE=--upgrade renews all
	@test -x .setup/uv/bin/uv || { $(BIN)/python -m venv .setup/uv && .setup/uv/bin/pip install -qq uv; }
	@.setup/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE) \
	  --no-emit-index-url --no-header --extra dev --extra province --output-file requirements.lock pyproject.toml

.PHONY: clean
clean: ## remove all that make has made, the demo's data and .venv too
	@rm -rf .venv .setup .fuzz demo-data dist bench/out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { print "\n" substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

# --- set-up ----------------------------------------------------------------------------------------------------------
# A stamp carries in its name the hash of all that its step depends on, the folder's own path included (the console
# scripts hold it), so that a second run only compares names. The first lies in .venv itself: both go together.
ifeq ($(VENV),.venv)
digest = $(shell { printf '%s\n' '$(CURDIR)' '$(PYTHON)'; cat $(1); } | sha256sum | cut -c1-20)
VENV_STAMP := .venv/made-$(call digest,deploy/choose-python)
LOCK_STAMP := .setup/lock-$(call digest,requirements.lock)
PROJECT_STAMP := .setup/project-$(call digest,pyproject.toml)

setup: $(PROJECT_STAMP)

setup-test: debian-test

.PHONY: debian-setup debian-test
debian-test:
	@deploy/install-system-packages test

debian-setup:
	@deploy/install-system-packages setup

$(VENV_STAMP): | debian-setup
	@mkdir -p .setup && rm -rf .venv
	@python=$$(PYTHON='$(PYTHON)' deploy/choose-python) && \
	  echo "setup: .venv with $$($$python --version) ($$python)" && $$python -m venv .venv
	@touch $@

$(LOCK_STAMP): $(VENV_STAMP) | debian-setup
	@rm -f .setup/lock-*
	@echo "setup: $$(grep -c == requirements.lock) Python packages from requirements.lock"
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes \
	  --requirement requirements.lock || { echo "setup: pip failed; put right what it says above and run make again"; exit 1; }
	@touch $@

$(PROJECT_STAMP): $(LOCK_STAMP)
	@rm -f .setup/project-*
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --no-input --no-deps --no-build-isolation --editable .
	@touch $@
endif
