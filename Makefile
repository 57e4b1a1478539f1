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
