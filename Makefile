# Everything here sets itself up: Python 3.11, 3.12 or 3.13 and make are enough.
#   make demo | test | check | bench | torch | torture | lock | release | clean
# Another Python:  make test PYTHON=python3.13 VENV=.venv313
# Other random examples than everybody's:  make test SEED=12345

PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= 2
SEED    ?= 20240918

BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
# Tests flush to disk again and again. Where the system has memory to spare they write there: `make test SCRATCH=/tmp` does not.
SCRATCH ?= $(shell free=$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $$4}'); [ "$${free:-0}" -gt 8000000 ] && echo /dev/shm || echo /tmp)
PYTEST  := TMPDIR=$(SCRATCH) $(BIN)/python -m pytest --hypothesis-seed=$(SEED)

.DEFAULT_GOAL := help
.PHONY: help setup jdk demo check test torch torture bench lock release clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

setup: $(VENV)/installed

# The libraries, each with its hash, are installed anew when the lock changes; Python compiles what is
# imported when it is, which halves the wait.
$(VENV)/locked: requirements/lock.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "sayso needs Python 3.11, 3.12 or 3.13, but \`$(PYTHON)\` is \`$$($(PYTHON) -V 2>&1)\`; name another, as in \`make PYTHON=python3.12\`" >&2; \
	  exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) -V) from requirements/lock.txt"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --no-compile --no-deps --require-hashes -r requirements/lock.txt
	@touch $@

# The project itself, in place, built by the locked backend.
$(VENV)/installed: $(VENV)/locked pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Spark needs a JDK: found, or as root installed; else the line to run is told.
jdk:
	@sh requirements/jdk.sh >/dev/null

demo: setup
	@$(BIN)/sayso demo

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

# For what reads through a selection by PyTorch: too large for the lock, so it is installed only when asked.
torch: setup
	$(PIP) install 'torch>=2.6'
	$(PYTEST) tests/api/test_pytorch.py

test: jdk check
	JAVA_HOME=$$(sh requirements/jdk.sh) $(PYTEST) --hypothesis-profile=ci -n $(WORKERS) --dist loadgroup --cov

# What is marked so, and every property, by 25 times as many examples (tests/searching.py).
torture: SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
torture: jdk setup
	JAVA_HOME=$$(sh requirements/jdk.sh) $(PYTEST) --hypothesis-profile=torture -m 'torture or hypothesis'

bench: jdk setup
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.log
	$(BIN)/python -m benchmarks.selections
	$(BIN)/python -m benchmarks.subjects
	JAVA_HOME=$$(sh requirements/jdk.sh) $(BIN)/python -m benchmarks.spark

# One resolution for all three Pythons; needs uv. Review the difference before you commit it.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --extra all --group dev --upgrade \
	  --generate-hashes --no-annotate --no-header --quiet --output-file requirements/lock.txt

# A source archive and a wheel in dist/, of a tree that passes.
release: test
	@test -z "$$(git status --porcelain)" || { echo "the tree has changes; commit them before a release" >&2; exit 1; }
	@rm -rf dist
	$(BIN)/hatchling build

clean:
	rm -rf $(VENV) dist .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
