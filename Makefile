# Two commands do everything on a machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
VENV_LONG := .venv-long
LONG := $(VENV_LONG)/.long
VENV_SPARK := .venv-spark
SPARK := $(VENV_SPARK)/.spark
VENV_PLACES := .venv-places
PLACES := $(VENV_PLACES)/.places
FUZZ ?= 10000
SEED ?= 0
CALLS ?= 1000000

.PHONY: demo demo-exchange test check docs test-long test-places test-spark test-exchange fuzz test-browser bench bench-scale profile trial trial-small clean

demo: $(RUN)
	$(BIN)/stillwatch demo

# Three members of an exchange on this machine, end to end.
demo-exchange: $(DEV)
	$(BIN)/python trials/exchange_demo.py

# As many processes as there are processors, four at most for their memory, file by file.
test: $(DEV)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(DEV)
	$(BIN)/ruff check src tests trials
	$(BIN)/ruff format --check src tests trials
	$(BIN)/mypy
	MYPYPATH=trials $(BIN)/mypy --implicit-reexport --no-warn-return-any trials

docs: $(DEV)
	$(BIN)/python -m stillwatch.doors.manual docs/reference

# With the real writers of foreign logs, notebooks and data frames installed; there a skip is a failure.
test-long: $(LONG)
	STILLWATCH_NO_SKIP=1 $(VENV_LONG)/bin/python -m pytest tests/test_written_formats.py tests/test_notebook.py tests/test_api.py

# Scans on a real Apache Spark. Needs Java 17 or later, which .ci/run installs; that it is missing is a failure, never a skip.
test-spark: $(SPARK)
	STILLWATCH_NO_SKIP=1 $(VENV_SPARK)/bin/python -m pytest tests/spark

# Members' servers, clients and matching between processes, PostgreSQL and OpenSSL among them, which .ci/run installs; there a skip is a failure.
test-exchange: $(DEV)
	STILLWATCH_NO_SKIP=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile tests/exchange

# Against real servers and tables on this machine: S3, Cloud Storage, Azure, Delta, Iceberg, ClickHouse's engine, PostgreSQL, DuckDB. Needs npm and
# PostgreSQL's programs, which .ci/run installs; there a skip is a failure.
test-places: $(PLACES) tests/places/node_modules/.run
	STILLWATCH_NO_SKIP=1 $(VENV_PLACES)/bin/python -m pytest tests/places

tests/places/node_modules/.run: tests/places/package.json tests/places/package-lock.json
	cd tests/places && npm ci --no-audit --no-fund
	touch $@

# FUZZ damaged files a format and test, dealt to two processes; another SEED draws others.
fuzz: $(DEV)
	@export STILLWATCH_FUZZ=$(FUZZ) STILLWATCH_FUZZ_SEED=$(SEED); \
	STILLWATCH_FUZZ_PART=1/2 $(BIN)/python -m pytest -p no:cacheprovider tests/fuzz & first=$$!; \
	STILLWATCH_FUZZ_PART=2/2 $(BIN)/python -m pytest -p no:cacheprovider tests/fuzz; second=$$?; \
	wait $$first && exit $$second

# Needs Chromium and npm, which .ci/run installs; that one of them or axe is missing is a failure, never a skip.
test-browser: $(DEV) tests/browser/node_modules/.run
	$(BIN)/python -m pytest tests/browser

tests/browser/node_modules/.run: tests/browser/package.json tests/browser/package-lock.json
	cd tests/browser && npm ci --no-audit --no-fund
	touch $@

bench: $(DEV)
	$(BIN)/python trials/speed.py

# Where the time of a scan goes.
profile: $(DEV)
	$(BIN)/python trials/where.py

# CALLS calls and their history are made (28800000 is the largest disclosed campaign's log: 20 GB of disk), scanned, and read plainly beside.
bench-scale: $(DEV)
	$(BIN)/python trials/scale/make.py --calls $(CALLS) --out out/scale/log --history out/scale/history
	$(BIN)/python trials/scale/bench.py out/scale/log --history out/scale/history --out out/scale/bench.json

# Every documented campaign planted and scanned, and worlds of innocents alone: hours. It can be stopped and goes on where it was. CORPORA: a folder of corpora, for texts
# other than the project's own small one.
trial: $(DEV)
	$(BIN)/python trials/trial.py run --work out/trial --tier full $(if $(CORPORA),--corpora $(CORPORA))
	$(BIN)/python trials/trial.py run --work out/trial --tier worlds $(if $(CORPORA),--corpora $(CORPORA))
	$(BIN)/python trials/trial.py tell --work out/trial --kept

# Two campaigns and four worlds, small: minutes.
trial-small: $(DEV)
	$(BIN)/python trials/trial.py run --work out/trial-small --tier small
	$(BIN)/python trials/trial.py tell --work out/trial-small --into out/trial-small/trial.md

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

$(LONG): requirements-long.lock pyproject.toml
	$(PYTHON) -m venv $(VENV_LONG)
	$(VENV_LONG)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-long.lock
	$(VENV_LONG)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(SPARK): requirements-spark.lock pyproject.toml
	$(PYTHON) -m venv $(VENV_SPARK)
	$(VENV_SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	$(VENV_SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(PLACES): requirements-places.lock pyproject.toml
	$(PYTHON) -m venv $(VENV_PLACES)
	$(VENV_PLACES)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-places.lock
	$(VENV_PLACES)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) $(VENV_LONG) $(VENV_PLACES) $(VENV_SPARK) out build dist
