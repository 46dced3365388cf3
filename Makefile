# Two commands: `make app` serves the page, `make test` runs the tests. Both set everything up.
PYTHON ?= python3
BIN := .venv/bin
# With the locks' Python everybody gets the versions that CI has tested, with another one the newest
# that requirements.txt and pyproject.toml allow.
LOCK_PYTHON := 3.11
VERSION := import sys; print("%d.%d" % sys.version_info[:2])
LOCKED := $(filter $(LOCK_PYTHON),$(shell $(firstword $(wildcard $(BIN)/python) $(PYTHON)) -c '$(VERSION)'))
LOCKS := requirements.lock requirements-test.lock
PAGE := $(if $(LOCKED),--require-hashes -r requirements.lock,-r requirements.txt)
PINS := $(if $(LOCKED),--constraint requirements-test.lock)
TORCH := $(shell grep '^torch[=>]' $(if $(LOCKED),requirements-test.lock,requirements.txt))
# Without an NVIDIA GPU, PyTorch's own index has a build without several GB of CUDA libraries.
# Empty (make app TORCH_INDEX=) takes torch from where everything else comes from.
TORCH_INDEX ?= $(if $(shell command -v nvidia-smi),,https://download.pytorch.org/whl/cpu)

.PHONY: app test train-deps format lock clean

app: .venv/app
	$(BIN)/python app.py

# Two processes with a thread each: PyTorch's threads would wait for each other.
test: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

train-deps: .venv/train

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Keeps the versions that are in the locks where it can; UPGRADE=--upgrade takes the newest. The
# tests' lock comes first: it is about all there is, the page's takes its part of the same versions.
lock: export CUSTOM_COMPILE_COMMAND := make lock
lock: COMPILE := $(BIN)/python -m piptools compile --quiet --strip-extras --no-emit-options \
	--no-emit-index-url --no-emit-find-links $(UPGRADE)
lock: .venv/torch
	@test -n "$(LOCKED)" || { echo "The locks are made with Python $(LOCK_PYTHON)"; exit 1; }
	$(BIN)/python -m pip install --quiet "pip-tools>=7.6"
	$(COMPILE) --all-extras --no-annotate --output-file requirements-test.lock pyproject.toml
	sed -i -e '/^avatar-model /d' -e 's/^\(torch==[0-9.]*\).*/\1/' requirements-test.lock
	grep -v '^torch' requirements.txt | $(COMPILE) --generate-hashes \
	  --constraint requirements-test.lock --output-file requirements.lock -

clean:
	rm -rf .venv

# Debian without python3-venv leaves a broken folder behind: remove it and say what to do.
$(BIN)/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo; \
	  echo "Cannot make a virtual environment. On Debian or Ubuntu: sudo apt-get install python3-venv"; \
	  exit 1; }

.venv/torch: requirements.txt $(LOCKS) | $(BIN)/python
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --retries 1 --index-url $(TORCH_INDEX) "$(TORCH)" ||) \
	  $(BIN)/python -m pip install "$(TORCH)"
	touch $@

.venv/app: .venv/torch
	$(BIN)/python -m pip install $(PAGE)
	touch $@

.venv/train: .venv/app pyproject.toml
	$(BIN)/python -m pip install $(PINS) -e '.[train]'
	touch $@

.venv/test: .venv/app pyproject.toml
	$(BIN)/python -m pip install $(PINS) -e '.[test]'
	touch $@
