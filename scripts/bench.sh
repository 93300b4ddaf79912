#!/usr/bin/env bash
# adit beside HAProxy, nginx (plain, and with Lua that checks tokens), Envoy and Pingora, and beside relays that look at nothing: CPU time
# of a request, requests per second, latencies, memory. All in one run on one machine, over loopback, in front of one upstream.
# First it proves that each one guards. What is measured stands in benches/proxy/scenarios.sh.
#
#   scripts/bench.sh [--quick] [--only SCENARIO,...] [--rounds 5] [--seconds 2] [--no-envoy] [--no-pingora]
#                    [--out FILE]
#                    [--before FILE] [--adit FILE] [--origin FILE] [--client FILE]
#   scripts/bench.sh --handshakes [--no-client-certificate] [as above]: the scenarios of new TLS connections alone
#   scripts/bench.sh --idle COUNT [as above]: what so many idle connections take, and what they cost a busy one
#
# A whole run takes about 40 minutes and writes benches/RESULTS.md; --quick takes the main scenarios, about a minute, and like
# any other choice of scenarios only prints.
#
# Each proxy has one data thread on core 0; the load and the upstream share core 1. CPU time (run time of all the proxy's threads
# over the count of requests) is the number to quote, as a ratio to another of the same run: it hardly moves with the load of
# the machine. Requests per second do.
#
# Installing nginx on Debian starts its service; stop it if you do not want it.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh

rounds=5 seconds=2 quick='' only='' out='' idle=9000 want_envoy=yes want_pingora=yes client_certificate=yes
adit='' before='' origin='' client=''
handshake_scenarios=full,tls12,resumed,certificate,certificate-ca
given=("$@")
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=yes rounds=1 seconds=1 want_pingora='' ;;
        --only) only=$2 && shift ;;
        --rounds) rounds=$2 && shift ;;
        --seconds) seconds=$2 && shift ;;
        --no-envoy) want_envoy='' ;;
        --no-pingora) want_pingora='' ;; # which takes minutes to build
        --out) out=$2 && shift ;;       # where the report goes too
        --adit) adit=$2 && shift ;;     # a release build that is there already
        --before) before=$2 && shift ;; # an older one, measured in the same run
        --origin) origin=$2 && shift ;; # likewise
        --client) client=$2 && shift ;; # the load of --handshakes, likewise
        --handshakes) only=$handshake_scenarios ;;
        --no-client-certificate) client_certificate='' ;;
        --idle) idle=$2 only=idle && shift ;;
        *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
    esac
    shift
done

for part in setup contestants secrets proofs measure memory allocations scenarios; do
    source "benches/proxy/$part.sh"
done
need_peers
build_all
envoy='' pingora=''
[ -z "$want_envoy" ] || envoy=$(envoy_binary "$built/bench-envoy")
[ -z "$want_pingora" ] || pingora=$(pingora_binary "$built/bench-pingora")
own_network "$PWD/scripts/bench.sh" "${given[@]}"
own_folder

ours=()
measures adit "$adit" io_uring off
measures adit-epoll "$adit" epoll off
measures adit-idle "$adit" io_uring off
measures adit-logged "$adit" io_uring "$folder/access.log"
adits="adit adit-epoll" logged=adit-logged with_certificate="adit"
if [ -n "$before" ]; then
    measures before "$before" io_uring off
    adits+=" before" with_certificate+=" before"
fi
certificates=$with_certificate
pool=10000 first=4000 head_bytes=1024
if [ -n "$quick" ]; then
    pool=2000 first=1000 only=${only:-hs256,es256,rs256-first,tls,full,none,answers-64k}
fi
everybody="$adits adit-logged adit-idle haproxy haproxy-lean nginx envoy pingora haproxy-plain nginx-plain haproxy-relay relay"
define_scenarios "$first"
[ -n "$client_certificate" ] || with_certificate=''

give_ports
make_keys
make_requests "$pool" "$first"
configure
start_all

wanted() { # scenario
    [ -n "$client_certificate" ] || [[ $1 != certificate* ]] || return 1
    [ -z "$only" ] || [[ ,$only, == *,$1,* ]]
}

report() {
    local name
    printf '# Speed\n\nWritten by scripts/bench.sh (this part) and scripts/growth.sh. CPU us is the CPU time that the proxy takes for one request\n'
    printf '(or one new connection). Ratios are medians of ratios of one round. Only ratios of one run are worth quoting.\n\n'
    where_and_what "$seconds"
    printf '64 connections, heads of %d bytes, answers of 128 bytes where nothing else is said. Over TLS all are offered the same cipher\n' "$head_bytes"
    printf 'suites and choose by their own defaults: what each came to stands under the tables of new connections.\n\n'
    for name in "${scenarios[@]}"; do
        grep "^$name " "$folder/measured" >"$folder/scenario" || continue
        awk -v TITLE="${title[$name]}" -v NAMES="$everybody" -v GOALS="${goals[$name]}" -v PEERS="haproxy haproxy-lean nginx envoy pingora" -v ADIT=adit \
            -f benches/proxy/report.awk "$folder/scenario"
        report_agreed "$name"
    done >"$folder/tables"
    report_memory >>"$folder/tables"
    report_allocations >>"$folder/tables"
    printf '## Goals\n\n| | at most | measured | reached |\n|---|--:|--:|---|\n'
    sed -n 's/^goal\t\(.*\)\t\(.*\)\t\(.*\)\t\(.*\)/| \1 | \2 | \3 | \4 |/p' "$folder/tables"
    printf '\n## Figures\n\n'
    sed '/^goal\t/d' "$folder/tables"
}

prove
: >"$folder/measured"
! wanted idle || measure_memory
for name in "${scenarios[@]}"; do
    if wanted "$name"; then
        echo "measuring: ${title[$name]}" >&2
        eval "run_scenario ${call[$name]}"
    fi
done
! wanted idle || measure_idle
! wanted allocations || measure_allocations
report >"$folder/report"
cat "$folder/report"
if [ -z "$only" ] && [ -z "$before" ] && [ -z "$out" ]; then
    out=benches/RESULTS.md
fi
[ -z "$out" ] || put_section peers "$out" "$folder/report"
