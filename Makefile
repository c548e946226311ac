# heroredis: `make help` lists the targets. Everything is set up from a bare Debian/Ubuntu with Python >= 3.11.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
# The distribution's Python first: Debian builds it guided by profiles and links it whole, which takes an eighth to a sixth
# off the time of a request (docs/performance.md). One that lacks venv or the headers is passed over.
USABLE := import ensurepip, os, sys, sysconfig, venv; \
	sys.exit(sys.version_info < (3, 11) or not os.path.exists(sysconfig.get_path("include") + "/Python.h"))
PYTHON ?= $(shell for p in /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3; do \
	[ -x $$p ] && $$p -c '$(USABLE)' 2>/dev/null && echo $$p && exit; done; \
	for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
HOT := $(shell find heroredis ourdb jobs -name '*.py' 2>/dev/null)
DEBIAN := redis-server redis-tools cadaver rclone litmus curl zsh fish
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench docs verify torture tools clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.packages $(VENV)/.compiled tools  ## virtual environment, packages, compiled modules, test tools

run: $(VENV)/.packages  ## start the server with examples/handlers.py (ARGS="--port 7000" for more)
	@[ -e $(VENV)/.compiled ] || echo "heroredis starts interpreted; 'make setup' compiles it, which makes it several times faster"
	@exec $(BIN)/heroredis --handlers examples/handlers.py $(ARGS)

test: setup  ## the tests, compiled and interpreted
	$(BIN)/python -m pytest -n $${TEST_WORKERS:-auto} $(ARGS)
	HEROREDIS_PURE=1 $(BIN)/python -m pytest -n $${TEST_WORKERS:-auto} -q tests/unit tests/protocol tests/ourdb tests/jobs tests/conformance

check: $(VENV)/.packages  ## types and style
	$(BIN)/mypy
	$(BIN)/ruff check .

bench: setup  ## measure beside the peers, in one run
	@$(BIN)/python -m pip install -q --disable-pip-version-check "lmdb>=1.6,<4" "rocksdict>=0.3.29,<1" "ZODB>=6,<7" || true
	$(BIN)/python benchmarks/run.py $(ARGS)

docs: $(VENV)/.packages  ## write the generated pages
	$(BIN)/python -m heroredis.docs docs

verify: check  ## what must hold before a release: types, style, docs current, tests
	$(BIN)/python -m heroredis.docs docs --check
	$(MAKE) test

torture: setup  ## long kill -9 rounds
	$(BIN)/python -m pytest -m torture tests/crash $(ARGS)

tools:
	@missing=""; for t in redis-server redis-cli cadaver rclone litmus curl zsh fish; do command -v $$t >/dev/null || missing="$$missing $$t"; done; \
	command -v npm >/dev/null || missing="$$missing node"; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN)) >/dev/null 2>&1 \
				|| echo "the Debian packages $(DEBIAN) could not all be installed; tests that need them are skipped"; \
			command -v npm >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null 2>&1 || true; \
			command -v chromium >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 || true; \
		else echo "missing test tools:$$missing (install the Debian packages $(DEBIAN)); their tests are skipped"; fi; fi

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv python3-dev gcc; \
		else echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; fi; fi
	@$(or $(PYTHON),python3) -m venv $(VENV) || { \
		[ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv \
		&& $(or $(PYTHON),python3) -m venv $(VENV); }

$(VENV)/.packages: pyproject.toml | $(BIN)/python
	@echo "installing packages into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check "setuptools>=65.5" wheel "mypy>=2.4,<3"
	@HEROREDIS_PURE=1 $(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation \
		--config-settings editable_mode=compat -e ".[dev]"
	@touch $@

$(VENV)/.compiled: $(VENV)/.packages setup.py $(HOT)
	@if ! command -v cc >/dev/null && ! command -v gcc >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq gcc libc6-dev python3-dev >/dev/null 2>&1 || true; fi
	@echo "compiling the hot modules with mypyc (a few minutes, once)"
	@rm -rf build; find heroredis ourdb jobs . -maxdepth 3 -name '*.so' -not -path './.venv/*' -delete
	@if $(BIN)/python setup.py -q build_ext --inplace > $(VENV)/compile.log 2>&1; then touch $@; \
	elif [ "$$CI" = true ]; then tail -20 $(VENV)/compile.log; echo "compiling failed"; exit 1; \
	else echo "compiling failed (see $(VENV)/compile.log); everything works interpreted, slower"; fi

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name '*.so' -delete; find . -name __pycache__ -prune -exec rm -rf {} +
