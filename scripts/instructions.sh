#!/usr/bin/env bash
# How many instructions each pure stage of a request takes, compared with benches/instructions.txt. Counts do not depend on what
# else the machine does, so they catch regressions; for claims about time there is scripts/bench.sh.
#
#   scripts/instructions.sh            exit code 1 where a stage takes over 3 % more, or is new; says where it takes less
#   scripts/instructions.sh --write    stores what is measured as the new baseline: commit it with the reason
#
# A baseline holds for one compiler, set of dependencies and kind of CPU (libraries choose their loops by it).
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
need valgrind valgrind

write='' tolerance=3 baseline=benches/instructions.txt
case ${1:-} in
    '') ;;
    --write) write=yes ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
esac

cargo build --release --quiet --example stages
stages=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release/examples/stages

instructions() { # stage, count
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$stages" "$1" "$2" 2>&1 | sed -n 's/.*Collected : //p'
}

measured=$(for stage in scan head target route cookie token-warm token-cold cold-es256 cold-rs256 decide rewrite answer; do
    # Preparing varies by some 50,000 with the seeds of hash tables: calls that take little are many.
    case $stage in
        *cold*) calls=1000 ;;
        *) calls=20000 ;;
    esac
    few=$(instructions $stage 200)
    many=$(instructions $stage $((calls + 200)))
    echo "$stage $(((many - few) / calls))"
done)
if [ -n "$write" ]; then
    {
        echo "# Instructions of one call; written by scripts/instructions.sh --write with $(rustc --version)."
        echo "$measured"
    } >"$baseline"
fi
awk -v tolerance=$tolerance '
    FNR == NR { if (!/^#/) was[$1] = $2; next }
    {
        change = $1 in was ? ($2 / was[$1] - 1) * 100 : 0
        verdict = !($1 in was) ? "new" : change > tolerance ? "MORE" : change < -tolerance ? "less: --write keeps it so" : ""
        printf "%-12s %8d %8s %+7.1f%%  %s\n", $1, $2, $1 in was ? was[$1] : "", change, verdict
        failed = failed || verdict == "new" || verdict == "MORE"
    }
    END { exit failed }' "$baseline" - <<<"$measured"
