#!/usr/bin/env bash
# Where the CPU time of a request goes: TCP inside the kernel, the rest of the kernel, cryptography, everything else. Samples of
# `perf record -e cpu-clock`, told apart by their call chains, times the CPU time of a request, which is measured without perf in
# the same run. Contestants, settings and loads are those of bench.sh. Writes its table into benches/RESULTS.md.
#
#   scripts/profile.sh [--seconds 3] [--only SCENARIO,...] [--print]
#
# Scenarios: hs256, hs256-one, tls, rs256-one, rs256-first, es256-one, none. --only and --print write nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh

rounds=1 seconds=3 only='' print='' envoy='' pingora='' adit='' origin='' client=''
given=("$@")
while [ $# -gt 0 ]; do
    case $1 in
        --seconds) seconds=$2 && shift ;;
        --only) only=$2 print=yes && shift ;;
        --print) print=yes ;;
        *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
    esac
    shift
done
for part in setup contestants secrets measure; do
    source "benches/proxy/$part.sh"
done
need_peers
need perf linux-perf
build_all
own_network "$PWD/scripts/profile.sh" "${given[@]}"
own_folder

# Of a sample the innermost part that says what the time is for. A system call that hands bytes to TCP, or takes some, counts
# as TCP with all that the kernel does meanwhile: that includes the receiving end of loopback.
shares() { # perf's data: the share of each kind
    perf script -i "$1" -F ip,sym,dso 2>"$folder/perf.err" | awk '
        BEGIN { RS = ""; FS = "\n" }
        {
            kind = "rest"
            if ($0 ~ /tcp_sendmsg/) kind = "send"
            else if ($0 ~ /tcp_recvmsg/) kind = "receive"
            else if ($0 ~ /entry_SYSCALL|asm_|kernel/) kind = "kernel"
            else if ($1 ~ /libcrypto|ring_core|aes|gcm|p256|bn_mul|sha256|sha512|x25519|curve25519/) kind = "crypto"
            count[kind]++
        }
        END { for (kind in count) print kind, count[kind] / NR }'
}

pids_of() { # contestant, road: with its children
    local process=${pid[$(process_of "$1" "$2")]}
    { echo "$process" && pgrep -P "$process" || true; } | paste -sd,
}

profile() { # scenario, contestants, road, load, what it needs...
    local scenario=$1 names=$2 road=$3 way=$4 name process recorder calls requests
    shift 4
    for name in $names; do
        process=$(pids_of "$name" "$road")
        [ "$way" = load_count ] || warm "$name" "$road" "$1"
        measure "$scenario" 1 "$name" "$road" "$way" "$@" >"$folder/one"
        perf record -q -e cpu-clock -F 3989 -g -p "$process" -o "$folder/perf.data" 2>"$folder/perf.err" &
        recorder=$!
        perf stat -x, -e raw_syscalls:sys_enter -p "$process" -o "$folder/perf.calls" 2>"$folder/perf.err" &
        calls=$!
        # A pool of tokens never seen is used up once: the second round has its own.
        read -r requests _ <<<"$("$way" "$name" 2 "$road" "$@")"
        kill -INT "$recorder" "$calls" 2>/dev/null || die "perf cannot look at $name"
        wait "$recorder" "$calls" || true
        calls=$(sed -n 's/^\([0-9]*\),.*sys_enter.*/\1/p' "$folder/perf.calls")
        shares "$folder/perf.data" | awk -v name="$name" -v cpu="$(cut -d' ' -f4 "$folder/one")" -v calls="${calls:-0}" -v n="$requests" '
            { share[$1] = $2 * cpu }
            END {
                printf "| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.2f |\n", name, cpu, share["send"], share["receive"],
                    share["kernel"], share["crypto"], share["rest"], calls / n
            }'
    done >"$folder/rows"
    printf '### %s\n\n| | CPU us | TCP, sending | TCP, receiving | rest of the kernel | cryptography | rest of the program | system calls |\n' \
        "${title[$scenario]}"
    printf '|---|--:|--:|--:|--:|--:|--:|--:|\n'
    cat "$folder/rows"
    echo
}

ours=()
measures adit "$adit" io_uring off
pool=10000 first=12000 head_bytes=1024 with_certificate='' rounds=2
adits=adit logged='' certificates=''
source benches/proxy/scenarios.sh
define_scenarios "$first"
give_ports
make_keys
make_requests "$pool" "$first"
configure
start_all
{
    printf '## Where the time goes\n\n'
    where_and_what "$seconds"
    printf 'Microseconds of one request. TCP is all that a system call does that hands it bytes or takes some.\n\n'
    for scenario in hs256 hs256-one tls rs256-one rs256-first es256-one none; do
        [ -z "$only" ] || [[ ,$only, == *,$scenario,* ]] || continue
        names='adit haproxy'
        [[ $scenario != hs256* ]] || names='adit haproxy relay'
        eval "set -- ${call[$scenario]}"
        echo "profiling: ${title[$scenario]}" >&2
        profile "$1" "$names" "${@:3}"
    done
} >"$folder/report"
cat "$folder/report"
[ -n "$print" ] || put_section profile benches/RESULTS.md "$folder/report"
