#!/usr/bin/env bash
# Each fuzz target for some seconds, on one core: what it invents must break no assertion of its fuzz_* function.
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]        60 seconds of every target, if nothing is said
#
# Needs a nightly Rust and a C++ compiler. What it learns stays in target/fuzz-corpus; a find goes to target/fuzz-finds
# and is printed: give it a name and put it into tests/fuzz/seeds, where every test run meets it again.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
need g++ g++
need_cargo fuzz
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "cargo-fuzz needs a nightly Rust: rustup toolchain install nightly --profile minimal" >&2
    exit 1
fi

seconds=${1:-60}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: scripts/fuzz.sh [SECONDS] [TARGET...]" >&2
    exit 2
fi
shift || true
targets=("$@")
if [ $# = 0 ]; then
    mapfile -t targets < <(cargo +nightly fuzz list --fuzz-dir tests/fuzz)
fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT

cargo +nightly fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz
failed=()
for target in "${targets[@]}"; do
    mkdir -p "target/fuzz-corpus/$target" "target/fuzz-finds/$target"
    if cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz "$target" \
        "target/fuzz-corpus/$target" "tests/fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=2048 -max_len=8192 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="target/fuzz-finds/$target/" >"$output" 2>&1; then
        awk -v target="$target" '/^stat::number_of_executed_units/ { runs = $2 } /^stat::average_exec_per_sec/ { rate = $2 }
            END { printf "clean   %-10s %10d runs  %7d a second\n", target, runs, rate }' "$output"
    else
        failed+=("$target")
        tail -n 60 "$output"
        echo "FOUND   $target"
    fi
done

if [ ${#failed[@]} -gt 0 ]; then
    echo "found something: ${failed[*]}"
    exit 1
fi
