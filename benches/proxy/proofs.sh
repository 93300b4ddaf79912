# Sourced by bench.sh: before anything is timed, each contestant must accept and refuse what it should.

proofs=0

# contestant, road, statuses that are right (000: no connection), what it is, arguments of curl...
expect() {
    local name=$1 road=$2 wanted=$3 what=$4 scheme=http host=bench.example.test at status
    at=$(port_of "$1" "$2")
    case $2 in
        tls) scheme=https ;;
        certificate) scheme=https host=$certified ;;
    esac
    shift 4
    status=$(curl -s -o "$folder/answer" -w '%{http_code}' --max-time 5 --cacert "$folder/server.crt" \
        --resolve "$host:$at:127.0.0.1" "$@" "$scheme://$host:$at${path:-/api/items/42}" || true)
    [[ "|$wanted|" == *"|$status|"* ]] || die "$name, $road: $status to $what, not $wanted"
    if [ "$status" = 200 ] && [ "$(stat -c %s "$folder/answer")" != 128 ]; then
        die "$name, $road: not the upstream's answer to $what"
    fi
    proofs=$((proofs + 1))
}

bearer() { # a token: header for curl
    echo "Authorization: Bearer $1"
}

prove_tokens() { # contestant, road, algorithm
    local good forged
    good=$(mint "$3" 1 600)
    # Another claim under the same signature.
    forged=${good%%.*}.$(printf '%s' "$(claims "$3" 700)" | base64url).${good##*.}
    expect "$1" "$2" 200 "a good token" -H "$(bearer "$good")"
    expect "$1" "$2" 401 "no token"
    expect "$1" "$2" 401 "a signature of other claims" -H "$(bearer "$forged")"
    expect "$1" "$2" 401 "an expired token" -H "$(bearer "$(mint "$3" 1 -100)")"
    path=/admin expect "$1" "$2" 403 "a good token, a path outside" -H "$(bearer "$good")"
    if [ "$3" = hs256 ]; then
        expect "$1" "$2" 401 "a token of another secret" -H "$(bearer "$(mint hs256 1 600 "$folder/other-secret")")"
        expect "$1" "$2" 401 "a token of another algorithm" \
            -H "$(bearer "$("$tokens" HS512 "$folder/secret" 1 "$(claims hs256 600)")")"
    elif [[ $1 != adit* && $1 != before* ]]; then # adit takes the tokens of all three keys at its one port
        expect "$1" "$2" 401 "a token of another algorithm" -H "$(bearer "$(mint hs256 1 600)")"
    fi
}

prove_certificates() { # contestant; HAProxy and Envoy refuse the connection where adit and nginx answer
    local name=$1 shown=(--cert "$folder/client.crt" --key "$folder/client.key")
    expect "$name" certificate 200 "its client's certificate" "${shown[@]}"
    expect "$name" certificate 200 "its client's certificate of a CA" --cert "$folder/client-ca.crt" --key "$folder/client-ca.key"
    expect "$name" certificate '401|000|400' "a stranger's certificate" --cert "$folder/stranger.crt" --key "$folder/stranger.key"
    expect "$name" certificate '401|000|400' "no certificate"
    path=/admin expect "$name" certificate 403 "a good certificate, a path outside" "${shown[@]}"
}

prove() {
    local name road
    for name in "${ours[@]}" haproxy haproxy-lean nginx ${envoy:+envoy} ${pingora:+pingora}; do
        for road in hs256 es256 rs256; do
            prove_tokens "$name" $road $road
        done
        prove_tokens "$name" tls hs256
        [ "$name" = pingora ] || [ -z "${pid[$(process_of "$name" certificate)]:-}" ] || prove_certificates "$name"
    done
    for name in relay haproxy-relay haproxy-plain nginx-plain; do
        expect "$name" plain 200 "anything"
    done
    echo "proved:  $proofs answers are as they should be"
}
