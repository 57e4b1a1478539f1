# Measurements; each says in its own file what it measures. Numbers and how to read them: docs/performance.md.

.PHONY: bench bench-sidecar bench-gate bench-gate-renew

bench:
	cargo bench

# The whole process beside a bare relay and a prost proxy: about a minute.
bench-sidecar:
	cargo bench --bench sidecar

# Instruction counts under callgrind against benches/gate/limits.txt. Needs valgrind.
bench-gate:
	cargo bench --bench gate

bench-gate-renew:
	cargo bench --bench gate -- renew

# What is caught of the labelled sets, by set and kind. They are read from PRIVET_DATA, or from ../shared/data.
.PHONY: recall
recall:
	cargo test --quiet --test recall -- --nocapture
