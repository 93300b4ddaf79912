#!/usr/bin/env bash
# How the cost of a request grows: with tunnels and credentials, with connections, with the head, with the body, with workers. Each
# curve is a table in benches/RESULTS.md and a picture beside it. The contestants and their settings are those of bench.sh.
#
#   scripts/growth.sh [--rounds 3] [--seconds 1] [--only CURVE,...] [--quick]
#
# Curves: tunnels, connections, head, body, upload, workers, instructions. --only and --quick (two points of each) print and write nothing.
#
# For `workers` they are not pinned, and share the cores that there are with the load. `instructions` counts, under valgrind's
# callgrind, what a request takes in user space with as many workers: that shows whether cores get into each other's way
# without having sixteen.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh

rounds=3 seconds=1 only='' quick='' envoy='' pingora='' adit='' origin='' client=''
given=("$@")
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) rounds=$2 && shift ;;
        --seconds) seconds=$2 && shift ;;
        --only) only=$2 && shift ;;
        --quick) quick=yes rounds=1 ;;
        *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
    esac
    shift
done
for part in setup contestants secrets measure; do
    source "benches/proxy/$part.sh"
done
need_peers
need valgrind valgrind
build_all
own_network "$PWD/scripts/growth.sh" "${given[@]}"
own_folder

points() { # all of them; with --quick the first and the last
    if [ -n "$quick" ]; then
        echo "$1" "${@: -1}"
    else
        echo "$@"
    fi
}

# One adit for each number of tunnels, each with a project and a credential of its own. 64 of them, spread evenly, are asked for,
# each with its own token; the hashes of all other credentials are of nothing.
with_tunnels() { # how many
    local name=tunnels-$1 part
    port[$name:hs256]=$(free_ports 1)
    mkdir "$folder/$name" "$folder/$name/state"
    paste -d' ' <(seq 0 63) "$folder/pats" | while read -r number token; do
        echo "$((number * ($1 - 1) / 63)) $token $(printf '%s' "$token" | sha256sum | cut -d' ' -f1)"
    done >"$folder/$name/asked"
    {
        printf 'include = ["more-*.toml"]\n[engine]\nhost = "edge.example.test"\nstate_dir = "%s/state"\n[cores]\ncpus = [0]\n' "$folder/$name"
        printf '[http]\nlisten = ["127.0.0.1:%s"]\nmode = "serve"\n[tokens]\nhs256_secret_file = "../secret"\n' "${port[$name:hs256]}"
        printf '[tokens.ce]\nprojects = ["p0"]\npermissions = ["tunnels.streams.create-delete"]\n[log]\nlevel = "warn"\naccess = "off"\n'
    } >"$folder/$name/adit.toml"
    awk -v count="$1" -v folder="$folder/$name" -v origin="${port[origin]}" '
        { hash[$1] = $3 }
        END {
            for (n = 0; n < count; n++) {
                file = sprintf("%s/more-%d.toml", folder, n / 5000)
                printf "[[project]]\nid = \"p%d\"\nworkspace = \"w\"\n[[tunnel]]\nhostname = \"app-%d.t.example.test\"\n", n, n >file
                printf "project = \"p%d\"\nupstream = \"http://127.0.0.1:%s\"\ntoken_auth = true\n", n, origin >file
                printf "[[credential]]\nid = \"bot-%d\"\nkind = \"pat\"\ntoken_sha256 = \"%s\"\nprojects = [\"p%d\"]\n", n,
                    n in hash ? hash[n] : sprintf("%064x", n), n >file
                printf "resources.tunnels.scopes.tunnels.connect.params.path.regex = \"^/api/\"\n" >file
            }
        }' "$folder/$name/asked"
    # Of two tokens for one credential the last counts.
    awk '{ last[$1] = $2 } END { for (n in last) print n, last[n] }' "$folder/$name/asked" | while read -r number token; do
        echo "$token" | heads "one-$number" "HOST=app-$number.t.example.test"
        cat "$folder/heads-one-$number"
    done >"$folder/heads-$name"
    start "$name" 0 "${port[$name:hs256]}" "$adit" run --config "$folder/$name/adit.toml"
}

curve_tunnels() {
    local count
    for count in $(seq 64); do
        "$adit" token mint --secret-file "$folder/secret" --type pat --expires-in 10h --subject "bench-$count"
    done >"$folder/pats" 2>"$folder/minted.out"
    for count in $(points 1 10 100 1000 10000 100000); do
        with_tunnels "$count"
        seconds=1 load_wrk "tunnels-$count" 1 hs256 "tunnels-$count" >"$folder/warm"
    done
    for round in $(seq "$rounds"); do
        for count in $(points 1 10 100 1000 10000 100000); do
            measure "tunnels:$count" "$round" "tunnels-$count" hs256 load_wrk "tunnels-$count"
        done
    done | sed 's/ tunnels-[0-9]* / adit /' >>"$folder/measured"
}

# For the others: every contestant at one point in turn.
at_point() { # curve, point, contestants, arguments of load_wrk...
    local curve=$1 point=$2 round name
    for round in $(seq "$rounds"); do
        for name in $3; do
            measure "$curve:$point" "$round" "$name" hs256 load_wrk "${@:4}"
        done
    done >>"$folder/measured"
}

curve_connections() {
    local count seconds=$((seconds * 5)) # so that opening thousands of them counts for little
    for count in $(points 1 4 16 64 256 1024 4096 9000); do
        at_point connections "$count" "adit haproxy" hs256 "$count"
    done
}

curve_head() {
    local bytes
    for bytes in $(points 512 1024 2048 4096 8192 14336); do
        heads "head-$bytes" "BYTES=$bytes" <"$folder/tokens"
        at_point head "$bytes" "adit haproxy" "head-$bytes"
    done
}

curve_body() {
    local bytes
    for bytes in $(points 128 1024 4096 16384 65536 262144 1048576); do
        heads "body-$bytes" "TARGET=/api/bytes/$bytes" <"$folder/tokens"
        at_point body "$bytes" "adit haproxy relay" "body-$bytes"
    done
}

curve_upload() {
    local bytes
    for bytes in $(points 128 1024 4096 16384 65536 262144 1048576); do
        heads "upload-$bytes" METHOD=POST "BODY=$bytes" <"$folder/tokens"
        at_point upload "$bytes" "adit haproxy relay" "upload-$bytes" 64 200 "$bytes"
    done
}

with_workers() { # process, driver, how many, command before adit's...
    local name=$1 count=$3
    driver[$name]=$2
    shift 3
    port[$name:hs256]=$(free_ports 1)
    port[$name:tls]=$(free_ports 1)
    mkdir "$folder/state-$name"
    access[$name]=off
    port[$name:certificate]=1 port[$name:es256]=1 port[$name:rs256]=1 port[$name:plain]=1 port[$name:relay]=1
    render adit.toml "$name" | sed "s/^cpus = .*/count = $count/" >"$folder/$name.toml"
    start "$name" "0-$(($(nproc) - 1))" "${port[$name:hs256]}" "$@" "$adit" run --config "$folder/$name.toml"
}

curve_workers() {
    local count
    for count in $(points 1 2 4 8 16); do
        with_workers "workers-$count" io_uring "$count"
        seconds=1 load_wrk "workers-$count" 1 hs256 hs256 $((64 * count)) >"$folder/warm"
    done
    for round in $(seq "$rounds"); do
        for count in $(points 1 2 4 8 16); do
            measure "workers:$count" "$round" "workers-$count" hs256 load_wrk hs256 $((64 * count))
        done
    done | sed 's/ workers-[0-9]* / adit /' >>"$folder/measured"
}

# Thousands in a request: the second half of a load, when all is warm. On epoll, since valgrind lets no other thread run while
# one waits for its ring.
curve_instructions() {
    local count name per
    for count in $(points 1 2 4 8 16); do
        name=counted-$count per=$((count * 500))
        with_workers "$name" epoll "$count" valgrind --tool=callgrind --fair-sched=yes "--callgrind-out-file=$folder/$name.callgrind"
        load_own "$name" hs256 --heads "$folder/heads-hs256-one" --connections $((64 * count)) --count $per >"$folder/warm"
        callgrind_control -z "${pid[$name]}" >"$folder/control" 2>&1
        load_own "$name" hs256 --heads "$folder/heads-hs256-one" --connections $((64 * count)) --count $per >"$folder/warm"
        callgrind_control -d "${pid[$name]}" >"$folder/control" 2>&1
        echo "instructions:$count 1 adit $(sed -n 's/^totals: //p' "$folder/$name.callgrind.1" | awk -v n=$per '{ print $1 / n / 1000 }')"
        kill -9 "${pid[$name]}"
        unset "pid[$name]"
    done >>"$folder/measured"
}

draw() { # curve, title, axis, unit
    grep "^$1:" "$folder/measured" >"$folder/curve" || return 0
    awk -v SVG="$pictures/growth-$1.svg" -v TITLE="$2" -v AXIS="$3" -v UNIT="$4" -v NAMES="adit haproxy relay" \
        -f benches/proxy/curve.awk "$folder/curve"
}

draw_all() {
    printf '## Growth\n\n'
    where_and_what "$seconds"
    draw tunnels "Tunnels, each with its credential" "tunnels" "CPU us per request"
    draw connections "Connections, all busy" "connections" "CPU us per request"
    draw head "The request's head" "bytes" "CPU us per request"
    draw body "The answer's body" "bytes" "CPU us per request"
    draw upload "The request's body" "bytes" "CPU us per request"
    draw workers "Workers, 64 connections for each, on the same two cores as the load" "workers" "CPU us per request"
    draw instructions "Workers, 64 connections for each: instructions in user space" "workers" "thousand instructions per request"
}

ours=()
measures adit "$adit" io_uring off
pool=10000 head_bytes=1024 with_certificate=''
give_ports
make_keys
mint hs256 "$pool" 36000 >"$folder/tokens-hs256"
heads hs256 <"$folder/tokens-hs256"
head -n 1 "$folder/tokens-hs256" | heads hs256-one
head -n 64 "$folder/tokens-hs256" >"$folder/tokens"
configure
start_all
: >"$folder/measured"
for curve in tunnels connections head body upload workers instructions; do
    if [ -z "$only" ] || [[ ,$only, == *,$curve,* ]]; then
        echo "measuring: $curve" >&2
        "curve_$curve"
    fi
done
pictures=$folder
[ -n "$only$quick" ] || pictures=benches
draw_all >"$folder/report"
chmod a+r "$pictures"/growth-*.svg
cat "$folder/report"
[ -n "$only$quick" ] || put_section growth benches/RESULTS.md "$folder/report"
