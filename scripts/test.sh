#!/usr/bin/env bash
# All tests: the pure ones once, the ones against the real proxy once on each driver. Needs Debian 12 (or a kin) and
# Rust; installs the rest when it is missing. Arguments go to nextest: scripts/test.sh -E 'test(framing)'
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh

need cc gcc libc6-dev
need curl curl
need openssl openssl
need pgrep procps
need chromium chromium
need chromedriver chromium-driver
need wrk wrk
need node nodejs
need npm npm
need_cargo nextest

# The OpenID Connect provider of tests/oidc.
if ! cmp -s tests/oidc/package-lock.json tests/oidc/node_modules/.installed; then
    echo "installing the packages of tests/oidc" >&2
    npm ci --prefix tests/oidc --no-audit --no-fund --loglevel=error >&2
    cp tests/oidc/package-lock.json tests/oidc/node_modules/.installed
fi

# Without io_uring half of the tests would prove nothing; that is a failure, never a skip.
# 425 is io_uring_setup on every architecture; perl is part of every Debian.
if ! reason=$(perl -e 'my $p = "\0" x 120; syscall(425, 1, $p) < 0 and print "$!" and exit 1'); then
    echo "io_uring is not usable here: $reason." >&2
    echo "Look at: sysctl kernel.io_uring_disabled (want 0), the container's seccomp profile, ulimit -l, kernel 6.1 or newer (this is $(uname -r))." >&2
    exit 1
fi

arguments=("$@")
if [ $# -gt 0 ]; then
    arguments+=(--no-tests=pass) # a filter may well leave one of the three runs empty
fi
output=$(mktemp)
trap 'rm -f "$output"' EXIT
summaries=()
failed=0

run() { # title, profile
    echo "== $1"
    if ! cargo nextest run --config-file scripts/nextest.toml --cargo-quiet --profile "$2" "${arguments[@]}" 2>&1 | tee "$output"; then
        failed=1
    fi
    summaries+=("$(printf '%-22s' "$1:") $(grep '^ *Summary' "$output" || grep '^error' "$output" | head -n 1 || echo 'no summary')")
}

cargo nextest run --no-run
run "pure" pure
ADIT_TEST_DRIVER=io_uring run "integration, io_uring" integration
ADIT_TEST_DRIVER=epoll run "integration, epoll" integration

echo "=="
printf '%s\n' "${summaries[@]}"
exit "$failed"
