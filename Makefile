# Every target sets up what it needs and redoes nothing that is unchanged: the files in .venv
# named .runtime-*, .dev-* and .project-* carry a checksum of what was installed.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.SUFFIXES:
.NOTPARALLEL:

# Postgres, Python and sorting behave the same whatever the caller's locale is, or with none.
export LC_ALL := C.UTF-8
export PYTHONUTF8 := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

VENV := .venv
BIN := $(VENV)/bin
# --no-compile: compiling every module of every package takes twice as long as the rest of the setup.
INSTALL := $(BIN)/python -m pip install --quiet --no-deps
LOCKED := $(INSTALL) --no-compile --require-hashes

checksum = $(shell cat $(1) 2>/dev/null | cksum | tr ' ' '-')
MADE := $(VENV)/.made
RUNTIME := $(VENV)/.runtime-$(call checksum,requirements/runtime.txt)
DEV := $(VENV)/.dev-$(call checksum,requirements/dev.txt)
PROJECT := $(VENV)/.project-$(call checksum,pyproject.toml)
ENGINE_LOG := $(VENV)/.engine.log

# A name on the PATH may be a launcher for a version that is not there, so each is run.
find_python = for p in $(PYTHON) $(if $(PYTHON),,python3.14 python3.13 python3.12 python3.11 python3 python); do \
	"$$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
		&& { command -v "$$p"; exit 0; }; \
	done; \
	echo "Sluice needs Python 3.11 or newer with the venv module; found none in: \
	$(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3 python)." >&2; \
	echo "Install one (Debian: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(DEV) $(PROJECT) ## Make .venv with everything that development needs

.PHONY: demo
demo: $(RUNTIME) $(PROJECT) ## Tell the whole story on this machine (KEEP=1 leaves it running)
	@$(BIN)/python -m dev.demo $(if $(filter-out 0,$(KEEP)),--keep)

# On two processors: a good part of the tests wait for something. One that has run out of tests takes half of another's.
PYTEST := $(BIN)/python -m pytest -n 3 --dist worksteal

# The engine is built beside everything that does not need it; its tests come last and wait for it.
.PHONY: test
test: engine-start lint ## Style, types, import contracts, then every test (ARGS="-k name" chooses)
	$(PYTEST) $(ARGS)

.PHONY: engine
engine: setup ## Build the real Pulumi engine for its tests, once, into the user's cache (needs Go)
	@$(BIN)/python -m tools.pulumi.engine
	@$(BIN)/python -m tools.pulumi.engine postgresql

.PHONY: engine-start
engine-start: setup
	@{ nice -n 10 $(BIN)/python -m tools.pulumi.engine; \
		nice -n 10 $(BIN)/python -m tools.pulumi.engine postgresql; } >$(ENGINE_LOG) 2>&1 &

.PHONY: engine-test
engine-test: setup ## The tests of the real Pulumi engine only
	$(PYTEST) tests/engine $(ARGS)

.PHONY: lint
lint: setup ## Style, types and import contracts; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: setup ## Format the code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: golden
golden: setup ## Regenerate the golden folders; review the difference
	$(BIN)/python -m tests.golden.regenerate

.PHONY: pages
pages: setup ## Write the documentation pages that follow from the code
	$(BIN)/python -m tools.pages

.PHONY: samples
samples: setup ## Write the samples of docs/migrations.md, by running their story on a real Postgres
	$(BIN)/python -m tools.samples

# dev.txt is solved first, as the superset; the smaller sets take its versions, and so does bench, which comes beside it.
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --no-progress --universal \
	--python-version 3.11 --generate-hashes

.PHONY: lock
lock: $(DEV) ## Solve requirements/*.in into hash-pinned *.txt (UPGRADE=1 takes newer versions)
	$(LOCK) $(if $(filter-out 0,$(UPGRADE)),--upgrade) requirements/dev.in -o requirements/dev.txt >/dev/null
	$(LOCK) -c requirements/dev.txt requirements/runtime.in -o requirements/runtime.txt >/dev/null
	$(LOCK) -c requirements/dev.txt requirements/sink.in -o requirements/sink.txt >/dev/null
	$(LOCK) -c requirements/dev.txt requirements/bench.in -o requirements/bench.txt >/dev/null
	$(LOCK) $(if $(filter-out 0,$(UPGRADE)),--upgrade) requirements/second_sqs.in -o requirements/second_sqs.txt >/dev/null

.PHONY: campaign
campaign: setup ## Prove the sink at length, in the background; goes on where it stopped (hours)
	@$(BIN)/python -m tests.campaigns.sink --detach

CACHES := .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist

.PHONY: clean
clean: ## Stop the embedded environment; remove .venv, .sluice and every cache
	@for project in . .demo; do \
		if [ -e $$project/.sluice ] && [ -x $(BIN)/sluice ]; then $(BIN)/sluice --project $$project dev down; fi; \
	done
	rm -rf .sluice .demo $(VENV) $(CACHES)
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@python="$$($(find_python))" && echo "making $(VENV) with $$python" && "$$python" -m venv --clear $(VENV)
	@touch $@

$(RUNTIME): $(MADE)
	$(LOCKED) -r requirements/runtime.txt
	@rm -f $(VENV)/.runtime-* && touch $@

$(DEV): $(RUNTIME)
	$(LOCKED) -r requirements/dev.txt
	@rm -f $(VENV)/.dev-* && touch $@

# The build backend is in the lock, so no index is asked.
$(PROJECT): $(RUNTIME)
	$(INSTALL) --no-build-isolation --editable .
	@rm -f $(VENV)/.project-* && touch $@
