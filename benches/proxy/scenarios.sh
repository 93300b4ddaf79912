# Sourced by bench.sh: what is measured, of whom, and what adit wants to reach.
#
# scenario NAME "contestants" ROAD LOAD ARGUMENTS...; the title and the goal stand in front. A goal is `at most CPU of WHOM`,
# where best is the best peer: HAProxy, nginx, Envoy or Pingora, whichever does the same work for least.

declare -A title goals call
scenarios=()

scenario() { # name, title, goals ("0.55:haproxy 1.35:relay"), contestants, road, load...
    local name=$1
    scenarios+=("$name")
    title[$name]=$2 goals[$name]=$3
    shift 3
    call[$name]=$(printf '%q ' "$name" "$@")
}

define_scenarios() { # tokens never seen in a round
    local all="$adits haproxy nginx envoy pingora" first=$1
    scenario hs256 "HS256, $pool tokens" "0.55:haproxy 1.35:relay" \
        "$adits $logged haproxy nginx envoy pingora haproxy-plain nginx-plain haproxy-relay relay" hs256 load_wrk hs256
    scenario hs256-one "HS256, one token" "0.55:haproxy 1.35:relay" "$all relay" hs256 load_wrk hs256-one
    scenario es256 "ES256, $pool tokens again and again" "0.12:haproxy" "$all" es256 load_wrk es256
    scenario es256-one "ES256, one token" "0.12:haproxy" "$all" es256 load_wrk es256-one
    scenario es256-first "ES256, tokens never seen before" "0.85:haproxy" "$all" es256 load_count es256-first "$first"
    scenario rs256 "RS256, $pool tokens again and again" "0.25:haproxy" "$all" rs256 load_wrk rs256
    scenario rs256-one "RS256, one token" "0.25:haproxy" "$all" rs256 load_wrk rs256-one
    scenario rs256-first "RS256, tokens never seen before" "0.70:haproxy" "$all" rs256 load_count rs256-first "$first"
    scenario tls "TLS 1.3 kept alive, HS256, $pool tokens" "0.60:haproxy" "$all" tls load_wrk hs256
    scenario full "A full TLS 1.3 handshake, a request with HS256, the end" "0.80:best" \
        "$adits haproxy haproxy-lean nginx envoy pingora" tls load_handshakes full
    scenario tls12 "The same with TLS 1.2" "" "$adits haproxy haproxy-lean nginx envoy pingora" tls load_handshakes tls12
    scenario resumed "The same with TLS 1.3, resumed by a ticket" "" "$all" tls load_handshakes resumed
    scenario certificate "A full TLS 1.3 handshake with a self-signed client certificate, a request, the end" "0.90:best" \
        "$certificates haproxy nginx envoy" certificate load_handshakes certificate
    scenario certificate-ca "The same with a client certificate of a CA" "0.90:best" \
        "$certificates haproxy nginx envoy" certificate load_handshakes certificate-ca
    scenario none "Refused: no token" "1.00:best" "$all" hs256 load_wrk none 64 401
    scenario forged "Refused: a bad signature" "1.00:best" "$all" hs256 load_wrk hs256-forged 64 401
    scenario answers-64k "64 KiB answers" "0.85:best" "$all relay" hs256 load_wrk answers-64k
    scenario answers-1m "1 MiB answers, 16 connections" "0.85:haproxy" "$all relay" hs256 load_wrk answers-1m 16
    scenario uploads-1m "1 MiB request bodies, 16 connections" "0.85:haproxy" "$all relay" hs256 load_wrk uploads-1m 16 200 1048576
    scenario open "4,000 requests per second, whatever happens" "0.90:haproxy p99:haproxy" "$all" hs256 load_rate hs256 4000
}
