# Sourced by bench.sh: what an idle connection takes, and what many of them cost a busy one.

held_of_each=2000

resident_kib() { # pid: of the process and its children
    local one
    for one in "$1" $(pgrep -P "$1" || true); do
        sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$one/smaps_rollup"
    done | awk '{ sum += $1 } END { print sum }'
}

hold() { # contestant, road, connections: opens them, uses each once; they end with drop
    local at tls=()
    at=$(port_of "$1" "$2")
    [ "$2" != tls ] || tls=(--pin "$folder/server.crt")
    mkfifo "$folder/hold-$1"
    taskset -c 1 "$load" "127.0.0.1:$at" --hold --connections "$3" --heads "$folder/heads-hs256-one" "${tls[@]}" \
        <"$folder/hold-$1" >"$folder/held-$1" 2>"$folder/held-$1.err" &
    pid[hold-$1]=$!
    exec {holding}>"$folder/hold-$1"
    until grep -qs held "$folder/held-$1"; do
        kill -0 "${pid[hold-$1]}" 2>/dev/null || die "not all idle connections to $1"
        sleep 0.1
    done
}

drop() { # contestant
    exec {holding}>&-
    wait "${pid[hold-$1]}" || die "idle connections to $1 ended by themselves"
    unset "pid[hold-$1]"
    rm "$folder/hold-$1"
}

# Memory of idle connections, plain and with TLS. To be measured before any load, whose freed memory would hide it; the first
# hundred connections have warmed each process.
measure_memory() {
    local name road before after one
    for name in adit haproxy nginx ${envoy:+envoy} ${pingora:+pingora}; do
        one=${pid[$name]}
        for road in hs256 tls; do
            hold "$name" $road 100
            drop "$name"
            sleep 1
            before=$(resident_kib "$one")
            hold "$name" $road $held_of_each
            sleep 1
            after=$(resident_kib "$one")
            drop "$name"
            echo "$name $road $(((after - before) * 1024 / held_of_each))" >>"$folder/memory"
        done
    done
}

measure_idle() { # what idle connections cost a busy one
    hold adit-idle hs256 "$idle"
    eval "run_scenario idle 'adit adit-idle' hs256 load_wrk hs256"
    drop adit-idle
}

report_memory() {
    [ -s "$folder/memory" ] || return 0
    printf '### Memory of an idle connection, KiB\n\nCounted over %d connections after one request each; kernel buffers not included.\n\n' \
        $held_of_each
    printf '| | plain | TLS |\n|---|--:|--:|\n'
    awk '{ if (!($1 in seen)) order[++n] = $1; seen[$1] = 1; of[$1, $2] = $3 / 1024 }
        END { for (i = 1; i <= n; i++) printf "| %s | %.1f | %.1f |\n", order[i], of[order[i], "hs256"], of[order[i], "tls"]; print "" }' \
        "$folder/memory"
    awk '$1 == "adit" { asked = $2 == "tls" ? 14 : 2
        printf "goal\tKiB of an idle connection, %s\t%d\t%.1f\t%s\n", $2 == "tls" ? "TLS" : "plain", asked, $3 / 1024,
            $3 / 1024 <= asked ? "yes" : "**no**" }' "$folder/memory"
    grep '^idle ' "$folder/measured" | awk -v TITLE="HS256, $pool tokens, beside $idle idle connections" -v GOALS=1.05:adit \
        -v NAMES="$everybody" -v PEERS= -v ADIT=adit-idle -f benches/proxy/report.awk
}
