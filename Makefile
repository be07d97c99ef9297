# Each target does the set-up it needs. PYTHON picks the interpreter that makes the environment, e.g. `make demo PYTHON=python3.12`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The environment is made once and made again only when what it was made from changes.
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow lint bench

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make the environment in .venv (the other targets do so themselves)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("bnbench needs Python 3.11 or newer, and $(PYTHON) is %d.%d: name another one, e.g. make PYTHON=python3.11" % sys.version_info[:2])'
	@echo "Installing into $(VENV): about 1.6 GB, some minutes the first time."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP) ## train the quick start and print its leaderboard
	$(BIN)/python -m bnbench.train +experiment=quickstart -m

test: $(STAMP) ## run the fast tests, in two processes
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile

test-slow: $(STAMP) ## run the slow tests
	$(BIN)/python -m pytest -m slow

lint: $(STAMP) ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## measure the cost of a training step beside what a user would write instead
	$(BIN)/python -m benchmarks.step_cost
