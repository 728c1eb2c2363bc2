# What a developer runs beside ./spotilike; every target works in the environment that ./spotilike made.
PYTHON ?= .venv/bin/python
BIN = $(dir $(PYTHON))

.PHONY: gen contracts lint types format

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
