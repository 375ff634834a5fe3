# Two commands: `make demo` shows the whole loop, `make test` checks everything. Both need Python 3.11, curl and a
# package index. Set on the command line (make demo ONCE=1), never taken from the environment: `clean` deletes VENV.

PYTHON = $(shell command -v python3.11 || command -v python3)
VENV = .venv
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check
ONCE =
PORT = 8080

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports unit proto clean

help: ## Show this list.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## Train on real pictures, publish, serve, answer one picture; ONCE=1 ends after the answer.
	$(VENV)/bin/pictor demo --port $(PORT) $(if $(ONCE),--once)

test: lint types imports unit ## Run every check and every test.

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev
	$(VENV)/bin/mypy

imports: $(VENV)/.dev
	$(VENV)/bin/lint-imports

unit: $(VENV)/.dev
	$(VENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile

proto: $(VENV)/.dev ## Write serving_pb2 anew after a change of serving.proto.
	cd serving && ../$(VENV)/bin/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. \
		pictor_tfs/wire/serving.proto

clean: ## Remove the virtual environment and what the demo wrote.
	rm -rf $(VENV) demo

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pictor needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[serving,training]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
