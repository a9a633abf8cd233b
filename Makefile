# make demo: train the default GAN on real digits. make test: lint, types and the whole test suite.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint wheel clean

demo: $(VENV)/.installed
	@echo "== gan-train: a DCGAN learns 5,000 handwritten digits"
	$(BIN)/gan-train

test: $(VENV)/.dev lint
	@echo "== tests"
	$(BIN)/python -m pytest -n 2 --dist loadscope

lint: $(VENV)/.dev
	@echo "== lint and types"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel: $(VENV)/.dev
	@echo "== wheel"
	rm -rf dist
	$(BIN)/python -m build --wheel --sdist --outdir dist .

$(VENV)/bin/python:
	@echo "== a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "gan_cli needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "== installing gan_cli and what it needs (torch is large: a few minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	@echo "== installing gan_cli with its developer tools (torch is large: a few minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
