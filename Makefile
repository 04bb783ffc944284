# Everything is here: `make run` starts Rostrum, `make test` proves it. `make help` lists the rest.

PYTHON ?= python3
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
# Each is installed again only when its lock changes.
PYTHON_READY := .venv/.locked
NODE_READY := node_modules/.package-lock.json
# What the tests run, of scripts/system.py.
PROGRAMS := redis postgresql chromium ip ceph

# The tests that start servers, kill them, and wait: about as long as all the others.
SERVING := tests/chaos tests/realtime tests/config
# What the checks run with: the settings of a server on the open Internet, and a data folder of their own.
SAFE_ENV := DEBUG=false ROSTRUM_DATA=var/check HTTPS=true ALLOWED_HOSTS=rostrum.example SECURE_HSTS_SECONDS=31536000 \
	SECURE_HSTS_INCLUDE_SUBDOMAINS=true SECURE_HSTS_PRELOAD=true DATABASE_URL= REDIS_URL= \
	SECRET_KEY=a-key-of-nobodys-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz

.DEFAULT_GOAL := help
SHELL := /bin/bash
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run run-cluster test test-embedded test-cluster test-parts test-js test-browser check sdk format bench bench-sdk lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# --- Running

run: export DEBUG ?= true
run: $(PYTHON_READY) ## Start Rostrum on http://127.0.0.1:8000 (PORT=..., SERVER=daphne)
	@$(PY) manage.py migrate --no-input -v 0
	@$(PY) manage.py demo
	@exec $(PY) manage.py serve

run-cluster: export DEBUG ?= true
run-cluster: $(PYTHON_READY) ## Start PostgreSQL, Redis and two server processes behind one port
	@$(PY) -m scripts.system redis postgresql
	@exec $(PY) -m scripts.cluster

# --- Testing

# Packages come while the checks run.
test: $(PYTHON_READY) $(NODE_READY) ## Run every check and test
	@$(PY) -m scripts.side_by_side "packages=$(PY) -m scripts.system $(PROGRAMS)" "check=make check test-js"
	@make test-parts

# Side by side: for much of their time they wait, for leases to end and processes to come back. They start a hundred
# processes: what Python has compiled is kept for the next.
test-parts: $(PYTHON_READY) $(NODE_READY) ## test-embedded, test-cluster and test-browser at once
	@$(PY) -m scripts.system $(PROGRAMS)
	@PYTHONDONTWRITEBYTECODE= $(PY) -m scripts.side_by_side \
		"embedded=$(PYTEST) --shape=embedded $(SERVING:%=--ignore=%) --ignore=tests/e2e" \
		"servers=$(PYTEST) --shape=embedded $(SERVING)" \
		"chaos=$(PYTEST) --shape=cluster $(SERVING)" \
		"cluster=$(PYTEST) --shape=cluster $(SERVING:%=--ignore=%) --ignore=tests/e2e" \
		"browser=$(PYTEST) --shape=embedded tests/e2e"

test-embedded: $(PYTHON_READY) $(NODE_READY) ## Tests on SQLite, with presence in memory
	@$(PY) -m scripts.system ceph
	$(PYTEST) --shape=embedded --ignore=tests/e2e

test-cluster: $(PYTHON_READY) $(NODE_READY) ## Tests on a private PostgreSQL and Redis
	@$(PY) -m scripts.system redis postgresql ceph
	$(PYTEST) --shape=cluster --ignore=tests/e2e

test-js: $(NODE_READY) ## Tests of the browser code's logic, in Node
	node --test $$(find tests/js -name '*.test.js')

test-browser: $(PYTHON_READY) $(NODE_READY) ## Tests in a real browser
	@$(PY) -m scripts.system chromium ip
	$(PYTEST) --shape=embedded tests/e2e

check: $(PYTHON_READY) $(NODE_READY) ## Lint, types, layers, migrations, deployment settings, generated documents
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(SAFE_ENV) $(PY) manage.py makemigrations --check --dry-run
	$(SAFE_ENV) $(PY) manage.py check --deploy --fail-level WARNING
	$(SAFE_ENV) $(PY) manage.py generate_docs --check
	node_modules/typescript/bin/tsc --project tsconfig.json
	node_modules/typescript/bin/tsc --project tests/js/tsconfig.json
	node scripts/sdk/build.js --check

sdk: $(NODE_READY) ## Make the browser SDK's bundles, static/rtm/dist/, of its modules
	node scripts/sdk/build.js

bench: $(PYTHON_READY) ## Measure against Socket.IO, plain Channels and nginx, into benchmarks/results/
	@$(PY) -m scripts.system postgresql redis nginx
	$(PY) benchmarks/run.py

bench-sdk: $(PYTHON_READY) ## Measure the SDK in a browser: 10,000 messages a second
	@$(PY) -m scripts.system chromium ip
	$(PY) -m benchmarks.sdk.run

# --- Housekeeping

format: $(PYTHON_READY) ## Format the Python code and fix what lint can fix
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

lock: $(PYTHON_READY) ## Write requirements/lock.txt anew from the .in files
	cd requirements && ../.venv/bin/uv pip compile dev.in --output-file lock.txt --upgrade --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

clean: ## Remove what make made, except data (var/)
	rm -rf .venv node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(PYTHON_READY): requirements/lock.txt
	@$(PYTHON) -m scripts.bootstrap

$(NODE_READY): package.json package-lock.json
	@command -v npm >/dev/null || { echo "Missing: Node.js 20 or newer, with npm"; exit 1; }
	npm ci
	@touch $@
