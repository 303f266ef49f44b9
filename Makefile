# What people and CI do with this repository. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name about; do
	  printf '  make %-9s %s\n' "$$name" "$$about"
	done

.PHONY: install
install: ## Build the release binary and make it a plugin of your docker
	@cargo build --release --locked
	target/release/docker-flowstorage install

.PHONY: demo
demo: needs ## Build, push and run an ETL flow with pyodbc and psycopg2
	@tests/demo/run

.PHONY: bench
bench: needs ## Measure builds beside plain `docker buildx build`
	@tests/bench/run

.PHONY: packages
packages: needs ## Build every package of tests/packages/packages.tsv from its name alone
	@tests/packages/run

.PHONY: test
test: needs ## Check format and lints, run every test on a real engine
	@step() { printf '\n== %s\n' "$$*"; }
	step 'format and lints'
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	step 'programs that run in the image'
	tests/image_programs/run
	step 'engine, registry and base images'
	exports=$$(tests/engine/up)
	eval "$$exports"
	step 'release binary'
	cargo build --release --locked
	step 'unit, golden, property and end-to-end tests'
	if cargo nextest --version >/dev/null 2>&1; then
	  cargo nextest run --locked --no-fail-fast --test-threads 2
	else
	  log=$$(mktemp)
	  trap 'rm -f "$$log"' EXIT
	  status=0
	  cargo test --locked --no-fail-fast -- --test-threads 2 2>&1 | tee "$$log" || status=$$?
	  awk '/^test result:/ { passed += $$4; failed += $$6 }
	    END { printf "\n%d tests passed, %d failed\n", passed, failed }' "$$log"
	  exit "$$status"
	fi

# What is missing is installed where that takes no password, and named where it does.
.PHONY: needs
needs:
	@missing=()
	command -v cc >/dev/null || missing+=(gcc libc6-dev)
	command -v openssl >/dev/null || missing+=(openssl)
	command -v script >/dev/null || missing+=(bsdutils)
	python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
	command -v cargo >/dev/null || { echo 'error: no `cargo` on PATH: install Rust, https://rustup.rs' >&2; exit 1; }
	if (( $${#missing[@]} )); then
	  if (( EUID == 0 )); then
	    apt-get update --quiet --quiet && apt-get install --yes --quiet --no-install-recommends "$${missing[@]}"
	  else
	    echo "error: first run: sudo apt-get install $${missing[*]}" >&2
	    exit 1
	  fi
	fi
