# Few words, the same here and in CI. Everything is set up on first use; nothing needs a key.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
NODE   := $(shell command -v node 2>/dev/null)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
unexport PYTHONDONTWRITEBYTECODE # kernels and workers would compile everything anew, each of them

.PHONY: demo lab test check unit js bench bench-full chaos supply minimal docs clean help

help: ## what each word does
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "l0 needs Python 3.11 or newer; try make PYTHON=python3.13")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[fast,lab]" --group dev --group docs
	@touch $@

demo: $(READY) ## a stream is broken and saved, in the terminal and in a notebook
	@$(BIN)/l0 demo --record demo/runs.db
	@echo
	@echo "The tour, executed headless:"
	@$(BIN)/jupyter nbconvert --log-level ERROR --to html --execute notebooks/00_tour.ipynb --output-dir demo
	@echo "  demo/00_tour.html is written; open it in a browser, or run 'make lab' and try it live."

lab: $(READY) ## JupyterLab with the tutorials
	$(BIN)/jupyter lab --notebook-dir notebooks

test: ## everything: style, types, layers, front-end, Python, notebooks, browser
	@$(MAKE) --no-print-directory -j2 js check
	@$(MAKE) --no-print-directory unit

check: $(READY) ## style, types and the layers of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: $(READY) ## the Python tests; the browser's where a Chromium is there
	$(BIN)/pytest -n auto -m "not kernel and not browser"
	$(BIN)/pytest -n 3 --dist loadgroup -m "(kernel or browser) and not alone"
	$(BIN)/pytest -m alone tests/browser

js: $(READY) ## the front-end: types, tests, and that the committed build is the one of its sources
ifeq ($(NODE),)
	@echo "node is not installed: the front-end tests are left out (the built widgets are committed)"
else
	cd js && npm install --silent --no-audit --no-fund --no-package-lock
	cd js && npm run --silent check && npm test --silent && npm run --silent verify
endif

bench: $(READY) ## the bars of docs/performance.md, as ratios, in two minutes
	$(BIN)/python bench/run.py

bench-full: $(READY) ## the same up to a million tokens and 10,000 streams
	$(BIN)/python bench/run.py --full

chaos: $(READY) ## every fault on every way, 100,000 random runs, a soak and fifty kills
	$(BIN)/l0 chaos
	HYPOTHESIS_PROFILE=chaos $(BIN)/pytest tests/stream/test_random_faults.py -n auto
	$(BIN)/python bench/soak.py --minutes 1

supply: $(READY) ## the wheel installed and used where there is no network and no node
	$(BIN)/python tools/licences.py
	$(BIN)/python tools/offline.py

minimal: $(READY) ## the tests with the lowest versions that pyproject.toml allows
	$(BIN)/python tools/minimal.py

docs: $(READY) ## the code in the documentation runs, and the site is built into site/
	$(BIN)/python docs/generate.py --check
	$(BIN)/pytest tests/test_docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site is in site/; read it with: $(BIN)/python -m http.server -d site -b 127.0.0.1"

clean: ## everything that was made here
	rm -rf $(VENV) demo site build dist js/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
