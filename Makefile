# What a developer runs beside ./spotilike; every target works in the environment that ./spotilike made.
PYTHON ?= .venv/bin/python
BIN = $(dir $(PYTHON))
COMPILE = $(BIN)uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --quiet

.PHONY: gen contracts lint types format lock

gen: ## proto/ -> gen/
	$(PYTHON) proto/generate.py

contracts: ## style of the contracts
	$(BIN)buf lint gen/spotilike.binpb --config buf.yaml

lint: ## style of the code
	$(BIN)ruff check .
	$(BIN)ruff format --check .

types: ## types of the code
	$(BIN)mypy services cli envoy proto tests bench

format:
	$(BIN)ruff format .
	$(BIN)ruff check --fix .

lock: ## pyproject.toml -> requirements.lock, by hash and without the address of any registry; the image has a part of it
	$(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) --group machine --group dev --output-file requirements.lock
	$(COMPILE) --constraint requirements.lock --output-file requirements.image.lock
