# make demo: train the default GAN on real digits. make test: lint, types and the whole test suite.
# make docs: build the documentation. make reference: rewrite its tables after a change of a key.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint wheel docs reference clean

demo: $(VENV)/.installed
	@echo "== gan-train: a DCGAN learns 5,000 handwritten digits"
	$(BIN)/gan-train

test: $(VENV)/.dev lint
	@echo "== tests"
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

lint: $(VENV)/.dev
	@echo "== lint and types"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel: $(VENV)/.dev
	@echo "== wheel"
	rm -rf dist
	$(BIN)/python -m build --wheel --sdist --outdir dist .

docs: $(VENV)/.dev
	@echo "== the documentation, in site/"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

reference: $(VENV)/.dev
	$(BIN)/python scripts/docs_reference.py

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
	rm -rf $(VENV) dist build site .pytest_cache .mypy_cache .ruff_cache
