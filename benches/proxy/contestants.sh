# Sourced by bench.sh: who takes part, how each is configured and started, and where it listens.
#
# A contestant is a process with a port for each road (hs256, es256, rs256, tls, certificate, plain, relay). Some names are
# only another road of the same process: haproxy-plain is haproxy's port that checks nothing.

declare -A pid port driver binary access
roads=(hs256 es256 rs256 tls certificate plain relay)
certified=cert.example.test # the tunnel that wants a client certificate

process_of() { # contestant, road: the process that serves it
    case $1:$2 in
        adit*:certificate | before*:certificate) echo "$1-certificate" ;;
        haproxy-plain:* | haproxy-relay:*) echo haproxy ;;
        nginx-plain:* | relay:*) echo nginx ;;
        *) echo "$1" ;;
    esac
}

port_of() { # contestant, road
    case $1:$2 in
        haproxy-plain:* | nginx-plain:*) echo "${port[${1%-plain}:plain]}" ;;
        haproxy-relay:*) echo "${port[haproxy:relay]}" ;;
        relay:*) echo "${port[nginx:relay]}" ;;
        *) echo "${port[$1:$2]}" ;;
    esac
}

free_ports() { # how many; held together, so that they differ
    perl -MIO::Socket::INET -e '@held = map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") } 1 .. shift;
        print join(" ", map { $_->sockport } @held), "\n"' "$1"
}

give_ports() { # for all of ours and all peers
    local names=(origin) name road ports i
    for name in "${ours[@]}" haproxy haproxy-lean nginx envoy pingora; do
        for road in "${roads[@]}"; do
            names+=("$name:$road")
        done
    done
    read -ra ports <<<"$(free_ports ${#names[@]})"
    for i in "${!names[@]}"; do
        port[${names[i]}]=${ports[i]}
    done
    # adit tells the roads apart by the host and the token.
    for name in "${ours[@]}"; do
        port[$name:es256]=${port[$name:hs256]} port[$name:rs256]=${port[$name:hs256]}
    done
}

measures() { # name, binary, driver, access log
    ours+=("$1")
    binary[$1]=$2 driver[$1]=$3 access[$1]=$4
}

render() { # template, process: fills in the template's @NAMES@
    local name=$2 road roads_of=()
    for road in "${roads[@]}"; do
        roads_of+=(-e "s|@${road^^}@|${port[$name:$road]}|g")
    done
    sed "${roads_of[@]}" -e "s|@HTTP@|${port[$name:hs256]}|g; s|@HTTPS@|${port[$name:${3:-tls}]}|g" \
        -e "s|@FOLDER@|$folder|g; s|@ORIGIN@|${port[origin]}|g; s|@SECRET@|$secret|g; s|@HERE@|$PWD/benches/proxy|g" \
        -e "s|@DRIVER@|${driver[$name]:-}|g; s|@ACCESS@|${access[$name]:-}|g; s|@NAME@|$name|g" \
        -e "s|@SELF_SIGNED@|$(fingerprint client)|; s|@OF_CA@|$(fingerprint client-ca)|" \
        -e "s#@BOUNDARY@#{\"tunnels\":$boundary}#g; s|@MODULES@|/usr/lib/nginx/modules|g" "benches/proxy/$1"
}

render_envoy() { # its file: the listeners differ by key and by TLS
    local road key only
    cat <(render envoy.yaml envoy)
    for road in hs256 es256 rs256 tls certificate plain; do
        only=() key=$road
        case $road in
            tls) key=hs256 ;;
            certificate | plain) only+=(-e '/# token/,/# end of token/d') ;;
        esac
        case $road in
            tls) only+=(-e '/# certificate$/,$d') ;;
            certificate) ;;
            *) only+=(-e '/# tls$/,$d') ;;
        esac
        sed "${only[@]}" -e "s|@ROAD@|$road|; s|@PORT@|${port[envoy:$road]}|; s|@JWK@|$(jwk "$key")|; s|@FOLDER@|$folder|" \
            -e "s|@CERTIFICATE_WANTED@|$([ $road = certificate ] && echo true || echo false)|" benches/proxy/envoy-listener.yaml
    done
}

configure() {
    local name
    for name in "${ours[@]}"; do
        mkdir "$folder/state-$name"
        render adit.toml "$name" >"$folder/$name.toml"
        render adit-certificate.toml "$name" certificate >"$folder/$name-certificate.toml"
    done
    for name in haproxy haproxy-lean; do
        render haproxy.cfg "$name" >"$folder/$name.cfg"
    done
    render nginx.conf nginx >"$folder/nginx.conf"
    render_envoy >"$folder/envoy.yaml"
}

start() { # process, core, port that it answers at, command...
    local name=$1 core=$2 at=$3 tries=0
    shift 3
    taskset -c "$core" "$@" </dev/null >"$folder/$name.out" 2>"$folder/$name.err" &
    pid[$name]=$!
    until perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift)' "$at"; do
        kill -0 "${pid[$name]}" 2>/dev/null || die "$name ended at its start"
        [ $((tries += 1)) -lt 200 ] || die "$name does not answer"
        sleep 0.05
    done
}

start_all() {
    local name
    start origin 1 "${port[origin]}" "$origin" "127.0.0.1:${port[origin]}"
    for name in "${ours[@]}"; do
        start "$name" 0 "${port[$name:hs256]}" "${binary[$name]}" run --config "$folder/$name.toml"
        [[ " $with_certificate " != *" $name "* ]] ||
            start "$name-certificate" 0 "${port[$name:certificate]}" "${binary[$name]}" run --config "$folder/$name-certificate.toml"
    done
    start haproxy 0 "${port[haproxy:hs256]}" haproxy -db -f "$folder/haproxy.cfg"
    start haproxy-lean 0 "${port[haproxy-lean:hs256]}" env BENCH_LEAN=1 haproxy -db -f "$folder/haproxy-lean.cfg"
    start nginx 0 "${port[nginx:hs256]}" nginx -p "$folder" -c "$folder/nginx.conf"
    [ -z "$envoy" ] || start envoy 0 "${port[envoy:plain]}" "$envoy" --concurrency 1 --log-level error \
        --disable-hot-restart -c "$folder/envoy.yaml"
    local ports=()
    for name in hs256 es256 rs256 tls plain; do
        ports+=("$name=127.0.0.1:${port[pingora:$name]}")
    done
    [ -z "$pingora" ] || start pingora 0 "${port[pingora:plain]}" env -C "$folder" "$pingora" "127.0.0.1:${port[origin]}" "${ports[@]}"
}

versions() {
    haproxy -v | head -n 1 | cut -d' ' -f1-3
    haproxy -vv | sed -n 's/^Running on OpenSSL version : //p'
    nginx -v 2>&1 | sed 's/^nginx version: //'
    dpkg-query -W -f '${Package} ${Version}\n' libnginx-mod-http-lua 2>/dev/null || true
    [ -z "$envoy" ] || "$envoy" --version | sed -n 's|.*version: [0-9a-f]*/\([0-9.]*\)/.*|Envoy \1|p'
    [ -z "$pingora" ] || sed -n '/^name = "pingora"$/{n;s/version = "\(.*\)"/Pingora \1/p}' benches/proxy/pingora/Cargo.lock
    wrk -v 2>&1 | head -n 1 | cut -d' ' -f1,2
}
