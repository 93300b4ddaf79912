#!/usr/bin/env bash
# What a reload of 10,000 tunnels and 100,000 credentials takes, and whom it disturbs. Prints the longest answers without and
# with reloads, and what each reload took. Needs two CPUs and 3 GiB.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet --bin adit
cargo build --quiet --example reload
for mode in --plain --urgent; do
    echo "== $mode"
    target/debug/examples/reload "${ADIT:-target/release/adit}" "$mode"
done
