# Two commands do everything on a machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev

.PHONY: demo test check docs test-browser bench clean

demo: $(RUN)
	$(BIN)/stillwatch demo

test: $(DEV)
	$(BIN)/python -m pytest

check: $(DEV)
	$(BIN)/ruff check src tests trials
	$(BIN)/ruff format --check src tests trials
	$(BIN)/mypy

docs: $(DEV)
	$(BIN)/python -m stillwatch.doors.manual docs/reference

# Needs Chromium and npm, which .ci/run installs; that one of them or axe is missing is a failure, never a skip.
test-browser: $(DEV) tests/browser/node_modules/.run
	$(BIN)/python -m pytest tests/browser

tests/browser/node_modules/.run: tests/browser/package.json tests/browser/package-lock.json
	cd tests/browser && npm ci --no-audit --no-fund
	touch $@

bench: $(DEV)
	$(BIN)/python trials/speed.py

$(RUN): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(DEV): requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(RUN) $@

clean:
	rm -rf $(VENV) out build dist
