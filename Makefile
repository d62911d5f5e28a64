# What can be done in this checkout? `make` alone lists it.
#
# PYTHON names the Python to set up with (3.11 or newer), JOBS how many test processes run at once.

PYTHON ?= python3
JOBS ?= logical
BIN := .venv/bin
# Tests and checks use built-in secrets and a database of their own, whatever the shell has set.
DEVELOPMENT := env -u DATABASE_URL -u DATABASE_URL_FILE REKINDLE_DEBUG=1
PYTEST := $(DEVELOPMENT) REKINDLE_CHROMIUM="$$($(PYTHON) scripts/find_chromium.py --install)" \
	$(BIN)/pytest -n $(JOBS) --dist worksteal
SOURCES := rekindle tests scripts bench
COVERED = --cov --cov-report=term:skip-covered --cov-fail-under=85

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo serve worker test prove test-fast test-frontend check lint fix types docs docs-check bench \
	lock kill races audit-month clean

help: ## list what can be done
	@echo "make TARGET, where TARGET is one of:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that running Rekindle needs, into this folder
	@$(PYTHON) scripts/setup.py

setup-dev: ## and what testing and changing it needs
	@$(PYTHON) scripts/setup.py --dev

demo: setup ## a sample shop, an inbox, the dashboard and a worker; Ctrl-C stops them all
	@exec $(BIN)/rekindle demo $(ARGS)

serve: setup ## the web side for development, on http://127.0.0.1:8000
	@REKINDLE_DEBUG=1 $(BIN)/rekindle setup-db --quiet
	@REKINDLE_DEBUG=1 exec $(BIN)/rekindle serve $(ARGS)

worker: setup ## one worker for development (beside make serve)
	@REKINDLE_DEBUG=1 $(BIN)/rekindle setup-db --quiet
	@REKINDLE_DEBUG=1 exec $(BIN)/rekindle worker $(ARGS)

test: setup-dev ## set up and run every test ring, the browser's included
	@$(PYTEST) $(if $(COVERAGE),$(COVERED)) $(ARGS)

prove: setup-dev ## the numbers behind the promises: crashes, restarts, purchase and opt-out races, hostile bodies, guesses
	@REKINDLE_STOP_RACES=$${REKINDLE_STOP_RACES:-1000} REKINDLE_HOOK_COPIES=$${REKINDLE_HOOK_COPIES:-1000} \
		REKINDLE_RESTART_SENDS=$${REKINDLE_RESTART_SENDS:-1500} REKINDLE_TWO_WORKERS_PEOPLE=120 REKINDLE_TAMPERINGS=$${REKINDLE_TAMPERINGS:-300} \
		REKINDLE_GUESSES=$${REKINDLE_GUESSES:-500000} REKINDLE_FAKE_CARTS=$${REKINDLE_FAKE_CARTS:-100000} \
		$(DEVELOPMENT) $(BIN)/pytest -q -p no:randomly \
		tests/race/test_kill.py tests/race/test_stop_races.py tests/race/test_every_stop.py tests/race/test_hook_races.py \
		tests/race/test_database_restart.py tests/race/test_two_workers.py tests/web/test_ingest_live.py tests/engine/test_consent_anchors.py \
		tests/web/test_guessing.py tests/engine/test_victim.py \
		-k "killed or acknowledged or copies or away or two_workers or hostile or odd or tampering or guess or signs_nobody or heap"

test-fast: setup-dev ## every ring but race (crashes) and browser
	@$(PYTEST) -m "not race and not browser" $(ARGS)

test-frontend: setup-dev ## types and tests of the TypeScript parts, and the storefront script's size
	@$(PYTHON) scripts/npm.py run --silent check
	@$(PYTHON) scripts/npm.py test
	@$(PYTHON) scripts/npm.py run --silent size

check: setup-dev ## all that a change must pass: lint, types, contracts, tests with coverage
	@failed=; for step in lint types test-frontend test; do \
		echo "== make $$step"; \
		$(MAKE) --no-print-directory $$step COVERAGE=1 || failed="$$failed $$step"; \
	done; \
	if [ -n "$$failed" ]; then echo "make check: failed:$$failed"; exit 1; fi

lint: setup-dev ## format, ruff, import contracts, our own lints, migrations, generated docs
	@failed=; also() { "$$@" || failed=yes; }; \
	also $(BIN)/ruff format --check --quiet $(SOURCES); \
	also $(BIN)/ruff check --quiet $(SOURCES); \
	also $(BIN)/lint-imports; \
	also $(BIN)/python -m scripts.lints.python_rules; \
	also $(DEVELOPMENT) $(BIN)/python -m scripts.lints.sql_files; \
	also $(DEVELOPMENT) REKINDLE_HOME=.rekindle/test $(BIN)/rekindle makemigrations --check --dry-run; \
	also $(DEVELOPMENT) $(BIN)/python -m scripts.reference --check; \
	test -z "$$failed"

fix: setup-dev ## mend what ruff can mend, rewrite the generated docs
	@$(BIN)/ruff check --quiet --fix $(SOURCES) || true
	@$(BIN)/ruff format --quiet $(SOURCES)
	@$(DEVELOPMENT) $(BIN)/python -m scripts.reference

types: setup-dev ## mypy --strict
	@$(DEVELOPMENT) $(BIN)/mypy

docs: setup-dev ## write the reference pages that are made from the code
	@$(DEVELOPMENT) $(BIN)/python -m scripts.reference

docs-check: setup-dev ## does the documentation tell the truth?
	@$(DEVELOPMENT) $(BIN)/python -m scripts.reference --check
	@$(DEVELOPMENT) $(BIN)/pytest tests/docs

bench: ## every workload, as ratios against limits and peers; takes minutes
	@$(PYTHON) scripts/setup.py --bench
	@$(DEVELOPMENT) $(BIN)/python -m bench $(ARGS)

lock: ## resolve the requirements again (needs uv)
	@for name in base dev bench node; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
			--no-annotate requirements/$$name.in -o requirements/$$name.lock || exit 1; \
	done

kill: setup-dev ## kill -9 a delivering worker 50 times during 20,000 sends, once for each kind of provider; takes minutes
	@REKINDLE_KILL_SENDS=$${REKINDLE_KILL_SENDS:-20000} REKINDLE_KILL_KILLS=$${REKINDLE_KILL_KILLS:-50} \
		REKINDLE_LONGEST_TEST_S=7200 $(DEVELOPMENT) $(BIN)/pytest -q -p no:randomly tests/race/test_kill.py $(ARGS)

races: setup-dev ## 10,000 purchases, opt-outs and erasures against workers that send; takes minutes
	@REKINDLE_RACES=$${REKINDLE_RACES:-10000} REKINDLE_LONGEST_TEST_S=7200 \
		$(DEVELOPMENT) $(BIN)/pytest -q -p no:randomly tests/race/test_every_stop.py $(ARGS)

audit-month: setup-dev ## let a month of 100,000 carts over 12 countries go by, audit it, plant violations; takes an hour
	@REKINDLE_AUDIT_CARTS=$${REKINDLE_AUDIT_CARTS:-100000} REKINDLE_LONGEST_TEST_S=36000 \
		$(DEVELOPMENT) $(BIN)/pytest -q -s -p no:randomly tests/engine/test_audit.py $(ARGS)

clean: ## remove what set-up, tests and demo made; the data under .rekindle/postgres stay
	@for home in .rekindle .rekindle/test .rekindle/bench .rekindle/demo; do \
		if [ -x $(BIN)/rekindle ] && [ -d $$home/postgres ]; then \
			REKINDLE_HOME=$$home $(BIN)/rekindle postgres stop >/dev/null; \
		fi; \
	done
	@rm -rf .venv frontend/node_modules tests/providers/prism/node_modules rekindle/web/static/dist .rekindle/test .rekindle/bench .rekindle/demo
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* *.egg-info build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
