# Sourced by bench.sh and growth.sh, which have cd'd to the root: what both need before they can start anybody.

PATH=$PATH:/usr/sbin

need_peers() {
    need curl curl
    need openssl openssl
    need xxd xxd
    need taskset util-linux
    need haproxy haproxy
    need wrk wrk
    need nginx nginx-light
    need_file /usr/lib/nginx/modules/ngx_http_lua_module.so libnginx-mod-http-lua lua-resty-core
    need_file /usr/lib/nginx/modules/ngx_stream_module.so libnginx-mod-stream
    need_file /usr/share/lua/5.1/cjson/util.lua lua-cjson
    if [ "$(nproc)" -lt 2 ]; then
        echo "needs two cores: one for the proxy, one for the load" >&2
        exit 1
    fi
}

build_all() { # sets adit, origin, client where they are empty; load and tokens
    cargo build --release --quiet --bin adit --example origin --example handshakes --example load --example tokens --example allocations
    built=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release
    adit=${adit:-$built/adit} origin=${origin:-$built/examples/origin} client=${client:-$built/examples/handshakes}
    load=$built/examples/load tokens=$built/examples/tokens
}

# Where it may, the script runs once more in a network of its own, with cubic for everybody (reno where the kernel allows no
# cubic there): bbr paces, which makes no sense on loopback and distorts it.
own_network() { # the script, its arguments...
    if [ -z "${BENCH_NETWORK:-}" ] && unshare --net true 2>/dev/null; then
        exec env BENCH_NETWORK=own unshare --net "$@"
    fi
    if [ "${BENCH_NETWORK:-}" = own ]; then
        ip link set lo up
        sysctl -q -w net.ipv4.tcp_congestion_control=cubic 2>/dev/null || sysctl -q -w net.ipv4.tcp_congestion_control=reno
    fi
}

own_folder() {
    umask 077
    ulimit -n "$(ulimit -H -n)"
    folder=$(mktemp -d)
    trap finish EXIT
}

finish() {
    local one
    # At once: Pingora takes five minutes over a SIGTERM.
    [ -z "${pid[pingora]:-}" ] || kill -INT "${pid[pingora]}" 2>/dev/null || true
    for one in "${pid[@]}"; do
        kill "$one" 2>/dev/null || true
    done
    wait
    rm -rf "$folder"
}

die() {
    echo "$*" >&2
    tail -n 20 "$folder"/*.err >&2 || true
    exit 1
}

commit() { # what was measured; the results themselves change nothing
    local changed=''
    git diff --quiet HEAD -- . ':!benches/RESULTS.md' ':!benches/*.svg' 2>/dev/null || changed=-dirty
    echo "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)$changed"
}

where_and_what() { # seconds of a round: the line above all figures
    printf 'Machine: %s x %s, Linux %s. ' "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(uname -r)"
    printf 'Congestion control: %s. Commit: %s, %s. ' "$(sysctl -n net.ipv4.tcp_congestion_control)" \
        "$(commit)" "$(date -u +%F)"
    printf 'Against: %s. Medians of %d rounds of %d s.\n\n' "$(versions | paste -sd, | sed 's/,/, /g')" "$rounds" "$1"
}
