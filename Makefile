# Three doors: demo, test, check. Each makes .venv by itself when it is missing or older than the project's needs.
SERVICE := $(addprefix service-,latency load slow fuzz endurance kill hostile)
.PHONY: demo test test-fast test-pythons check docs graphs page page-check page-latency $(SERVICE)
.PHONY: regions batch-kill batch-poison batch-scaling batch-ray
PYTHON ?= python3
export GOMP_SPINCOUNT ?= 5000# as `localsr` itself: on a busy machine tests would spin for an hour
BIN := .venv/bin
SIDE_BY_SIDE ?= -n 2 --dist loadfile
PHOTO = $(shell $(BIN)/python -c "import matplotlib.cbook as c; print(c.get_sample_data('grace_hopper.jpg', asfileobj=False))")

demo: .venv/made ## restore three regions of a real photo: build/demo.png
	@echo "demo: restoring the cap's badge, the glasses and the name plate of a photo that comes with matplotlib"
	@mkdir -p build
	@$(BIN)/localsr restore "$(PHOTO)" --box 210,22,108,84 --box 184,150,108,84 --box 68,458,108,84 --precision fp32 -o build/demo --compare build/demo.png
	@echo "demo: look at build/demo.png"

test: .venv/made ## run the tests
	@echo "test: running the tests, about ten minutes on two cores"
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-fast: .venv/made ## run the tests that take no seconds
	@echo "test-fast: running all tests but the slow ones, under two minutes on two cores"
	@$(BIN)/python -m pytest -m "not slow" $(SIDE_BY_SIDE)

test-pythons: ## run the fast tests on the other Pythons that pyproject.toml claims, as far as they are here
	@.ci/pythons

check: .venv/made ## lint and types, then the tests
	@echo "check: ruff and mypy, then make test"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(MAKE) --no-print-directory test

regions: .venv/made ## 20,000 generated pictures with regions through every format and back, and as many damaged files
	@echo "regions: about ten minutes"
	@$(BIN)/python -m pytest tests/regions --hypothesis-profile=long --durations=5

batch-kill: .venv/made ## 5,000 pictures, a random worker killed every 5 s, the command itself three times; memory
	@echo "batch-kill: a quarter of an hour or more"
	@$(BIN)/python benchmarks/batch.py kill

batch-poison: .venv/made ## 1,000 pictures, ten of which kill their worker
	@echo "batch-poison: minutes"
	@$(BIN)/python benchmarks/batch.py poison

batch-scaling: .venv/made ## two workers against one, 500 pictures; the same by Ray where it is installed
	@echo "batch-scaling: minutes; the machine should have nothing else to do"
	@$(BIN)/python benchmarks/batch.py scaling

batch-ray: .venv/made ## 2,000 pictures on a Ray cluster of two nodes, one of them killed
	@echo "batch-ray: installs ray (80 MB), then takes minutes"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[ray]'
	@$(BIN)/python benchmarks/batch.py ray

graphs: .venv/made ## make the graphs of the package's networks from their checkpoints, and compare them with torch
	@$(BIN)/python training/graphs.py

docs: .venv/made ## build the documentation into build/docs, strictly
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "docs: open build/docs/index.html"

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
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[train,evaluate,onnx,detect,video,batch,serve,docs,dev]'
	@touch $@
