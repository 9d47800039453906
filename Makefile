# Everything sets itself up: a fresh clone needs Python 3.11+, make, git and the package registries.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8333
# Passed to every pip install, for example --index-url for CPU wheels of torch.
TOCSIN_PIP_ARGS ?=

.PHONY: demo setup test test-all check serve bench lock parts screenshots

demo: setup  ## the bot, a local workspace and a sample shop; prints the page's address
	@$(BIN)/tocsin demo --port $(PORT)

setup: .venv/.ready  ## the virtual environment with the locked dependencies

.venv/.ready: requirements.lock pyproject.toml
	@echo "setting up .venv (the first time takes some minutes: torch and friends are large)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "  1/3 torch" && $(BIN)/pip install -q --disable-pip-version-check $(TOCSIN_PIP_ARGS) "$$(grep '^torch==' requirements.lock)"
	@echo "  2/3 the rest" && $(BIN)/pip install -q --disable-pip-version-check $(TOCSIN_PIP_ARGS) -r requirements.lock
	@echo "  3/3 tocsin" && $(BIN)/pip install -q --disable-pip-version-check $(TOCSIN_PIP_ARGS) --no-deps -e .
	@touch $@

parts:  ## real parts that tests drive: Chromium and Node.js by apt when root, else one line says what is missing
	@sh scripts/real_parts.sh

test: setup  ## the quick suite
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not shared_data" -q

test-all: setup parts  ## the slow part of the suite: real processes killed, a real browser, evaluation data
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or shared_data" -q

check: setup  ## lint, format, types, import rules, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_docs.py

serve: setup  ## the bot with the settings of this folder
	$(BIN)/tocsin serve

bench: setup  ## the figures of docs/benchmarks.md
	$(BIN)/python -m tests.bench

screenshots: setup parts  ## the pictures of docs/deploys.md, from the demo in a real browser; look at them before you commit them
	$(BIN)/python scripts/screenshots.py

lock:  ## resolve pyproject.toml anew into requirements.lock
	$(PYTHON) scripts/lock.py
