#!/usr/bin/env bash
# Installs the Debian package, starts what it brings, sends requests, and removes it again. Needs root on a machine, or in a
# container, that may be changed. Where systemd is not in charge, adit is started as its unit would: as the same user, with the
# same one capability. With --static also: the static build resolves names where no library of the machine is within reach.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh

if [ "$(id -u)" != 0 ]; then
    echo "scripts/package-test.sh installs a package: run it as root" >&2
    exit 1
fi
systemd=no
[ ! -d /run/systemd/system ] || systemd=yes
# Ports of its own, where that can be had; systemd would start the unit elsewhere.
if [ "$systemd" = no ] && [ -z "${OWN_NETWORK:-}" ] && unshare --net true 2>/dev/null; then
    [ -f "$(echo target/debian/*.deb)" ] || scripts/package.sh
    [ "${1:-}" != --static ] || [ -x target/static/adit ] || scripts/package.sh --static
    OWN_NETWORK=yes exec unshare --net "$0" "$@"
fi
[ -z "${OWN_NETWORK:-}" ] || ip link set lo up
need curl curl
need openssl openssl
need setpriv util-linux
need python3 python3

package=$(echo target/debian/*.deb)
[ -f "$package" ] || scripts/package.sh
package=$(echo target/debian/*.deb)
folder=$(mktemp -d)
chmod 755 "$folder"
pids=()
stop() {
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
    dpkg --purge adit >/dev/null 2>&1 || true
    rm -rf "$folder" /etc/adit/secrets/hs256 /etc/adit/tls/cert.pem /etc/adit/tls/key.pem
    rmdir /etc/adit/secrets /etc/adit/tls /etc/adit 2>/dev/null || true
}
trap stop EXIT

ok() { echo "ok      $*"; }
fail() {
    echo "FAILED  $*" >&2
    exit 1
}
is() { # what, wanted, found
    [ "$2" = "$3" ] || fail "$1: wanted $2, found $3"
    ok "$1: $3"
}
as_adit() { setpriv --reuid adit --regid adit --init-groups -- "$@"; }

[ ! -e /usr/bin/adit ] || fail "adit is installed already"
dpkg --install "$package" >"$folder/install.log"
ok "installed $(basename "$package"): $(dpkg-query -W -f '${Installed-Size} KiB, needs ${Depends}' adit)"
is "configuration" "640 root adit" "$(stat -c '%a %U %G' /etc/adit/adit.toml)"
is "secrets" "700 adit adit" "$(stat -c '%a %U %G' /etc/adit/secrets)"
is "state" "700 adit adit" "$(stat -c '%a %U %G' /var/lib/adit)"
grep -q 'not started' "$folder/install.log" || fail "the package does not say what comes next"
for file in /usr/share/man/man1/adit.1.gz /usr/share/man/man1/adit-token-mint.1.gz \
    /usr/share/bash-completion/completions/adit /usr/lib/systemd/system/adit.socket /usr/share/adit/adit.schema.json; do
    [ -s "$file" ] || fail "$file is not there"
done
ok "manual pages, completions, units, schema"

for unit in adit.service adit@.service; do
    if [ -n "$(type -P systemd-analyze)" ]; then
        exposure=$(systemd-analyze security --offline=yes --threshold=20 "/usr/lib/systemd/system/$unit" | tail -n 1) ||
            fail "$unit is exposed to more than 2.0: $exposure"
        ok "$unit: ${exposure#→ }"
    fi
done
differ=$(diff /usr/lib/systemd/system/adit.service /usr/lib/systemd/system/adit@.service | grep -c '^[<>]' || true)
is "lines that differ between the units" 4 "$differ"

# What the message asks for. The configuration stays as it was shipped.
(umask 077 && openssl rand -hex 32 >/etc/adit/secrets/hs256)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=edge.example.com \
    -addext "subjectAltName=DNS:edge.example.com,DNS:*.t.edge.example.com" \
    -keyout /etc/adit/tls/key.pem -out /etc/adit/tls/cert.pem 2>/dev/null
chown adit:adit /etc/adit/secrets/hs256 /etc/adit/tls/key.pem
chmod 600 /etc/adit/tls/key.pem
as_adit adit check || fail "adit check"
ok "adit check, as the user adit"

if [ "$systemd" = yes ]; then
    systemctl start adit.service
    pid=$(systemctl show -p MainPID --value adit.service)
    ok "started by systemd: $(systemctl is-active adit.service)"
else
    setpriv --reuid adit --regid adit --init-groups --no-new-privs \
        --bounding-set=-all,+net_bind_service --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service \
        env --ignore-environment PATH=/usr/bin /usr/bin/adit run --config /etc/adit/adit.toml \
        >"$folder/access.log" 2>"$folder/adit.log" &
    pid=$!
    pids+=("$pid")
    ok "systemd is not in charge here: started as the unit would (user adit, CAP_NET_BIND_SERVICE alone)"
fi
mkdir "$folder/site"
echo "the service behind" >"$folder/site/index.html"
python3 -m http.server --bind 127.0.0.1 --directory "$folder/site" 8080 >/dev/null 2>&1 &
origin=$!
pids+=("$origin")

host=app.t.edge.example.com
ask() { # more arguments of curl
    curl --silent --show-error --max-time 20 --retry 40 --retry-connrefused --retry-delay 1 --output "$folder/body" \
        --write-out '%{http_code}' --cacert /etc/adit/tls/cert.pem --resolve "$host:443:127.0.0.1" "$@" "https://$host/"
}
# The service behind may not listen yet, which is a 502 to retry.
token=$(as_adit adit token mint --secret-file /etc/adit/secrets/hs256 --expires-in 1h)
is "a request with a token" 200 "$(ask --header "Authorization: Bearer $token")"
is "and its answer" "the service behind" "$(cat "$folder/body")"
is "without a token" 401 "$(ask)"
is "with another's token" 401 "$(ask --header "Authorization: Bearer ${token%?????}AAAAA")"
is "its user" adit "$(ps -o user= -p "$pid" | tr -d ' ')"
is "its capabilities" "0000000000000400" "$(sed -n 's/^CapEff:\t//p' "/proc/$pid/status")"

kill -HUP "$pid"
is "after a reload" 200 "$(ask --header "Authorization: Bearer $token")"
if [ "$systemd" = yes ]; then
    systemctl stop adit.service
    is "stopped" inactive "$(systemctl is-active adit.service || true)"
else
    kill -TERM "$pid"
    code=0
    wait "$pid" || code=$?
    is "exit code" 0 "$code"
    grep -q config_reloaded "$folder/adit.log" || fail "no reload in the log"
fi

dpkg --remove adit >/dev/null
[ ! -e /usr/bin/adit ] && [ -e /etc/adit/adit.toml ] || fail "removed: the binary goes and the configuration stays"
ok "removed: the configuration stays"
dpkg --purge adit >/dev/null
[ ! -e /etc/adit/adit.toml ] && [ ! -e /var/lib/adit ] && [ -e /etc/adit/secrets/hs256 ] ||
    fail "purged: configuration and state go, and what was put there by hand stays"
ok "purged: what was put there by hand stays"

if [ "${1:-}" = --static ]; then
    file target/static/adit 2>/dev/null || true
    ldd target/static/adit 2>&1 | grep -Eq 'statically linked|not a dynamic' || fail "the static build needs libraries"
    # A folder as root of the file system, with no library in it; and a name server that knows one name.
    root="$folder/root"
    mkdir -p "$root/etc"
    cp target/static/adit "$root/adit"
    printf 'nameserver 127.0.0.1\n' >"$root/etc/resolv.conf"
    printf '127.0.0.5 in-hosts.test\n' >"$root/etc/hosts"
    mkfifo "$folder/ready"
    python3 - >"$folder/ready" <<'PYTHON' &
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(512)
    end = query.index(0, 12) + 5
    name, kind = query[12:end - 4], query[end - 4:end - 2]
    answers = name == b"\x06in-dns\x04test\x00"[:len(name)] and kind == b"\x00\x01"
    head = query[:2] + (b"\x81\x80" if b"in-dns" in name else b"\x81\x83") + b"\x00\x01" + bytes([0, int(answers)]) + bytes(4)
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x06" if answers else b""
    server.sendto(head + query[12:end] + record, client)
PYTHON
    pids+=("$!")
    read -r <"$folder/ready"
    for name in in-hosts.test in-dns.test; do
        printf '[engine]\nhost = "edge.example"\n[http]\nlisten = ["127.0.0.1:81"]\nmode = "serve"\n[[project]]\nid = "p"\nworkspace = "w"\n[[tunnel]]\nhostname = "a.t.edge.example"\nproject = "p"\nupstream = "http://%s:80"\npublic = true\n' "$name" >"$root/adit.toml"
        chmod 600 "$root/adit.toml"
        chroot "$root" /adit check --config /adit.toml || fail "the static build does not resolve $name"
        sed -i "s/$name/nobody-$name/" "$root/adit.toml"
        ! chroot "$root" /adit check --config /adit.toml >/dev/null 2>&1 || fail "nobody-$name resolves"
    done
    ok "the static build needs no library, also for names"
fi
