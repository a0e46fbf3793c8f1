# `make` alone lists what there is. Needs python3 (3.11 or newer, with venv) and make; the rest it fetches.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
CHROMIUM ?= /usr/bin/chromium
# Tests side by side: two suit a small machine and leave a large one its peace.
TEST_JOBS ?= 2
# IN_BROWSER=no leaves the tests in a browser out.
IN_BROWSER ?= yes

# Stamps: each says that a step was done after all that it depends on, so that a second `make run` starts at once.
MADE := $(VENV)/.made
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
# What others are built on, to be measured beside this server: in an environment of its own, never in the server's.
PEERS_VENV := .venv-peers
PEERS_RUNTIME := $(PEERS_VENV)/.runtime
COLLECTED := staticfiles/.collected
WORDS := .made/.words

# uv is fast; where it is missing or fails (an odd proxy, an odd processor), pip does the same, slower.
# UV_SYSTEM_CERTS: trust what the machine trusts, as pip does; many company networks need it.
# $(1) the file, $(2) the environment.
define install
	@echo "Installing $(1) …"
	@UV_SYSTEM_CERTS=1 $(BIN)/uv pip install --quiet --python $(2)/bin/python --require-hashes -r $(1) \
		|| { echo "uv is missing or failed; pip takes over"; \
			$(2)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); }
endef

# For the commands that need no server's data: they make no key and open no database.
ALONE := SECRET_KEY=not-a-server ENCRYPTION_KEYS=not-a-server-not-a-server-not-a-server-not-= DATABASE_URL=sqlite://:memory:

.PHONY: help
help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

# --- Run -------------------------------------------------------------------------------------------
# Deliveries to private addresses are refused unless they are named here. `make run` is for trying things out on
# your own machine, so it lets them reach this machine. A real server should leave this empty, or name what it needs.
run: export DELIVERY_ALLOWED_NETWORKS ?= 127.0.0.0/8,::1/128

.PHONY: run
run: $(RUNTIME) $(WORDS) $(COLLECTED) ## Start the server: http://127.0.0.1:8000, or PORT=… make run
	@exec $(BIN)/python manage.py up

.PHONY: install
install: $(RUNTIME) $(WORDS) $(COLLECTED) ## Install what the server needs, start nothing

# --- Test ------------------------------------------------------------------------------------------
# REQUIRE_ALL=1 makes every skipped or left-out test an error: for machines where everything is installed.
.PHONY: test
test: $(DEVELOPMENT) $(WORDS) ## Run all tests that need nothing but Python; those in a browser too if there is one
	$(BIN)/python -m pytest -m "not browser and not cluster" -n $(TEST_JOBS)
	$(BIN)/python -m pytest -m "cluster and not browser" -n $(TEST_JOBS)
	@if [ "$(IN_BROWSER)" = no ]; then \
		echo "Left out: the tests in a browser (IN_BROWSER=no)."; \
	elif [ -x "$(CHROMIUM)" ]; then \
		set -x; $(BIN)/python -m pytest -m browser -n $(TEST_JOBS); \
	elif [ "$${REQUIRE_ALL:-}" = 1 ]; then \
		echo "REQUIRE_ALL=1, and the tests in a browser need $(CHROMIUM): apt-get install chromium" >&2; exit 1; \
	else \
		echo "Left out: the tests in a browser, because there is no $(CHROMIUM) (apt-get install chromium)."; \
	fi

.PHONY: test-postgres
test-postgres: ## The same tests on PostgreSQL and Redis: DATABASE_URL=… REDIS_URL=… make test-postgres
	@case "$${DATABASE_URL:-}" in postgres*) ;; \
		*) echo "Set DATABASE_URL=postgres://user:password@host/name; the tests make a test_ database beside it" >&2; exit 1;; esac
	@test -n "$${REDIS_URL:-}" || { echo "Set REDIS_URL=redis://host:6379/0; the tests write to it" >&2; exit 1; }
	@$(MAKE) --no-print-directory test

.PHONY: bench
bench: $(RUNTIME) ## Measure lateness, drain time and requests per second on this machine
	$(BIN)/python manage.py benchmark herd --triggers 1000
	$(BIN)/python manage.py benchmark herd --triggers 10000
	$(BIN)/python manage.py benchmark steady
	$(BIN)/python manage.py benchmark clusters --rounds 2
	$(BIN)/python manage.py benchmark poll
	$(BIN)/python manage.py benchmark idle
	$(BIN)/python manage.py benchmark fairness
	$(BIN)/python manage.py benchmark api
	$(BIN)/python manage.py benchmark schedules

.PHONY: drill
drill: $(RUNTIME) ## Break an installation in every way, on SQLite and on PostgreSQL + Redis (DRILL="beat --seed 2"); best as root
	$(ALONE) $(BIN)/python manage.py drill $(DRILL)

.PHONY: drill-quick
drill-quick: $(RUNTIME) ## The most telling faults of the drill
	$(ALONE) $(BIN)/python manage.py drill --quick $(DRILL)

.PHONY: bench-peers
bench-peers: $(RUNTIME) $(PEERS_RUNTIME) ## Measure APScheduler, Celery, huey, django-q2 beside it, in 20 minutes (PEERS="--only celery")
	$(BIN)/python manage.py benchmark peers $(PEERS)

.PHONY: screenshots
screenshots: $(DEVELOPMENT) $(WORDS) $(COLLECTED) ## Take the pictures in docs/screenshots/ anew (needs chromium)
	$(BIN)/python docs/take_screenshots.py

# --- Code ------------------------------------------------------------------------------------------
.PHONY: lint
lint: $(DEVELOPMENT) ## Check form, types, floors, templates, Dockerfile and migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/djlint templates --check --quiet
	$(BIN)/djlint templates --lint
	$(ALONE) $(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint Dockerfile
	$(ALONE) $(BIN)/python manage.py makemigrations --check --dry-run

.PHONY: format
format: $(DEVELOPMENT) ## Bring code and templates into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	-$(BIN)/djlint templates --reformat --quiet

.PHONY: messages
messages: $(DEVELOPMENT) ## Bring the catalogues in locale/ up to date with what pages say (needs gettext)
	$(ALONE) $(BIN)/python manage.py makemessages --all --no-location --no-obsolete --ignore=.venv --ignore=staticfiles
	$(ALONE) $(BIN)/python manage.py makemessages --all --no-location --no-obsolete --domain=djangojs --ignore=.venv --ignore=staticfiles

.PHONY: lock
lock: $(MADE) ## Pin requirements.in, -dev.in and -peers.in anew (UPGRADE=--upgrade takes newer versions)
	UV_SYSTEM_CERTS=1 $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE) requirements.in -o requirements.txt
	UV_SYSTEM_CERTS=1 $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE) -c requirements.txt requirements-dev.in -o requirements-dev.txt
	UV_SYSTEM_CERTS=1 $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE) requirements-peers.in -o requirements-peers.txt

.PHONY: clean
clean: ## Remove what can be made again; never the data
	rm -rf $(VENV) $(PEERS_VENV) staticfiles .made locale/*/LC_MESSAGES/*.mo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis

# --- Steps -----------------------------------------------------------------------------------------
$(MADE):
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "This Python cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
		|| echo "uv could not be installed; pip does its work"
	@touch $@

$(RUNTIME): requirements.txt $(MADE)
	$(call install,requirements.txt,$(VENV))
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	$(call install,requirements-dev.txt,$(VENV))
	@touch $@

$(PEERS_RUNTIME): requirements-peers.txt $(MADE)
	@test -x $(PEERS_VENV)/bin/python || $(PYTHON) -m venv $(PEERS_VENV)
	$(call install,requirements-peers.txt,$(PEERS_VENV))
	@touch $@

$(WORDS): $(RUNTIME) $(wildcard locale/*/LC_MESSAGES/*.po)
	@$(BIN)/pybabel --quiet compile --directory=locale --domain='django djangojs'
	@mkdir -p $(@D) && touch $@

$(COLLECTED): $(RUNTIME) dashboard/fonts.py $(shell find static -type f 2>/dev/null)
	@echo "Collecting static files …"
	@$(ALONE) $(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@touch $@
