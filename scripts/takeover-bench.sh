#!/usr/bin/env bash
# How many requests fail while processes take over from each other with --takeover (SO_REUSEPORT), with net.ipv4.tcp_migrate_req
# 0 and 1: wrk opens a connection for each request, and meanwhile the process is exchanged again and again. Needs root, for a
# network of its own. The redirect listener answers, so that nothing else takes part.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh
need wrk wrk
need openssl openssl

adit=${ADIT:-target/release/adit}
rounds=${ROUNDS:-20}
if [ -z "${OWN_NETWORK:-}" ]; then
    [ -x "$adit" ] || cargo build --release --quiet --bin adit
    OWN_NETWORK=yes exec unshare --net "$0" "$@"
fi
ip link set lo up
folder=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$folder"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=edge.example \
    -addext "subjectAltName=DNS:edge.example,DNS:*.t.edge.example" -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
cat >"$folder/adit.toml" <<TOML
[engine]
host = "edge.example"
[cores]
count = 2
[https]
listen = ["127.0.0.1:8443"]
[[https.certificate]]
cert_file = "cert.pem"
key_file = "key.pem"
[http]
listen = ["127.0.0.1:8080"]
[[project]]
id = "p"
workspace = "w"
[[tunnel]]
hostname = "a.t.edge.example"
project = "p"
upstream = "http://127.0.0.1:9"
public = true
[timeouts]
drain = "10m"
[log]
access = "off"
TOML
chmod 600 "$folder"/*

number=0
start() {
    number=$((number + 1))
    "$adit" run --config "$folder/adit.toml" --takeover 2>"$folder/log-$number" &
    current=$!
    pids+=("$current")
    until grep -qs '"event":"started"' "$folder/log-$number"; do sleep 0.01; done
}

for migrate in 0 1; do
    sysctl -q -w "net.ipv4.tcp_migrate_req=$migrate"
    start
    wrk -t1 -c16 -d60s --timeout 10s -H 'Host: a.t.edge.example' -H 'Connection: close' \
        http://127.0.0.1:8080/ >"$folder/wrk" &
    load=$!
    sleep 1
    for _ in $(seq "$rounds"); do
        old=$current
        start
        kill -TERM "$old"
        wait "$old"
    done
    kill -INT "$load"
    wait "$load" || true
    kill -TERM "$current"
    wait "$current"
    echo "tcp_migrate_req = $migrate, $rounds processes: $(grep -E 'requests in|Socket errors' "$folder/wrk" | tr -s ' \n' ' ')"
done
