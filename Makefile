# Everything sets itself up: Python 3.11 or newer and make are enough.
PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
UV      := $(BIN)/uv
READY   := $(VENV)/.ready
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# Benchmark data beside the checkout are used where they exist; nothing is downloaded for tests.
ifneq ($(wildcard ../shared/data),)
export SAFECOT_DATA_DIR ?= $(abspath ../shared/data)
endif
export TOKENIZERS_PARALLELISM := false
# Without bytecode every process compiles lmms-eval, torch and transformers anew, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
export HF_HUB_OFFLINE ?= 1

.PHONY: fuzz setup docs demo study paper test test-fast test-full check bench browser lock clean

setup: $(READY)

$(READY): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --python $(BIN)/python --no-deps --require-hashes -r requirements/dev.txt
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $(READY)

## browser: the page tests need Chromium; where apt is at hand and we may use it, install it
browser:
ifeq ($(CHROMIUM),)
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "No Chromium found: the browser tests will be skipped (install the package 'chromium')."; fi
endif

demo: setup
	$(BIN)/python -m safecot_eval.cli.demo --out demo

## study: the mini study in its long form, about three hours of one core; prints its plan, stops and goes on where it was; give
## the same command again beside it to use another core
study: setup
	$(BIN)/python -m safecot_training.study --out study --report docs/study.md

## paper: SafeCoT's own checkpoints, from their recorded answers; rewrites docs/paper.md
paper: setup
	$(BIN)/safecot paper --out paper --docs docs/paper.md

test: setup browser
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not full"

## test-full: what takes minutes (every model family, long chaos runs); at most 90 minutes; in one process, as its tests share imports
## and tiny models
test-full: setup browser
	$(BIN)/python -m pytest --timeout 3600 -m full

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry . --no-ansi
	$(BIN)/mypy safecot_eval training/safecot_training reports/safecot_reports
	$(BIN)/bandit -q -r safecot_eval training/safecot_training reports/safecot_reports -c pyproject.toml
	$(BIN)/python -m tests.security.scan
	$(BIN)/python -m tests.security.audit

bench: setup
	@for script in bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

## fuzz: every parser of outside input, SECONDS each (a quarter of an hour)
SECONDS_EACH ?= 900
fuzz: setup
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/fuzz.txt
	$(BIN)/python -m tests.fuzz.engine --seconds $(SECONDS_EACH)

## docs: the documentation site, in site/; readable and searchable from the file system
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site/index.html"

## lock: resolve the requirements again (names, versions and hashes; no addresses)
lock: setup
	for name in runtime dev fuzz; do $(UV) pip compile requirements/$$name.in --override requirements/overrides.txt \
	  --python-version 3.11 --universal --generate-hashes --quiet -o requirements/$$name.txt; done

clean:
	rm -rf $(VENV) demo paper runs .pytest_cache .mypy_cache .ruff_cache
