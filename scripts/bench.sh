#!/usr/bin/env bash
# adit, HAProxy and nginx in front of one upstream, in one run on one machine: CPU per request, requests per second,
# latency. Plain HTTP on loopback, keep-alive, 64 connections, 64 HS256 tokens in turn, answers of 128 bytes, no logs.
# Each proxy has one data thread on core 0; wrk and the upstream share core 1. First it proves that each one guards.
#
#   scripts/bench.sh [--quick] [--rounds 5] [--seconds 3] [--adit FILE] [--before FILE] [--origin FILE] [--idle COUNT]
#   scripts/bench.sh --handshakes [--no-client-certificate] [--client FILE] [as above, without --idle]
#
# With --handshakes CPU per new TLS connection instead, of adit and HAProxy: a full handshake, one request, the end; what the
# lines are says benches/proxy/handshakes.sh. --no-client-certificate leaves out those with one.
#
# CPU per request (run time of all the proxy's threads over wrk's count) is the number to quote: it hardly moves with the
# load of the machine. Requests per second do. Installing nginx on Debian starts its service; stop it if you do not want it.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh

rounds=5 seconds=3 adit='' before='' origin='' idle=0 handshakes='' client='' client_certificate=yes
while [ $# -gt 0 ]; do
    case $1 in
        --quick) rounds=1 seconds=1 ;;
        --rounds) rounds=$2 && shift ;;
        --seconds) seconds=$2 && shift ;;
        --adit) adit=$2 && shift ;;     # a release build that is there already
        --before) before=$2 && shift ;; # an older one, measured in the same run
        --idle) idle=$2 && shift ;;     # once more with so many connections open that were used once and do nothing
        --origin) origin=$2 && shift ;; # likewise
        --handshakes) handshakes=yes ;;
        --client) client=$2 && shift ;; # the load of --handshakes, likewise
        --no-client-certificate) client_certificate='' ;;
        *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
    esac
    shift
done

PATH=$PATH:/usr/sbin
need curl curl
need openssl openssl
need taskset util-linux
need haproxy haproxy
if [ -z "$handshakes" ]; then
    need wrk wrk
    need nginx nginx-light
elif [ "$idle" != 0 ]; then
    echo "--idle is of the bench without --handshakes" >&2
    exit 2
fi
if [ "$(nproc)" -lt 2 ]; then
    echo "needs two cores: one for the proxy, one for the load" >&2
    exit 1
fi
if [ -z "$adit" ] || [ -z "$origin" ] || { [ -n "$handshakes" ] && [ -z "$client" ]; }; then
    cargo build --release --quiet --bin adit --example origin ${handshakes:+--example handshakes}
    built=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release
    adit=${adit:-$built/adit}
    origin=${origin:-$built/examples/origin}
    client=${client:-$built/examples/handshakes}
fi

folder=$(mktemp -d)
declare -A pid port
finish() {
    local one
    for one in "${pid[@]}"; do
        kill "$one" 2>/dev/null || true
    done
    wait
    rm -rf "$folder"
}
trap finish EXIT

die() {
    echo "$*" >&2
    tail -n 20 "$folder"/*.err >&2 || true
    exit 1
}

free_ports() { # how many; held together, so that they differ
    perl -MIO::Socket::INET -e '@held = map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") } 1 .. shift;
        print join(" ", map { $_->sockport } @held), "\n"' "$1"
}

render() { # template, contestant: fills in the template's @NAMES@
    sed -e "s|@FOLDER@|$folder|g; s|@PORT@|${port[$2]}|g; s|@ORIGIN@|${port[origin]}|g; s|@SECRET@|$secret|g" \
        -e "s|@DRIVER@|${driver[$2]:-}|g; s|@NAME@|$2|g; s#@BOUNDARY@#{\"tunnels\":$boundary}#g" "benches/proxy/$1"
}

start() { # name, core, command...
    local name=$1 core=$2 tries=0 scheme=$scheme
    [ "$name" != origin ] || scheme=http
    shift 2
    taskset -c "$core" "$@" </dev/null >"$folder/$name.out" 2>"$folder/$name.err" &
    pid[$name]=$!
    until curl -sk -o "$folder/answer" --max-time 1 "$scheme://127.0.0.1:${port[$name]}/"; do
        kill -0 "${pid[$name]}" 2>/dev/null || die "$name ended at its start"
        [ $((tries += 1)) -lt 100 ] || die "$name does not answer"
        sleep 0.05
    done
}

base64url() {
    openssl base64 -A | tr '+/' '-_' | tr -d '='
}

sign() { # bits, claims, secret: also the tokens that adit's own command would not mint
    local signed
    signed=$(printf '{"alg":"HS%s"}' "$1" | base64url).$(printf '%s' "$2" | base64url)
    printf '%s.%s\n' "$signed" "$(printf '%s' "$signed" | openssl dgst "-sha$1" -hmac "$3" -binary | base64url)"
}

expect() { # contestant, status, what it is, path, token or ""
    local bearer=() status
    if [ -n "$5" ]; then
        bearer=(-H "Authorization: Bearer $5")
    fi
    status=$(curl -s -o "$folder/answer" -w '%{http_code} %{size_download}' --max-time 5 "${trust[@]}" \
        -H 'Host: bench.example.test' --resolve "bench.example.test:${port[$1]}:127.0.0.1" "${bearer[@]}" \
        "$scheme://bench.example.test:${port[$1]}$4" || true)
    case "$2 $status" in
        "200 200 128" | "401 401 "* | "403 403 "*) proofs=$((proofs + 1)) ;;
        *) die "$1 answers $status (status, bytes) to $3, not $2" ;;
    esac
}

prepare() { # configurations
    local name
    for name in "${ours[@]}"; do
        render adit.toml "$name" >"$folder/$name.toml"
    done
    for name in haproxy haproxy-plain; do
        render haproxy.cfg "$name" >"$folder/$name.cfg"
    done
    render nginx.conf nginx >"$folder/nginx.conf"
}

prove() {
    local name rights live dead signature=${token##*.}
    rights="\"permissions\":[\"tunnels.streams.create-delete\"],\"resources\":{\"tunnels\":$boundary}"
    live="{$rights,\"exp\":$(($(date +%s) + 600))}"
    dead="{$rights,\"exp\":$(($(date +%s) - 1))}"
    proofs=0
    for name in "${contestants[@]}"; do
        expect "$name" 200 "a good token" /api/items/42 "$token"
    done
    for name in "${guards[@]}"; do
        expect "$name" 401 "no token" /api/items/42 ""
        expect "$name" 403 "a good token, a path outside" /admin "$token"
        expect "$name" 401 "a changed signature" /api/items/42 "${token%.*}.$(tr 'A-Za-z' 'B-ZAb-za' <<<"$signature")"
        # The same hand signs all of these, so that the 200 shows why the others are 401.
        expect "$name" 200 "a token signed here" /api/items/42 "$(sign 256 "$live" "$secret")"
        expect "$name" 401 "an expired token" /api/items/42 "$(sign 256 "$dead" "$secret")"
        expect "$name" 401 "a token of another secret" /api/items/42 "$(sign 256 "$live" "not $secret")"
        expect "$name" 401 "a token of another algorithm" /api/items/42 "$(sign 512 "$live" "$secret")"
    done
    echo "proved:  $proofs answers are as they should be"
}

hold() { # contestant: keeps its idle connections open; returns when all of them have been served once
    perl -MIO::Socket::INET -e '($port, $count, $token) = @ARGV; $| = 1;
        for (1 .. $count) {
            my $one = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or die "connection $_: $@\n";
            print $one "GET /api/idle HTTP/1.1\r\nHost: bench.example.test\r\nAuthorization: Bearer $token\r\n\r\n";
            sysread($one, my $answer, 4096);
            $answer =~ /^HTTP\/1.1 200 / or die "connection $_: $answer\n";
            push @held, $one;
        }
        print "held\n";
        sleep;' "${port[$1]}" "$idle" "$token" >"$folder/$1-held.out" 2>"$folder/$1-held.err" &
    pid[$1-held]=$!
    until grep -q held "$folder/$1-held.out"; do
        kill -0 "${pid[$1-held]}" 2>/dev/null || die "not all idle connections to $1"
        sleep 0.1
    done
}

against() { # versions
    haproxy -v | head -n 1
    if [ -n "$handshakes" ]; then
        haproxy -vv | sed -n 's/^Running on OpenSSL version : //p'
    else
        nginx -v 2>&1
        wrk -v 2>&1 | head -n 1 | cut -d' ' -f1,2
    fi
}

cpu_ns() { # pid: run time of all threads of the process and its children
    local one
    for one in "$1" $(pgrep -P "$1" || true); do
        cat "/proc/$one"/task/*/schedstat
    done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

load() { # contestant, seconds: requests, duration in us, p50 us, p99 us, errors
    taskset -c 1 wrk -t1 -c64 -d"${2}s" -s benches/proxy/requests.lua "http://127.0.0.1:${port[$1]}" -- "$folder/tokens" \
        >"$folder/wrk.err" 2>&1 || die "wrk failed against $1"
    sed -n 's/^BENCH //p' "$folder/wrk.err"
}

measure() { # round, contestant, "load" or another that answers as it does, what else that needs to know
    local before after requests duration p50 p99 errors
    before=$(cpu_ns "${pid[$2]}")
    read -r requests duration p50 p99 errors <<<"$("$3" "$2" "$seconds" "${4:-}")"
    after=$(cpu_ns "${pid[$2]}")
    [ "$errors" = 0 ] || die "$2: $errors of $requests requests failed in round $1"
    awk -v cpu=$((after - before)) -v n="$requests" -v us="$duration" -v head="$1 $2" -v tail="$p50 $p99" \
        'BEGIN { printf "%s %.3f %.0f %s %.1f\n", head, cpu / 1000 / n, n / us * 1000000, tail, cpu / 10 / us }'
}

declare -A driver binary
ours=()
measures() { # name, binary
    ours+=("$1" "$1-epoll")
    driver[$1]=io_uring driver[$1-epoll]=epoll
    binary[$1]=$2 binary[$1-epoll]=$2
}
measures adit "$adit"
if [ -n "$before" ]; then
    measures before "$before"
fi
if [ "$idle" != 0 ]; then
    ulimit -n $((2 * idle + 2000)) # an exchange has two
    measures idle "$adit"
fi
contestants=("${ours[@]}" haproxy haproxy-plain nginx)
guards=("${ours[@]}" haproxy)
scheme=http trust=()
if [ -n "$handshakes" ]; then
    guards+=(haproxy-lean)
    contestants=("${guards[@]}")
    scheme=https trust=(--cacert "$folder/server.crt")
    source benches/proxy/handshakes.sh
fi
boundary='{"projects":["proj-1"],"scopes":{"tunnels":{"connect":{"params":{"path":{"regex":"^/api/"}}}}}}'

names=(origin "${contestants[@]}" haproxy-certificate haproxy-lean-certificate)
read -ra ports <<<"$(free_ports ${#names[@]})"
for i in "${!names[@]}"; do
    port[${names[i]}]=${ports[i]}
done
umask 077
secret=$(openssl rand -hex 32)
printf '%s' "$secret" >"$folder/secret"
for name in $(seq -f 'bench-%02.0f' 64); do
    "$adit" token mint --secret-file "$folder/secret" --boundary "$boundary" --permissions tunnels.streams.create-delete \
        --expires-in 1h --subject "$name"
done >"$folder/tokens"
token=$(head -n 1 "$folder/tokens")

for name in "${ours[@]}"; do
    mkdir "$folder/state-$name"
done
if [ -n "$handshakes" ]; then
    prepare_tls
else
    prepare
fi

start origin 1 "$origin" "127.0.0.1:${port[origin]}"
for name in "${ours[@]}"; do
    start "$name" 0 "${binary[$name]}" run --config "$folder/$name.toml"
done
start haproxy 0 haproxy -db -f "$folder/haproxy.cfg"
if [ -n "$handshakes" ]; then
    start haproxy-lean 0 env BENCH_LEAN=1 haproxy -db -f "$folder/haproxy-lean.cfg"
else
    start haproxy-plain 0 env BENCH_PLAIN=1 haproxy -db -f "$folder/haproxy-plain.cfg"
    start nginx 0 nginx -p "$folder" -c "$folder/nginx.conf"
fi

echo "machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
echo "commit:  $(git describe --always --dirty 2>/dev/null || echo unknown)"
echo "against: $(against | paste -sd,)"
prove
if [ -n "$handshakes" ]; then
    [ -z "$client_certificate" ] || prove_certificates
    bench_handshakes
    exit
fi
if [ "$idle" != 0 ]; then
    hold idle
    hold idle-epoll
fi
for name in "${contestants[@]}"; do
    load "$name" 1 >"$folder/warm" # caches and pools fill outside the count
done
for round in $(seq "$rounds"); do
    for i in $(seq 0 $((${#contestants[@]} - 1))); do # another one goes first in each round
        measure "$round" "${contestants[(i + round) % ${#contestants[@]}]}" load
    done
done >"$folder/measured"
echo
for name in "${contestants[@]}"; do
    grep " $name " "$folder/measured"
done | awk -v BASE=haproxy -f benches/proxy/report.awk
