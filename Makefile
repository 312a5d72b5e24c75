# Everything is done by one verb each; `make help` lists them. Continuous integration calls the same.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# The first interpreter that runs and is of a supported version: a name on the PATH may do neither.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
  $$name -c '$(SUPPORTED)' 2> /dev/null && command -v $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Compiled test modules save some three of fifteen seconds of each run of the unit tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help:  ## List the verbs
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(SUPPORTED)' || \
	  { echo "agentscaler needs Python 3.11, 3.12 or 3.13: install one, or name it as PYTHON=..." >&2; exit 1; }
	@echo "preparing $(VENV) (about a minute the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# The lock is complete: left to look for itself, pip takes a newer release that one of its lines would allow.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)

.PHONY: install
install: $(READY)  ## Create .venv with all that development needs

.PHONY: check
check: $(READY)  ## Lint, format, types, import layers, CRD drift, chart
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --quiet tests/contract

.PHONY: fmt
fmt: $(READY)  ## Format and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: down
down: $(READY)  ## Take down what a demo with KEEP=1, or a bed, left running
	@$(BIN)/python -m tests.bed down --all

.PHONY: lock
lock: $(READY)  ## Pin all dependencies anew, with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --all-extras --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra operator --extra gateway --extra redis pyproject.toml -o requirements-image.lock

.PHONY: demo
demo: $(READY)  ## Scale agents over a day of load, live, in three minutes (KEEP=1 leaves it running)
	@$(BIN)/python -m tests.demo $(if $(PICTURE),--chart $(PICTURE))

.PHONY: demo-full
demo-full: $(READY)  ## Agent, Redis, model, gateway and operator together, in two and a half minutes
	@$(BIN)/python -m tests.demo.full

# Decided without input or output, hence provable to the last branch by unit tests alone.
PURE := */api/*,*/forecast/*,*/decide/*,*/analyze/*,*/convert/*,*/gateway/routing/*

# Tests on a control plane wait most of the time: two files at once, each with a control plane of its
# own, take 17 minutes instead of some 26 on two cores. Also those that watch the clock passed so,
# on two cores with work for six.
FILES_AT_ONCE ?= 2

.PHONY: test
test: $(READY)  ## All tests: unit, contract, integration, end to end on a real control plane (FILES_AT_ONCE=0: one by one)
	@$(BIN)/python -m tests.bed build
	$(BIN)/coverage erase
	$(BIN)/pytest tests/unit --numprocesses=auto --cov --cov-report= --cov-fail-under=0
	$(BIN)/coverage report --include='$(PURE)' --fail-under=100
	$(BIN)/pytest -m "not bench" --ignore=tests/unit --numprocesses=$(FILES_AT_ONCE) --dist=loadfile \
	  --no-loadscope-reorder --durations=15 --cov --cov-append --cov-report=term

.PHONY: e2e
e2e: $(READY)  ## End-to-end tests alone (CLUSTER=local|kind|current; TESTS=tests/e2e/some.py)
	@$(BIN)/python -m tests.bed build
	@lacks="$$($(BIN)/python -m tests.bed lacks)"; \
	if [ -n "$$lacks" ]; then echo "no end-to-end tests: $$lacks"; exit 0; fi; \
	$(if $(filter kind,$(CLUSTER)),$(MAKE) --no-print-directory images &&) $(BIN)/pytest -m e2e $(TESTS)

.PHONY: unit
unit: $(READY)  ## Unit tests: no network, no cluster, seconds
	$(BIN)/pytest tests/unit --numprocesses=auto

.PHONY: test-faults
test-faults: $(READY)  ## Faults and a random walk of them (FAULT_WALK_MINUTES=30 for a long one)
	$(BIN)/pytest --timeout 0 tests/faults

.PHONY: bench-gateway
bench-gateway: $(READY)  ## Compare the gateway with nginx and HAProxy (eight minutes; JSON=file for the figures)
	@$(BIN)/python -m tests.benchmarks.gateway $(if $(JSON),--json $(JSON))

FUZZ_MINUTES ?= 10
FUZZED := tests/unit/fuzz tests/unit/api tests/unit/test_quantities.py tests/unit/observe tests/unit/decide

.PHONY: fuzz
fuzz: $(READY)  ## Search for inputs that break a rule: manifests, answers, durations, queries (FUZZ_MINUTES=10)
	@ends=$$(( $$(date +%s) + 60 * $(FUZZ_MINUTES) )); while [ $$(date +%s) -lt $$ends ]; do \
	  HYPOTHESIS_PROFILE=thorough nice -n 19 $(BIN)/pytest --quiet --exitfirst $(FUZZED) || exit 1; done

.PHONY: mutate
mutate: $(READY)  ## Change each rule of the decision, and see whether a test fails (MODULES="bounds work" MINUTES=10)
	@nice -n 15 $(BIN)/python -m tests.mutation $(MODULES) $(if $(MINUTES),--minutes $(MINUTES))

# Tools of their own, pinned, fetched when they are called: nobody else needs them.
.PHONY: sbom
sbom: $(READY)  ## Write the bill of materials of the image (CycloneDX) to build/sbom.json
	@mkdir -p build
	VIRTUAL_ENV=$(VENV) $(BIN)/uvx --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements-image.lock \
	  --output-reproducible --of JSON -o build/sbom.json

.PHONY: audit
audit: $(READY)  ## Ask for known vulnerabilities of what the image installs (needs the network)
	VIRTUAL_ENV=$(VENV) $(BIN)/uvx --quiet --from pip-audit==2.10.1 pip-audit --strict --require-hashes --disable-pip \
	  -r requirements-image.lock

.PHONY: bench-quality
bench-quality: $(READY)  ## Compare decisions with other autoscalers and an oracle (ARGS='--days 2 --worlds --chart FILE.svg')
	@$(BIN)/python -m tests.benchmarks.quality $(ARGS)

.PHONY: bench-reaction
bench-reaction: $(READY)  ## Measure from sample to replicas, up to 5,000 policies (ten to 25 minutes; JSON=file; PEERS=1: KEDA and HPA, too)
	@$(BIN)/python -m tests.benchmarks.reaction $(if $(PEERS),--peers) $(if $(JSON),--json $(JSON)) $(ARGS)

.PHONY: bench-scale
bench-scale: $(READY)  ## Measure what 100 to 10,000 policies cost (half an hour; JSON=file ARGS='--sizes 100 1000')
	@$(BIN)/python -m tests.bed build
	@$(BIN)/python -m tests.benchmarks.scale $(if $(JSON),--json $(JSON)) $(ARGS)

.PHONY: crds
crds: $(READY)  ## Write the CRD anew, for kubectl and for the chart
	$(BIN)/agentscaler crds > crds/.new && mv crds/.new crds/agentscalingpolicies.yaml
	cp crds/agentscalingpolicies.yaml helm/agentscaler/files/

.PHONY: verify
verify: crds  ## Fail if what is generated is not what is committed, or breaks a contract
	git diff --exit-code -- crds helm/agentscaler/files
	$(BIN)/pytest tests/contract

BASE ?= python:3.12-slim
IMAGE ?= agentscaler:$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/agentscaler/__init__.py)
# The wheels must fit the base image: its Python, and the machine's kind of processor.
IMAGE_PYTHON ?= 3.12
PLATFORMS := $(foreach tag,manylinux_2_28 manylinux2014,--platform $(tag)_$(shell uname -m)) --platform any
BUILDER ?= $(firstword $(foreach name,docker podman,$(shell command -v $(name))))

WHEELS := wheels/.made

$(WHEELS): requirements-image.lock pyproject.toml $(shell find operator -name '*.py')
	@$(MAKE) --no-print-directory $(READY)
	rm -rf wheels && mkdir wheels
	@# pip judges what the lock says of versions by the Python that it runs on, not by that of the image.
	$(BIN)/uv pip compile --quiet --no-deps --generate-hashes --no-emit-index-url --no-header \
	  --python-version $(IMAGE_PYTHON) --python-platform linux requirements-image.lock -o wheels/requirements.lock
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
	  --python-version $(IMAGE_PYTHON) $(PLATFORMS) --dest wheels -r wheels/requirements.lock
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir wheels .
	@touch $@

.PHONY: wheels
wheels: $(WHEELS)  ## Fetch and build all that the image installs, so that it builds without network

.PHONY: image
image: $(WHEELS)  ## Build the container image (IMAGE=name:tag BASE=python:3.12-slim BUILDER=docker|podman)
	@test -n "$(BUILDER)" || { echo "make image needs docker or podman; neither is installed" >&2; exit 1; }
	$(BUILDER) build --build-arg BASE=$(BASE) \
	  --build-arg WHEELS=$$(cat wheels/*.whl | cksum | tr -d ' ') --file Containerfile --tag $(IMAGE) .

# Archives: any kind loads them, whatever built them, and they are built anew only when they must.
ARCHIVES := build/images/agentscaler.tar build/images/bed.tar
E2E_IMAGE ?= localhost/agentscaler:e2e
E2E_BED_IMAGE ?= localhost/agentscaler-bed:e2e

build/images/agentscaler.tar: $(WHEELS) Containerfile
	@mkdir -p $(@D)
	@$(MAKE) --no-print-directory image IMAGE=$(E2E_IMAGE)
	$(BUILDER) save --output $@ $(E2E_IMAGE)

build/images/bed.tar: build/images/agentscaler.tar tests/bed/Containerfile tests/bed/images.py $(wildcard tests/bed/fleet/*.py)
	@$(BIN)/python -m tests.bed stage
	$(BUILDER) build --build-arg IMAGE=$(E2E_IMAGE) --file tests/bed/Containerfile --tag $(E2E_BED_IMAGE) build/bed
	$(BUILDER) save --output $@ $(E2E_BED_IMAGE)

.PHONY: images
images: $(ARCHIVES)  ## The images of the kind suite, as archives in build/images
