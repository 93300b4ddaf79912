#!/usr/bin/env bash
# The Debian package: target/debian/adit_VERSION_ARCHITECTURE.deb; with --no-build of the release build that is there. With
# --static instead one file that needs no library of the machine it runs on: target/static/adit.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh

if [ "${1:-}" = --static ]; then
    target=$(rustc -vV | sed -n 's/^host: //p')
    # With a target named, build scripts and macros are not built so.
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --bin adit --target "$target"
    mkdir -p target/static
    strip -o target/static/adit "target/$target/release/adit"
    ls -l target/static/adit
    exit
fi

need_cargo deb
[ "${1:-}" = --no-build ] || cargo build --release --bin adit
adit=target/release/adit
out=target/package
rm -rf "$out"
mkdir -p "$out/man"
"$adit" completions bash >"$out/adit.bash"
"$adit" completions zsh >"$out/_adit"
"$adit" completions fish >"$out/adit.fish"

# A page for each command, adit-token-mint.1 for adit token mint.
page() { # words of the command
    local name="adit${1:+-$*}" word
    "$adit" man "$@" >"$out/man/${name// /-}.1"
    for word in $("$adit" "$@" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
        [ "$word" = help ] || page "$@" "$word"
    done
}
page

rm -f target/debian/*.deb
cargo deb --no-build --quiet --strip
ls -l target/debian/*.deb
