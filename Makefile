# The commands of WorkBox; `make` alone lists them. Each target says what it does, scripts/ holds how.

PYTHON ?= python3
BIN := .venv/bin
# Without compiling: Python compiles what it imports, a small part of all this, when it imports it.
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-compile
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Further pytest arguments, for example: make test ARGS="-k oversell -x"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install run test lint format services bench screenshots lock clean

help: ## list the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("WorkBox needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..." \
	  if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv || { echo "Could not make .venv; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

# A stamp is written after pip succeeded, so an interrupted installation is taken up again.
.venv/installed-base: requirements/base.txt | $(BIN)/python
	@echo "Installing WorkBox into .venv (once, about a minute) ..."
	@$(PIP_INSTALL) -r requirements/base.txt
	@touch $@

.venv/installed-dev: requirements/dev.txt | $(BIN)/python
	@echo "Installing what tests and lint need into .venv (once, about two minutes) ..."
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

# mysqlclient is built from source: gcc, pkg-config and the client's headers (scripts/apt-install.sh) must be there.
.venv/installed-production: requirements.txt | $(BIN)/python
	@echo "Installing the production set with the MySQL driver into .venv ..."
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

install: .venv/installed-base ## make .venv with the locked embedded set

run: install ## serve a shop with demo data on $WORKBOX_PORT (default 8000); Ctrl-C stops all
	@$(BIN)/python scripts/run.py

test: .venv/installed-dev ## run the tests on SQLite, then on throwaway MariaDB + Redis where installed
	@$(BIN)/python scripts/run_tests.py $(ARGS)

lint: .venv/installed-dev ## style, types, floor plan, migrations, OpenAPI document, templates, advisories
	@scripts/lint.sh

format: .venv/installed-dev ## let ruff and djlint rewrite what they can
	@ruff check --fix --quiet . ; ruff format .
	@djlint --quiet --reformat templates || true

services: ## start throwaway MariaDB + Redis, print the variables to export; Ctrl-C stops both
	@$(PYTHON) scripts/services.py up

bench: .venv/installed-production ## measure WorkBox in production settings on throwaway MariaDB + Redis
	@$(BIN)/python scripts/bench.py $(ARGS)

screenshots: .venv/installed-dev ## take the pictures of docs/images/ from a throwaway shop, with Chromium
	@$(BIN)/python scripts/screenshots.py

lock: .venv/installed-dev ## recompile requirements*.txt from requirements/*.in (ARGS=--upgrade for newer versions)
	@scripts/lock.sh $(ARGS)

clean: ## remove .venv and caches; var/ (your database) stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
