# Two commands: `make app` serves the page, `make test` runs the tests. Both set everything up.
PYTHON ?= python3
BIN := .venv/bin
TORCH := torch>=2.8,<2.14
# Without an NVIDIA GPU, PyTorch's own index has a build without several GB of CUDA libraries.
# Empty (make app TORCH_INDEX=) takes torch from where everything else comes from.
TORCH_INDEX ?= $(if $(shell command -v nvidia-smi),,https://download.pytorch.org/whl/cpu)

.PHONY: app test train-deps format clean

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

clean:
	rm -rf .venv

# Debian without python3-venv leaves a broken folder behind: remove it and say what to do.
.venv/torch:
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo; \
	  echo "Cannot make a virtual environment. On Debian or Ubuntu: sudo apt-get install python3-venv"; \
	  exit 1; }
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --retries 1 --index-url $(TORCH_INDEX) "$(TORCH)" ||) \
	  $(BIN)/python -m pip install "$(TORCH)"
	touch $@

.venv/app: .venv/torch requirements.txt
	$(BIN)/python -m pip install -r requirements.txt
	touch $@

.venv/train: .venv/app pyproject.toml
	$(BIN)/python -m pip install -e '.[train]'
	touch $@

.venv/test: .venv/app pyproject.toml
	$(BIN)/python -m pip install -e '.[test]'
	touch $@
