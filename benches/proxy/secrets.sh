# Sourced by bench.sh: keys, certificates, tokens and the request heads that carry them.

boundary='{"projects":["proj-1"],"scopes":{"tunnels":{"connect":{"params":{"path":{"regex":"^/api/"}}}}}}'

base64url() {
    openssl base64 -A | tr '+/' '-_' | tr -d '='
}

make_certificate() { # name, subjectAltName or "", further arguments of openssl req
    local name=$1 san=$2
    shift 2
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" \
        ${san:+-addext "subjectAltName=$san"} -keyout "$folder/$name.key" -out "$folder/$name.crt" "$@" 2>"$folder/openssl.err"
}

fingerprint() { # name
    openssl x509 -in "$folder/$1.crt" -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1
}

make_keys() {
    local leaf=(-addext basicConstraints=critical,CA:FALSE) name
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

    secret=$(openssl rand -hex 32)
    printf '%s' "$secret" >"$folder/secret"
    printf 'not %s' "$secret" >"$folder/other-secret"
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/es256.pem"
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$folder/rs256.pem"
    for name in es256 rs256; do
        openssl pkey -in "$folder/$name.pem" -pubout -out "$folder/$name.pub"
        openssl pkcs8 -topk8 -nocrypt -in "$folder/$name.pem" -outform DER -out "$folder/$name.der"
    done
    ln -s secret "$folder/hs256.der"
}

jwk() { # hs256, es256 or rs256
    local point
    case $1 in
        hs256) printf '{"kty":"oct","alg":"HS256","k":"%s"}' "$(printf '%s' "$secret" | base64url)" ;;
        es256)
            point() { openssl pkey -pubin -in "$folder/es256.pub" -outform DER | tail -c 64 | "$@" | base64url; }
            printf '{"kty":"EC","alg":"ES256","crv":"P-256","x":"%s","y":"%s"}' "$(point head -c 32)" "$(point tail -c 32)"
            ;;
        rs256)
            printf '{"kty":"RSA","alg":"RS256","e":"AQAB","n":"%s"}' "$(openssl rsa -pubin -in "$folder/rs256.pub" -noout \
                -modulus | sed 's/Modulus=//' | xxd -r -p | base64url)"
            ;;
    esac
}

claims() { # hs256, es256 or rs256; seconds until it expires
    local expires=$(($(date +%s) + $2))
    case $1 in
        hs256) printf '{"permissions":["tunnels.streams.create-delete"],"resources":{"tunnels":%s},"exp":%s}' "$boundary" $expires ;;
        *) printf '{"iss":"https://%s.example.test","exp":%s}' "$1" $expires ;;
    esac
}

mint() { # hs256, es256 or rs256; how many; seconds until they expire; file of the key, if another
    "$tokens" "${1^^}" "${4:-$folder/$1.der}" "$2" "$(claims "$1" "$3")"
}

heads() { # file; METHOD=, TARGET=, BODY=, BYTES= if others than the usual; tokens come in
    local file=$1
    shift
    awk -v METHOD=GET -v TARGET=/api/items/42 -v HOST=bench.example.test -v BYTES="$head_bytes" \
        "${@/#/-v}" -f benches/proxy/heads.awk >"$folder/heads-$file"
}

# All pools of the scenarios. Those for tokens never seen have a slice for each round.
make_requests() { # tokens of a pool, tokens of a slice
    local algorithm
    for algorithm in hs256 es256 rs256; do
        mint $algorithm "$1" 36000 >"$folder/tokens-$algorithm"
        heads $algorithm <"$folder/tokens-$algorithm"
        head -n 1 "$folder/tokens-$algorithm" | heads $algorithm-one
        [ $algorithm = hs256 ] || mint $algorithm $(($2 * rounds)) 35000 | heads $algorithm-first
    done
    mint hs256 "$1" 36000 "$folder/other-secret" | heads hs256-forged
    echo | heads none
    head -n 64 "$folder/tokens-hs256" >"$folder/tokens"
    heads answers-64k TARGET=/api/bytes/65536 <"$folder/tokens"
    heads answers-1m TARGET=/api/bytes/1048576 <"$folder/tokens"
    heads uploads-1m METHOD=POST BODY=1048576 <"$folder/tokens"
}
