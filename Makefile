# Everything a newcomer types. Plain `make` lists it.

BIN := .venv/bin
# One process for each core, each with a database of its own; who is done takes over from the others.
SPREAD := -n auto --dist worksteal
# Python compiles what is imported, when it is; to compile all that could be would take a quarter of the installing.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-compile

export DJANGO_SETTINGS_MODULE := portico.settings

.DEFAULT_GOAL := help
.PHONY: help run test needs check bench lock
.DELETE_ON_ERROR:

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

run: .venv/run.installed ## start Portico here; the first time installs what it needs
	@exec $(BIN)/portico serve

test: needs check ## every check, then the tests on SQLite (with a browser) and on PostgreSQL
	$(BIN)/python -m pytest $(SPREAD) -m "not postgres"
	$(BIN)/python -m tests.postgres -- $(BIN)/python -m pytest $(SPREAD) --ignore=tests/browser

needs: .venv/dev.installed
	@$(BIN)/python -m tests.needs

check: .venv/dev.installed ## style, types, architecture, templates, missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint portico --lint --quiet
	$(BIN)/mypy
	$(BIN)/django-admin makemigrations --check --dry-run

bench: .venv/dev.installed ## measure what must be quick
	$(BIN)/python -m bench

# The stamps say which locks the environment holds: nothing is installed while they are newer than the locks.

.venv/run.installed: requirements/run.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what Portico needs into .venv …"
	@$(PIP) --require-hashes -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.installed: requirements/dev.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what the tests need into .venv …"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch .venv/run.installed $@

# pip is the last thing that venv makes, so a half-made environment is made again.
$(BIN)/pip:
	@for each in "$$PYTHON" python3 python3.14 python3.13 python3.12 python3.11; do \
	  "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$$each && break; \
	done; \
	test "$$(id -u)" = 0 && sudo= || sudo="sudo "; \
	if [ -z "$$python" ]; then \
	  echo "Portico needs Python 3.11 or later: $${sudo}apt-get install python3 python3-venv"; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  if [ "$$CI" = true ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$$package" || exit 1; \
	  else \
	    echo "Python cannot make virtual environments here yet: $${sudo}apt-get install $$package"; exit 1; \
	  fi; \
	fi; \
	"$$python" -m venv --clear .venv

# For whoever changes the dependencies; needs uv. `make lock UPGRADE=--upgrade` takes the newest versions.
COMPILE = uv pip compile pyproject.toml --group build --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)

lock:
	$(COMPILE) --output-file requirements/run.txt
	$(COMPILE) --group dev --constraint requirements/run.txt --output-file requirements/dev.txt
