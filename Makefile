# The commands for developers and CI. `make` without a target lists the targets.
#
# Stamp files inside .venv and node_modules record each installation, so a second run installs nothing;
# `make clean` deletes the stamps. ARGS is passed to the program: make test ARGS="-k refresh".

SHELL := /bin/bash
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
BENCHES = $(sort $(wildcard bench/[!_]*.py))
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --extra postgres $(ARGS) pyproject.toml

# Without a working Python in .venv, the stamps are deleted and .venv is created again.
$(shell [ -x $(BIN)/python ] || rm -f .venv/.run .venv/.dev)

.PHONY: help run test drill coverage check format bench lock sbom clean programs

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' $(MAKEFILE_LIST) | while IFS=: read -r target description; do \
		printf '  make %-8s %s\n' "$$target" "$$description"; done

run: .venv/.run ## run the service with a TikTok simulator, without credentials, and print the address
	@$(BIN)/python -m connector demo $(ARGS)

test: check node_modules/.installed ## run all checks and all tests, like CI
	@$(BIN)/python -m pytest -q $(ARGS)

drill: .venv/.dev ## try many random orders of events and requests, and a million rows; the seed is random, and this takes minutes
	@CONNECTOR_MACHINE_EXAMPLES=$${EXAMPLES:-1000} $(BIN)/python -m pytest -q \
		tests/tokens/test_interleavings.py tests/store/test_grant_machine.py $(ARGS)
	@CONNECTOR_GENERATED_REQUESTS=$${REQUESTS:-10000} $(BIN)/python -m pytest -q \
		tests/end_to_end/test_generated_requests.py $(ARGS)
	@CONNECTOR_LIST_ROWS=1000000 CONNECTOR_HISTORY_ROWS=1000000 $(BIN)/python -m pytest -q tests/store/test_rows_read.py $(ARGS)

coverage: .venv/.dev node_modules/.installed ## run the tests with branch coverage of all processes
	@rm -rf .coverage-data && mkdir .coverage-data
	@$(BIN)/python -m coverage run -m pytest -q $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

check: .venv/.dev ## check format, lint, types and layers
	@echo '- checking format, lint, types and layers' >&2
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --diff --quiet .; \
		echo 'The code is not formatted. Run: make format'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/python -m mypy --no-error-summary
	@output=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$output"; exit 1; }

format: .venv/.dev ## format the code and fix lint errors that can be fixed automatically
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

bench: .venv/.dev node_modules/.installed ## run the benchmarks; each benchmark prints a table
	@for bench in $(BENCHES:%.py=%); do $(BIN)/python -m $${bench/\//.} || exit 1; done

lock: $(BIN)/uv ## update the requirements from pyproject.toml (to the newest versions: ARGS=--upgrade)
	@$(BIN)/$(LOCK) --output-file requirements/run.txt
	@$(BIN)/$(LOCK) --group dev --constraint requirements/run.txt --output-file requirements/dev.txt

sbom: .venv/.run ## print the packages that the service needs, as a CycloneDX document
	@$(BIN)/python -m tools.sbom

clean: ## delete everything that was installed
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

# The lock file has hashes but no addresses: npm uses the registry of its configuration.
node_modules/.installed: package-lock.json | programs
	@echo '- installing PostgREST, axe-core and standardwebhooks with npm' >&2
	@npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	@touch $@
