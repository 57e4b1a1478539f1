# What one does here. `make` lists it.

CARGO ?= cargo
.DEFAULT_GOAL := help

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ── Tests ────────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: test
test: ## Every test: unit, integration, three parsers, real clients
	$(CARGO) test --locked
	@$(MAKE) --no-print-directory test-clients

.PHONY: test-parsers
test-parsers: ## What is forwarded, read by prost, Python's protobuf and Go's pdata
	$(CARGO) test --locked --test parsers -- --nocapture

.PHONY: test-clients
test-clients: ## OpenTelemetry SDKs in Python, Node, Go and Java → privet → OpenTelemetry Collector
	$(CARGO) test --locked --test clients

# Its own target folder, for every crate is built anew. The portable twin and the vector code read the same texts there.
.PHONY: test-asan
test-asan: ## Scan, detection and wire under AddressSanitizer; needs a nightly Rust
	RUSTFLAGS=-Zsanitizer=address $(CARGO) +nightly test --locked --lib --target x86_64-unknown-linux-gnu \
	    --target-dir target/asan -- scan:: detect:: wire::

.PHONY: test-chart
test-chart: ## The Helm chart without a cluster: lint, goldens, schema, Pod Security, alerts (seconds; says what it skips)
	tests/chart/run

.PHONY: test-packages
test-packages: ## The unit, the .deb and the .rpm: what is in them, installed, run, upgraded, removed
	tests/packages/run

.PHONY: test-kubernetes
test-kubernetes: ## Every mode of the chart in the cluster that KUBECONFIG names, with a real SDK and a real collector
	tests/kubernetes/run

# ── Quality ──────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: recall
recall: ## What is caught of the labelled sets (PRIVET_DATA or ../shared/data), by set and kind
	$(CARGO) test --locked --quiet --test recall -- --nocapture

# ── Delivery ─────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: packages
packages: ## The .deb and the .rpm, under target/; needs cargo-deb and cargo-generate-rpm
	packaging/build

.PHONY: image
image: ## The image, as privet:latest
	docker build -t privet .

.PHONY: chart
chart: ## The chart's README and schema, from its values
	helm/generate

# ── Checks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: lint
lint: ## Format, clippy, documentation, and licences where cargo-deny is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --quiet
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check bans licenses sources; \
	else echo 'skipped: cargo deny (not installed)'; fi

# ── Measurements ─────────────────────────────────────────────────────────────────────────────────────────────────────
# Each says in its own file what it measures. Numbers and how to read them: docs/performance.md.

# Counts are held against each other, not against a clock: without link-time optimisation they build in a third of the time.
GATE = CARGO_PROFILE_BENCH_LTO=off CARGO_PROFILE_BENCH_CODEGEN_UNITS=16 $(CARGO) bench --bench gate

.PHONY: bench
bench: ## Times of the filter and its parts, by criterion
	$(CARGO) bench

.PHONY: bench-sidecar
bench-sidecar: ## The whole process beside a bare relay and a prost proxy: about a minute
	$(CARGO) bench --bench sidecar

.PHONY: bench-gate
bench-gate: ## Instruction counts under callgrind against benches/gate/limits.txt; needs valgrind
	$(GATE)

.PHONY: bench-gate-renew
bench-gate-renew: ## Writes those limits anew
	$(GATE) -- renew
