# Sourced by bench.sh for --handshakes: what a new TLS connection costs, with one request and its proper end.
#
# Lines, each with a round of every contestant in turn:
#   full            TLS 1.3, a bearer token (HS256, expiry and path checked by all)
#   certificate     the same with a client certificate instead, self-signed: adit knows its SHA-256, HAProxy has it as ca-file
#   certificate-ca  the same with one of a CA, as people give it to HAProxy; adit again goes by its SHA-256
#   tls12           as full, with TLS 1.2
#   resumed         as full, by a ticket, once per ticket
# All show the same self-signed ECDSA P-256 certificate. The client never resumes but in the last line.

# At most so much of HAProxy's CPU.
declare -A target=([full]=0.80 [certificate]=0.60 [certificate-ca]=0.60)
lines=(full tls12 resumed)
if [ -n "$client_certificate" ]; then
    lines+=(certificate certificate-ca)
fi
in_flight=32
certified=cert.example.test # the name of the tunnel that wants a client certificate

make_certificate() { # name, subjectAltName or "", further arguments of openssl req
    local name=$1 san=$2
    shift 2
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" \
        ${san:+-addext "subjectAltName=$san"} -keyout "$folder/$name.key" -out "$folder/$name.crt" "$@" 2>"$folder/openssl.err"
}

fingerprint() { # name
    openssl x509 -in "$folder/$1.crt" -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1
}

prepare_tls() { # keys, certificates, configurations
    local name
    local leaf=(-addext basicConstraints=critical,CA:FALSE)
    make_certificate server "DNS:bench.example.test,DNS:$certified" "${leaf[@]}"
    make_certificate client "" "${leaf[@]}"
    make_certificate stranger "" "${leaf[@]}"
    make_certificate ca "" -addext keyUsage=critical,keyCertSign
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=client-ca -keyout "$folder/client-ca.key" \
        -out "$folder/client-ca.csr" 2>"$folder/openssl.err"
    openssl x509 -req -in "$folder/client-ca.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -days 2 \
        -extfile <(printf 'basicConstraints=critical,CA:FALSE\n') -out "$folder/client-ca.crt" 2>"$folder/openssl.err"
    cat "$folder/server.crt" "$folder/server.key" >"$folder/server.pem"
    cat "$folder/client.crt" "$folder/ca.crt" >"$folder/ca-file.pem"
    for name in "${ours[@]}"; do
        render handshakes-adit.toml "$name" >"$folder/$name.toml"
        if [ -n "$client_certificate" ]; then
            render handshakes-adit-certificate.toml "$name" | sed -e "s|@SELF_SIGNED@|$(fingerprint client)|" \
                -e "s|@OF_CA@|$(fingerprint client-ca)|" >>"$folder/$name.toml"
        fi
    done
    for name in haproxy haproxy-lean; do
        render handshakes-haproxy.cfg "$name" | sed "s|@CERTIFICATE_PORT@|${port[$name-certificate]}|" >"$folder/$name.cfg"
    done
}

where() { # contestant, line: the port
    case $1:$2 in
        haproxy*:certificate*) echo "${port[$1-certificate]}" ;; # another frontend of the same process
        *) echo "${port[$1]}" ;;
    esac
}

expect_certificate() { # contestant, status (000: no connection), what it is, client certificate or "", curl arguments...
    local name=$1 wanted=$2 what=$3 shown=() status at
    at=$(where "$1" certificate)
    if [ -n "$4" ]; then
        shown=(--cert "$folder/$4.crt" --key "$folder/$4.key")
    fi
    shift 4
    status=$(curl -s -o "$folder/answer" -w '%{http_code}' --max-time 5 "${trust[@]}" "${shown[@]}" \
        --resolve "$certified:$at:127.0.0.1" "$@" "https://$certified:$at$path" || true)
    [ "$status" = "$wanted" ] || die "$name answers $status to $what, not $wanted"
    proofs=$((proofs + 1))
}

prove_certificates() { # HAProxy does not let the connection come about where adit answers 401
    local name refused path=/api/items/42
    for name in "${contestants[@]}"; do
        refused=401
        case $name in haproxy*) refused=000 ;; esac
        expect_certificate "$name" 200 "its client's certificate" client
        expect_certificate "$name" 200 "its client's certificate of a CA" client-ca
        expect_certificate "$name" "$refused" "a stranger's certificate" stranger
        expect_certificate "$name" "$refused" "no certificate" ""
        path=/admin expect_certificate "$name" 403 "a good certificate, a path outside" client
    done
    for name in "${ours[@]}"; do
        expect_certificate "$name" 401 "a token beside a certificate" client -H "Authorization: Bearer $token"
        expect_certificate "$name" 401 "a token without a certificate" "" -H "Authorization: Bearer $token"
    done
    echo "proved:  $proofs answers and refusals with the client certificates"
}

load_tls() { # contestant, seconds, line: as load
    local arguments=(--name bench.example.test --tokens "$folder/tokens")
    case $3 in
        certificate) arguments=(--name "$certified" --certificate "$folder/client.crt" --key "$folder/client.key") ;;
        certificate-ca) arguments=(--name "$certified" --certificate "$folder/client-ca.crt" --key "$folder/client-ca.key") ;;
        tls12) arguments+=(--tls12) ;;
        resumed) arguments+=(--resume) ;;
    esac
    taskset -c 1 "$client" "127.0.0.1:$(where "$1" "$3")" --pin "$folder/server.crt" --path /api/items/42 --seconds "$2" \
        --connections "$in_flight" --header "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" \
        --header "Accept: application/json, text/plain, */*" "${arguments[@]}" >"$folder/handshakes" 2>"$folder/handshakes.err" ||
        die "$1, $3: $(cat "$folder/handshakes")"
    # What was agreed must be the same for all, or the figures compare different handshakes.
    sed -n 's/.* agreed=//p' "$folder/handshakes" >>"$folder/agreed-$3"
    [ "$(sort -u "$folder/agreed-$3" | wc -l)" = 1 ] || die "$3: not the same for all: $(sort -u "$folder/agreed-$3")"
    sed -n 's/^BENCH //p' "$folder/handshakes" | cut -d' ' -f1-5
}

round_of() { # round, line: every contestant; another one goes first in each round
    local i name
    for i in $(seq 0 $((${#contestants[@]} - 1))); do
        name=${contestants[(i + $1) % ${#contestants[@]}]}
        if [ "$name:$2" = haproxy-lean:resumed ]; then
            continue # it has nothing to resume by
        fi
        measure "$1" "$name" load_tls "$2"
    done
}

bench_handshakes() {
    local line name round
    for line in "${lines[@]}"; do
        seconds=1 round_of 0 "$line" >"$folder/warm"
    done
    for round in $(seq "$rounds"); do
        for line in "${lines[@]}"; do
            round_of "$round" "$line" >>"$folder/measured-$line"
        done
    done
    for line in "${lines[@]}"; do
        printf '\n%s: %s\n' "$line" "$(head -n 1 "$folder/agreed-$line")"
        for name in "${contestants[@]}"; do
            grep " $name " "$folder/measured-$line" || true
        done | awk -v BASE=haproxy -v UNIT=connection -v TARGET="${target[$line]:-}" -f benches/proxy/report.awk
    done
}
