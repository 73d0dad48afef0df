# Each target makes its own .venv when it is missing; PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTS ?= tests
# More workers than cores: the tests mostly wait for servers. Which of them stay together: tests/scheduling.py.
WORKERS ?= 4

.PHONY: demo test check bench pictures format clean

demo: $(STAMP)
	$(BIN)/countersign demo $(ARGS)

test: check
	$(BIN)/python -m pytest -q -n $(WORKERS) $(TESTS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -ll -c pyproject.toml -r bot handlers config

bench: $(STAMP)
	$(BIN)/python -m tests.bench

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Countersign needs Python 3.11 or newer; say PYTHON=python3.12 make ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --constraint constraints.txt ISLP
	touch $(STAMP)

clean:
	rm -rf $(VENV) var build *.egg-info

pictures: $(STAMP)
	$(BIN)/python -m docs.take_pictures
