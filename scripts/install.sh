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
