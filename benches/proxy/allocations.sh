# Sourced by bench.sh: heap allocations of a request, of those that take them from the C library. They are started once more with
# a library that counts (allocations.rs). Envoy brings an allocator of its own.

allocated() { # contestant
    od -An -t u8 -N 8 "$folder/allocations-$1"
}

measure_allocations() {
    local name line road heads status before requests
    local counted=(LD_PRELOAD="$built/examples/liballocations.so")
    for name in adit haproxy nginx; do
        kill "${pid[$name]}"
        wait "${pid[$name]}" || true
        head -c 8 /dev/zero >"$folder/allocations-$name"
    done
    counting() { # contestant, command...
        start "$1" 0 "${port[$1:hs256]}" env "${counted[@]}" "ALLOCATIONS_FILE=$folder/allocations-$1" "${@:2}"
    }
    counting adit "$adit" run --config "$folder/adit.toml"
    counting haproxy haproxy -db -f "$folder/haproxy.cfg"
    counting nginx nginx -p "$folder" -c "$folder/nginx.conf"
    for name in adit haproxy nginx; do
        for line in "hs256 hs256 200" "tls hs256 200" "hs256 none 401"; do
            read -r road heads status <<<"$line"
            load_wrk "$name" 1 "$road" "$heads" 64 "$status" >"$folder/warm"
            before=$(allocated "$name")
            read -r requests _ <<<"$(load_wrk "$name" 1 "$road" "$heads" 64 "$status")"
            echo "$name $(($(allocated "$name") - before)) $requests" >>"$folder/allocations"
        done
    done
}

report_allocations() {
    [ -s "$folder/allocations" ] || return 0
    printf '### Heap allocations of a request\n\nOf 64 connections and their set-up; Envoy has an allocator of its own, which is not counted.\n\n'
    printf '| | HS256 | TLS, HS256 | no token |\n|---|--:|--:|--:|\n'
    awk '{ if (!($1 in row)) order[++n] = $1; row[$1] = row[$1] sprintf(" %.2f |", $2 / $3) }
        END { for (i = 1; i <= n; i++) printf "| %s |%s\n", order[i], row[order[i]]; print "" }' "$folder/allocations"
}
