# Thin: each line is a public command. `make demo` and `make test` need Python 3.11 and make.

PYTHON ?= python3
BIN := .venv/bin
DEMO := LATENT_PROBES_HOME=demo $(BIN)/latent-probes

# The page of the explorer, bundled with its libraries.
PAGE := python/latent_probes/explorer/static/index.html
NODE := PATH="$(CURDIR)/$(BIN):$$PATH"

INSTALL := $(BIN)/python -m pip install --quiet --no-compile --require-hashes --no-deps
LOCKED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
COMPILE := uv pip compile pyproject.toml $(LOCKED)
# What requirements.lock lacks.
COMPILE_EXTRA = $(COMPILE) --constraint requirements.lock --no-emit-package dbt-core-experimental-parser \
	$$(sed -n 's/^\([^ =]*\)==.*/--no-emit-package \1/p' requirements.lock)

# Commands run SQL that dbt compiles, once per change of the project: here, so that none waits for it.
COMPILE_PROJECT := $(BIN)/python -c "from latent_probes import warehouse; warehouse.compile_here()"

.PHONY: demo explore explorer test test-rounds test-dbt test-local-models test-oracle test-inspect test-browser test-cluster
.PHONY: screenshots
.PHONY: lint lint-explorer soak bench docs lock

demo: .venv/installed
	$(DEMO) land sample/rollouts.jsonl
	$(DEMO) run --provider recorded
	$(DEMO) export
	@echo "Read its probes in a browser: make explore"

explore: $(PAGE)
	$(DEMO) explore

explorer: $(PAGE)

test: .venv/installed
	$(BIN)/python -m pytest

test-rounds: .venv/installed
	$(BIN)/python -m pytest -m "rounds and not soak"

test-dbt: .venv/installed
	$(BIN)/python -m pytest -n 0 -m dbt

test-local-models: .venv/installed-lm
	$(BIN)/python -m pytest -m "local_models and not soak"

test-oracle: .venv/installed-lm .venv/installed-oracle
	$(BIN)/python -m pytest -n 0 -m "oracle and not soak"

test-inspect: .venv/installed-inspect
	$(BIN)/python -m pytest -m "inspect and not soak"

test-browser: $(PAGE)
	$(BIN)/python -m pytest -n 0 -m browser

screenshots: $(PAGE)
	$(BIN)/python bench/screenshots.py demo/export

test-cluster: .venv/installed-lm .venv/installed-cluster
	$(BIN)/python -m pytest -n 0 -m "cluster and not soak"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 models tests

lint-explorer: explorer/node_modules/.package-lock.json
	cd explorer && $(NODE) npm run check

soak: .venv/installed-lm .venv/installed-docs
	$(BIN)/python -m pytest -m soak --dist load

bench: .venv/installed
	$(BIN)/python bench/rebuild.py
	$(BIN)/python bench/full_size.py --documents 300
	$(BIN)/python bench/rollouts.py
	$(BIN)/python bench/repair.py
	$(BIN)/python bench/batches.py
	$(BIN)/python bench/landing.py
	$(BIN)/python bench/export.py
	$(BIN)/python bench/coverage.py
	$(BIN)/python bench/hardness.py
	$(BIN)/python bench/commitment.py
	$(BIN)/python bench/leaderboard.py
	$(BIN)/python bench/choices.py
	$(BIN)/python bench/lenses.py
	$(BIN)/python bench/giveaways.py
	$(BIN)/python bench/overlaps.py
	$(BIN)/python bench/defects.py
	$(BIN)/python bench/drawn_atoms.py demo

docs: demo .venv/installed-docs
	LATENT_PROBES_HOME=demo $(BIN)/python docs/site/make.py site

# dbt-core depends on a parser that only --use-v2-parser needs and that cannot be built from a
# registry alone. So the lock leaves it out and is installed with --no-deps. The pip of Python 3.11
# takes three times as long as today's.
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv --upgrade-deps .venv
	$(INSTALL) -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(COMPILE_PROJECT)
	touch $@

# An extra. Of lm, torch is that for CPUs: with a GPU, install a build for it instead.
.venv/installed-%: requirements-%.lock .venv/installed
	$(INSTALL) -r $<
	touch $@

explorer/node_modules/.package-lock.json: .venv/installed-explorer explorer/package.json explorer/package-lock.json
	cd explorer && $(NODE) npm ci --silent
	touch $@

$(PAGE): explorer/node_modules/.package-lock.json explorer/build.mjs $(wildcard explorer/src/*) python/latent_probes/queue/prompts/judge.md
	cd explorer && $(NODE) npm run --silent build

# Needs uv, which resolves only registries' builds of torch, so its hashes are maintained by hand.
lock:
	$(COMPILE) --extra dev --no-emit-package dbt-core-experimental-parser --output-file requirements.lock
	uv pip compile requirements-lm.in --no-deps $(LOCKED) \
		--no-emit-package torch --output-file requirements-lm.lock
	sed -n '/^torch==/,$$p' requirements-lm.in >> requirements-lm.lock
	$(COMPILE_EXTRA) --extra oracle --no-deps --output-file requirements-oracle.lock
	$(COMPILE_EXTRA) --extra inspect --constraint requirements-lm.lock --output-file requirements-inspect.lock
	$(COMPILE_EXTRA) --extra docs --output-file requirements-docs.lock
	$(COMPILE_EXTRA) --extra explorer --output-file requirements-explorer.lock
	$(COMPILE_EXTRA) --extra cluster-test --constraint requirements-lm.lock \
		--constraint requirements-inspect.lock --output-file requirements-cluster.lock
