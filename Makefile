# Everything happens in a .venv of its own; `make` lists what there is.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := julaba_site trading mlops notifications dashboard tests $(wildcard benchmarks) manage.py

# The caller's environments and Django projects are none of ours; pip's other options stay in force.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX DJANGO_SETTINGS_MODULE

.DEFAULT_GOAL := help
.PHONY: help run test test-postgres test-stack torture soak lint bench bench-peers screenshots lock sbom audit clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/installed  ## start Julaba on port 8000 (another one: PORT=8001 make run) until Ctrl-C
	@caller=$$(export -p); if [ -f .env ]; then set -a; . ./.env; set +a; eval "$$caller"; fi; \
	JULABA_EXIT_WITH_PARENT=1 exec $(BIN)/python manage.py up

test: .venv/installed-dev  ## run every test; those in a browser skip where there is no chromium
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not browser and not stack"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m browser tests/e2e

# Those that bring a database of their own, or none.
ON_SQLITE := $(patsubst %,--ignore=tests/integration/test_%.py,replay up feed backtest parity studies) \
    $(patsubst %,--ignore-glob='tests/faults/test_%*.py',venue ccxt stream)
test-postgres: .venv/installed-dev  ## run the tests of orders, tasks and races on PostgreSQL: DATABASE_URL, or one of its own
	$(BIN)/python -m tests.postgres $(BIN)/python -m pytest -n 3 --dist loadfile -m "not browser" \
	    tests/integration tests/race tests/faults $(ON_SQLITE)

test-stack: .venv/installed-dev  ## break a whole running site in several ways, and wait for its alerts
	$(BIN)/python -m pytest -m stack tests/operate

FILE ?= sbom.json
SIGNALS ?= 1000
WORKERS ?= 3
DATABASE ?= sqlite
SEED ?= 1
MINUTES ?= 60
MIX ?= even
torture: .venv/installed-dev  ## kill, pause and break everything while trading: SIGNALS WORKERS DATABASE SEED MINUTES MIX
	$(BIN)/python -m tests.torture --signals $(SIGNALS) --workers $(WORKERS) --database $(DATABASE) --seed $(SEED) --minutes $(MINUTES) \
	    --mix $(MIX)

soak: .venv/installed-dev  ## run everything with faults, sockets and requests, and watch memory and jitter: MINUTES
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

lint: .venv/installed-dev  ## check style, types, imports, migrations and lengths
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check
	@find $(SOURCES) -name '*.py' -exec wc -l {} + | awk \
		'$$2 != "total" && $$1 > 400 {print $$2 ": " $$1 " lines, 400 is the most"; long = 1} END {exit long}'

bench: .venv/installed-dev  ## run the benchmarks
	@set -e; for script in benchmarks/*.py; do \
		if [ -e "$$script" ]; then echo "== $$script"; $(BIN)/python "$$script"; else echo "there is no benchmark yet"; fi; done

bench-peers:  ## install what benchmarks/backtest.py --vs compares with, in an environment of its own
	@$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet vectorbt backtesting TA-Lib

screenshots: .venv/installed-dev  ## take a picture of every page, light and dark, wide and narrow
	$(BIN)/python -m tests.e2e.screenshots screenshots

lock: .venv/installed-dev  ## resolve requirements*.in into requirements*.txt, each as a whole and by hash
	$(BIN)/python -m pip install -qq --require-hashes -r requirements-uv.txt
	@set -e; for name in requirements requirements-dev requirements-uv requirements-audit; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
		--no-emit-index-url --no-emit-find-links --no-header --annotation-style line --output-file $$name.txt $$name.in; done

sbom: .venv/installed  ## write down what is installed, with its licences, as CycloneDX: FILE
	$(BIN)/python manage.py sbom --output $(FILE)

audit:  ## ask whether a package of the lock is known to be unsafe; the network has to allow it
	@$(PYTHON) -m venv .venv-audit && .venv-audit/bin/python -m pip install -qq --require-hashes -r requirements-audit.txt || \
		{ echo "pip-audit cannot be installed: no registry of packages can be reached from here" >&2; exit 2; }
	@.venv-audit/bin/python -c 'import socket; socket.create_connection(("pypi.org", 443), 5)' 2>/dev/null || \
		{ echo "Nothing was audited: pypi.org, which tells of unsafe packages, cannot be reached from here; run it where it can" >&2; exit 2; }
	@set -e; for name in requirements requirements-dev; do echo "$$name.txt:"; \
		.venv-audit/bin/pip-audit --require-hashes --disable-pip --progress-spinner off -r $$name.txt; done

clean:  ## remove .venv and the caches; what Julaba keeps in var/ stays
	rm -rf .venv .venv-peers .venv-audit .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Julaba needs Python 3.11 or newer: install it, or name it as in: make run PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments: install its venv module, python3-venv on Debian" >&2; exit 2; }
	@$(PYTHON) -m venv --clear .venv

# uv takes seconds where pip takes minutes, but it does not read pip's configuration: where that names an index, pip it is.
define install
@echo "Installing $(1) into .venv, once"
@if ! $(BIN)/python -m pip config list | grep -qE '\.(index-url|no-index)=' && \
	$(BIN)/python -m pip install -qq --require-hashes -r requirements-uv.txt && \
	$(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python -r $(1); then :; \
	else $(BIN)/python -m pip install --quiet --require-hashes -r $(1); fi
@touch $@
endef

.venv/installed: requirements.txt | .venv/bin/pip
	$(call install,requirements.txt)

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(call install,requirements-dev.txt)
