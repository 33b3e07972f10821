# Everything here needs Python 3.11 or newer and make, and installs what else it needs into .venv.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
RUNS ?= 200
ROUNDS ?= 200
REQUESTS ?= 10000
PEOPLE ?= 1000
VENV := .venv
RUN := $(VENV)/bin/python
# An environment of its own: schemathesis is a plugin of pytest, which every other run would load.
CONTRACT := $(VENV)-contract
# Without what starts servers and sites, which `make test-services` runs.
IN_ONE_PROCESS := -n auto --dist worksteal -m "not processes"
REPORT = $(RUN) -m coverage combine --quiet && $(RUN) -m coverage report
# With UNDER="-m coverage run" what `make test` runs is measured, and `make coverage-rest` adds the other half.
UNDER ?=
# Otherwise every process of every run compiles the tests again, which takes longer than to collect them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-services contract slow coverage coverage-rest attack attack-proof soak bench arrival-report guard-report lint docs package messages clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

demo: $(VENV)/ready ## run the demo site with nine sandbox vendors (HOST=127.0.0.1 PORT=8000)
	@$(RUN) example_project/manage.py demo --host $(HOST) --port $(PORT)

test: $(VENV)/test ## run the tests but for the slow ones
	$(RUN) $(UNDER) -m pytest -m "not slow" -n auto --dist worksteal $(ARGS)

test-all: $(VENV)/test test-services ## run the slow ones, too, and on every database, cache and broker that is reachable
	$(RUN) -m pytest $(IN_ONE_PROCESS) $(ARGS)

test-services: $(VENV)/test $(VENV)/services
	@$(RUN) -m tests.matrix

slow: $(VENV)/test ## run the slow ones that neither `make coverage` nor `make test-services` runs
	$(RUN) -m pytest -m "slow and not further_case and not processes" -n auto --dist worksteal $(ARGS)

contract: $(VENV)/test $(CONTRACT)/ready ## try what the OpenAPI schema says on the demo, and compile a TypeScript client
	REQUIRE_SERVICES=1 $(RUN) -m pytest tests/demo/test_demo_contract.py $(ARGS)

coverage: $(VENV)/test $(VENV)/adapters ## measure branch coverage without the slow ones, but with each case of the others
	$(RUN) -m coverage erase
	$(RUN) -m coverage run -m pytest -m "not slow or further_case" -n auto --dist worksteal $(ARGS)
	$(REPORT)

coverage-rest: $(VENV)/test $(VENV)/adapters
	$(RUN) -m coverage run -m pytest -m "further_case or adapters" -n auto --dist worksteal $(ARGS)
	$(REPORT)

attack: $(VENV)/test ## try every attack of the catalogue on the app
	$(RUN) -m pytest tests/attacks -n auto --dist worksteal $(ARGS)

attack-proof: $(VENV)/test ## take out the defence against each attack, which must succeed then (ARGS="pumping.one_network")
	@$(RUN) -m tests.attacks.prove $(ARGS)

soak: $(VENV)/test $(VENV)/services ## kill, race and misbehave for 75 minutes (RUNS=200 a point, ROUNDS=200, REQUESTS=10000)
	RUNS=$(RUNS) REQUIRE_SERVICES=1 $(RUN) -m pytest tests/crash -k "PostgreSQL or MariaDB" $(ARGS)
	ROUNDS=$(ROUNDS) REQUIRE_SERVICES=1 $(RUN) -m pytest tests/processes -k "PostgreSQL or MariaDB" $(ARGS)
	REQUESTS=$(REQUESTS) $(RUN) -m pytest tests/test_soak.py $(ARGS)

bench: $(VENV)/test $(VENV)/services ## measure instructions and load, beside the floor and other apps (minutes)
	$(RUN) -m benchmarks.suite $(ARGS)

arrival-report: $(VENV)/test ## simulate how soon codes arrive while vendors fail (PEOPLE=1000 of each carrier)
	@$(RUN) -m benchmarks.arrival --people $(PEOPLE)

guard-report: $(VENV)/test ## simulate attacks and honest days, and what the guard makes of them (minutes)
	@$(RUN) -m benchmarks.guard

lint: $(VENV)/lint ## check style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy django_smsverify example_project tests benchmarks

docs: $(VENV)/docs ## build the documentation into docs/_build/html
	$(RUN) -m sphinx -W --keep-going -b html docs docs/_build/html

package: $(VENV)/package ## build what is released into dist/, check it, and try it in an environment of its own
	rm -rf dist
	$(RUN) -m build --quiet
	$(RUN) -m twine check --strict dist/*
	$(RUN) tests/try_package.py dist/*.whl
	$(RUN) tests/try_package.py dist/*.tar.gz

messages: $(VENV)/lint ## collect and compile the translations (needs GNU gettext)
	cd django_smsverify && ../$(RUN) -P -m django makemessages --locale zh_Hans --no-location
	cd django_smsverify && ../$(RUN) -P -m django compilemessages --locale zh_Hans

clean: ## remove what these commands made
	rm -rf $(VENV) $(CONTRACT) .venv-bench .tox .coverage* .mypy_cache .pytest_cache .ruff_cache dist docs/_build example_project/var

$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable . --group demo
	@touch $@

$(CONTRACT)/ready: pyproject.toml tests/demo/contract/package-lock.json
	$(PYTHON) -m venv $(CONTRACT)
	$(CONTRACT)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(CONTRACT)/bin/python -m pip install --quiet --disable-pip-version-check --group contract
	cp tests/demo/contract/package*.json $(CONTRACT)
	PATH="$(CURDIR)/$(CONTRACT)/bin:$$PATH" npm ci --prefix $(CONTRACT) --no-audit --no-fund --silent
	@touch $@

$(VENV)/test $(VENV)/adapters $(VENV)/services $(VENV)/lint $(VENV)/docs $(VENV)/package: $(VENV)/%: $(VENV)/ready
	$(RUN) -m pip install --quiet --disable-pip-version-check --group $*
	@touch $@
