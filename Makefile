# Three doors: demo, test, check. Each makes .venv by itself when it is missing or older than the project's needs.
SERVICE := $(addprefix service-,latency load slow fuzz endurance kill)
.PHONY: demo test check page page-check page-latency $(SERVICE)
PYTHON ?= python3
BIN := .venv/bin
PHOTO = $(shell $(BIN)/python -c "import matplotlib.cbook as c; print(c.get_sample_data('grace_hopper.jpg', asfileobj=False))")

demo: .venv/made ## restore three regions of a real photo: build/demo.png
	@echo "demo: restoring the cap's badge, the glasses and the name plate of a photo that comes with matplotlib"
	@mkdir -p build
	@$(BIN)/localsr restore "$(PHOTO)" --box 210,22,108,84 --box 184,150,108,84 --box 68,458,108,84 -o build/demo --compare build/demo.png
	@echo "demo: look at build/demo.png"

test: .venv/made ## run the tests
	@echo "test: running the tests, about four minutes on two cores"
	@$(BIN)/python -m pytest

check: .venv/made ## lint and types, then the tests
	@echo "check: ruff and mypy, then make test"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(MAKE) --no-print-directory test

page: ## build the page from web/ into the package; needs node 20.19 or newer
	@cd web && npm ci --silent && npm run --silent build

page-check: ## build the page anew, and compare it with the committed one
	@echo "page-check: building web/ into build/page"
	@cd web && npm ci --silent && npm run --silent check && npx vite build --logLevel warn --outDir ../build/page --emptyOutDir
	@diff -r build/page src/localsr/serving/page || { echo "the committed page is not what web/ gives: make page"; exit 1; }

page-latency: .venv/made ## measure from the end of a drag to sharp pixels, in Chromium
	@$(BIN)/python benchmarks/page.py

$(SERVICE): service-%: .venv/made ## the long form of a check of the service: minutes, a table, and a failure where a bar is missed
	@echo "$@: benchmarks/service_$*.py"
	@$(BIN)/python benchmarks/service_$*.py

.venv/made: pyproject.toml constraints.txt
	@echo "installing into .venv: about a minute"
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'localsr needs Python 3.11 or newer')"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[train,evaluate,serve,dev]'
	@touch $@
