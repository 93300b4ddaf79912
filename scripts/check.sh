#!/usr/bin/env bash
# The whole gate, by hand and in automation. One line for a step that is fine; its output for one that is not.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
need_cargo deny

output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=()

step() { # title, command...
    local title=$1 start=$SECONDS
    shift
    if "$@" >"$output" 2>&1; then
        printf 'ok      %-8s %4d s\n' "$title" $((SECONDS - start))
    else
        failed+=("$title")
        cat "$output"
        printf 'FAILED  %-8s %4d s: %s\n' "$title" $((SECONDS - start)) "$*"
    fi
}

# rustls' own default features bring it in; one careless dependency is enough.
no_aws_lc() {
    local tree
    tree=$(cargo tree --target all --prefix none) || return 1
    ! grep '^aws-lc' <<<"$tree"
}

step fmt cargo fmt --check
CLIPPY_CONF_DIR=scripts step clippy cargo clippy --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" step docs cargo doc --no-deps --document-private-items --quiet
step aws-lc no_aws_lc
step deny cargo deny --config scripts/deny.toml --log-level error check licenses bans sources
step tests scripts/test.sh

if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}"
    exit 1
fi
echo "all fine"
