# The project's verbs. CI calls the same ones.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Three for each two cores: many tests wait for the processes that they start.
AT_ONCE := $(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )))

.PHONY: demo test test-fast test-slow test-torch test-xla lint bench register schema docs lock clean compiled

demo: $(READY)  ## Install, then run the main job offline on the embedded data set.
	$(BIN)/audiocls sweep launch dropout --wandb offline

test: compiled  ## Everything that a change must pass.
	$(MAKE) --no-print-directory -j2 lint test-fast

test-fast: compiled
	$(BIN)/pytest -n $(AT_ONCE) --dist worksteal -m "not slow"

test-slow: compiled  ## What takes minutes: two tests at a time, then those that run alone.
	$(BIN)/pytest -n 2 --dist worksteal -m "slow and not alone"
	$(BIN)/pytest -m "slow and alone"

test-torch: $(READY)  ## With the oldest torch that is allowed, and with the newest: 6 GB each.
	.ci/torch_versions

test-xla: $(READY)  ## The step of every model on XLA, on the CPU: two minutes.
	.ci/xla

# Once for the hundreds of processes that tests start, which may be told to write no bytecode.
compiled: $(READY)
	$(BIN)/python -m compileall -q audiocls

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)  ## Speed, measured side by side on a quiet machine.
	$(BIN)/python benchmarks/sweep_throughput.py

register: $(READY)  ## Write sweeps/*.yaml from ablations/*.yaml.
	$(BIN)/audiocls ablation register --all

schema: $(READY)  ## Write the JSON Schemas of the YAML grammar, and the generated reference.
	$(BIN)/python docs/schema.py
	$(BIN)/python docs/api.py
	$(BIN)/python docs/keys.py
	$(BIN)/python docs/commands.py

docs: $(READY)  ## Build the documentation as a site: build/docs/index.html.
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html docs build/docs

# The frozen metrics are those of one torch, to the bit.
lock:  ## Pin what pyproject.toml allows, for every platform.
	echo '# What the tests ran with: `make lock` writes it anew from pyproject.toml.' > requirements.lock
	echo 'torch==2.11.*' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev \
		--constraint - --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
		pyproject.toml >> requirements.lock

# W&B's sweep package holds the JSON Schema that tests check against; its own pins are of no use.
$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps sweeps==0.3.0 --editable .
	touch $(READY)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache dist
