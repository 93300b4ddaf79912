# Sourced by bench.sh: the load of a scenario, and the CPU time that a contestant's process takes meanwhile.

cpu_ns() { # pid: run time of all threads of the process and its children
    local one
    for one in "$1" $(pgrep -P "$1" || true); do
        cat "/proc/$one"/task/*/schedstat
    done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# Each load: contestant, round, road, then what it needs. It prints requests, duration in us, p50 us, p99 us, errors.

load_wrk() { # ..., heads, connections, status, body bytes
    local at scheme=http
    at=$(port_of "$1" "$3")
    [ "$3" != tls ] || scheme=https
    EXPECTED=${6:-200} taskset -c 1 wrk -t1 "-c${5:-64}" -d"${seconds}s" --timeout 20s -s benches/proxy/requests.lua \
        "$scheme://127.0.0.1:$at" -- "$folder/heads-$4" "${7:-0}" >"$folder/load.err" 2>&1 || die "wrk failed against $1"
    sed -n 's/^BENCH //p' "$folder/load.err"
}

load_count() { # ..., heads, how many: each once, another slice in each round
    load_own "$1" "$3" --heads "$folder/heads-$4" --count "$5" --skip $((($2 - 1) * $5))
}

load_rate() { # ..., heads, requests per second
    load_own "$1" "$3" --heads "$folder/heads-$4" --rate "$5" --seconds "$seconds"
}

load_own() { # contestant, road, arguments
    local at
    at=$(port_of "$1" "$2")
    shift 2
    taskset -c 1 "$load" "127.0.0.1:$at" "$@" >"$folder/load" 2>"$folder/load.err" || die "the load failed against port $at"
    sed -n 's/^BENCH //p' "$folder/load"
}

load_handshakes() { # ..., kind
    local arguments=(--name bench.example.test --tokens "$folder/tokens")
    case $4 in
        certificate) arguments=(--name "$certified" --certificate "$folder/client.crt" --key "$folder/client.key") ;;
        certificate-ca) arguments=(--name "$certified" --certificate "$folder/client-ca.crt" --key "$folder/client-ca.key") ;;
        tls12) arguments+=(--tls12) ;;
        resumed) arguments+=(--resume) ;;
    esac
    taskset -c 1 "$client" "127.0.0.1:$(port_of "$1" "$3")" --pin "$folder/server.crt" --path /api/items/42 --seconds "$seconds" \
        --connections 32 --header "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" \
        --header "Accept: application/json, text/plain, */*" "${arguments[@]}" >"$folder/load" 2>"$folder/load.err" ||
        die "$1, $4: $(cat "$folder/load")"
    sed -n 's/.* agreed=//p' "$folder/load" | tail -n 1 >"$folder/agreed:$4:$1"
    sed -n 's/^BENCH //p' "$folder/load" | cut -d' ' -f1-5
}

measure() { # scenario, round, contestant, road, load, what it needs...
    local scenario=$1 round=$2 name=$3 road=$4 way=$5 process before after requests duration p50 p99 errors
    shift 5
    process=${pid[$(process_of "$name" "$road")]}
    before=$(cpu_ns "$process")
    read -r requests duration p50 p99 errors <<<"$("$way" "$name" "$round" "$road" "$@")"
    after=$(cpu_ns "$process")
    [ "$errors" = 0 ] || die "$scenario, $name: $errors of $requests requests failed in round $round"
    awk -v cpu=$((after - before)) -v n="$requests" -v us="$duration" -v head="$scenario $round $name" -v tail="$p50 $p99" \
        'BEGIN { printf "%s %.3f %.0f %s %.1f\n", head, cpu / 1000 / n, n / us * 1000000, tail, cpu / 10 / us }'
}

warm() { # contestant, road, heads: caches and pools fill outside the count
    case $3 in
        hs256 | es256 | rs256) load_count "$1" 1 "${2/tls/hs256}" "$3" "$pool" ;; # the generator speaks no TLS
        *) seconds=1 load_wrk "$1" 1 "$2" "$3" ;;
    esac >"$folder/warm"
}

# One scenario: all rounds of every contestant in turn; another one goes first in each round.
run_scenario() { # scenario, contestants, road, load, what it needs...
    local scenario=$1 road=$3 way=$4 heads=${5:-} round i name names=()
    for name in $2; do
        case $name in
            envoy | pingora) [ -z "${!name}" ] || names+=("$name") ;;
            *) names+=("$name") ;;
        esac
    done
    shift 4
    for name in "${names[@]}"; do
        [ "$way" != load_wrk ] && [ "$way" != load_rate ] || [ "${3:-200}" != 200 ] || [ "${4:-0}" != 0 ] || warm "$name" "$road" "$heads"
    done
    for round in $(seq "$rounds"); do
        for i in "${!names[@]}"; do
            measure "$scenario" "$round" "${names[(i + round) % ${#names[@]}]}" "$road" "$way" "$@"
        done
    done >>"$folder/measured"
}

report_agreed() { # scenario: what the handshakes came to, where it has any
    local one
    for one in "$folder/agreed:$1:"*; do
        [ ! -e "$one" ] || printf '%s: %s. ' "${one##*:}" "$(cat "$one")"
    done | sed '$s/$/\n\n/'
}
