//! Names of the edge and of tunnels, and where their requests go.

use super::*;

#[test]
fn engine_names_the_edge() {
    check(
        r#"
- [engine]
- host = "edge.example.com"
! adit.toml:1:1: engine: missing; write [engine] with host = "edge.example.com"

- host = "edge.example.com"
+ name = "x"
! adit.toml:1:2: engine.host: missing; write host = "edge.example.com"

- host = "edge.example.com"
+ host = "https://edge.example.com"
! adit.toml:2:8: engine.host: "https://edge.example.com" is no host name: write the name alone, without scheme, port or path

- host = "edge.example.com"
+ host = "192.0.2.1"
! adit.toml:2:8: engine.host: "192.0.2.1" is no host name: an address is not a name

- host = "edge.example.com"
+ host = 5
! adit.toml:2:8: engine.host: expected text in quotes, found 5

- host = "edge.example.com"
+ host = "edge.example.com"
+ name = "edge 1"
+ state_dir = "state"
! adit.toml:3:8: engine.name: expected 1 to 253 of A-Z a-z 0-9 . _ -, found "edge 1"
! adit.toml:4:13: engine.state_dir: expected a path that starts with "/", found "state"
"#,
    );
}

#[test]
fn no_tunnel_reaches_the_base_host() {
    check(
        r#"
- hostname = "app.t.edge.example.com"
+ hostname = "edge.example.com"
! adit.toml:17:12: tunnel[1].hostname: "edge.example.com" covers the base host edge.example.com (engine.host), which serves the edge itself; use a name below it, such as "app.t.edge.example.com"

- hostname = "app.t.edge.example.com"
+ hostname = "Example.com"
! adit.toml:17:12: tunnel[1].hostname: "Example.com" covers the base host edge.example.com (engine.host), which serves the edge itself; use a name below it, such as "app.t.edge.example.com"

- hostname = "app.t.edge.example.com"
+ hostname = "*.example.com"
! adit.toml:17:12: tunnel[1].hostname: "*.example.com" covers the base host edge.example.com (engine.host), which serves the edge itself; use a name below it, such as "app.t.edge.example.com"
"#,
    );
}

#[test]
fn tunnels_have_hosts_of_their_own() {
    check(
        r#"
- hostname = "app.t.edge.example.com"
+ hostname = "app.*.example.com"
! adit.toml:17:12: tunnel[1].hostname: "app.*.example.com" is no host of a tunnel: "*" may stand only as the whole first label of a tunnel's hostname

- hostname = "app.t.edge.example.com"
+ hostname = "a_b.example.com"
! adit.toml:17:12: tunnel[1].hostname: "a_b.example.com" is no host of a tunnel: each label has 1 to 63 letters, digits and hyphens, and no hyphen at its ends

- hostname = "app.t.edge.example.com"
+ hostname = "bücher.example.com" # ü
! adit.toml:17:12: tunnel[1].hostname: "bücher.example.com" is no host of a tunnel: write an international name in its ASCII form (xn--...)

- hostname = "app.t.edge.example.com"
! adit.toml:16:1: tunnel[1].hostname: missing; write hostname = "app.t.edge.example.com"

- project = "proj-1"
+ project = "proj1"
! adit.toml:18:11: tunnel[1].project: there is no project "proj1"; did you mean "proj-1"?

- project = "proj-1"
+ project = "other"
! adit.toml:18:11: tunnel[1].project: there is no project "other"; add a [[project]] with id = "other"

- token_auth = true
+ token_auth = true
+ [[tunnel]]
+ hostname = "APP.t.edge.example.com."
+ project = "proj-1"
+ upstream = "http://127.0.0.1:8081"
+ public = true
! adit.toml:22:12: tunnel[2].hostname: "APP.t.edge.example.com." is already a tunnel at adit.toml:17:12

- token_auth = true
+ token_auth = true
+ labels = { team = 1 }
! adit.toml:21:19: tunnel[1].labels.team: expected text in quotes, found 1

- token_auth = true
+ token_auth = true
+ path_semicolon = "ignore"
! adit.toml:21:18: tunnel[1].path_semicolon: expected "refuse" or "allow", found "ignore"

- token_auth = true
+ token_auth = true
+ authorization = "none"
! adit.toml:21:17: tunnel[1].authorization: expected "edge" or "app", found "none"

- [[tunnel]]
+ [tunnel]
! adit.toml:16:1: tunnel: expected an array of tables, [[tunnel]], found a table
"#,
    );
}

#[test]
fn upstreams_are_scheme_host_and_port() {
    check(
        r#"
- upstream = "http://127.0.0.1:8080"
+ upstream = "127.0.0.1:8080"
! adit.toml:19:12: tunnel[1].upstream: an upstream starts with http://, https:// or unix:/

- upstream = "http://127.0.0.1:8080"
+ upstream = "http://user:canary@127.0.0.1:8080"
! adit.toml:19:12: tunnel[1].upstream: an upstream has no user or password; the application's own credentials go into requests

- upstream = "http://127.0.0.1:8080"
+ upstream = "http://127.0.0.1:8080/app"
! adit.toml:19:12: tunnel[1].upstream: an upstream has no path or query, since requests are forwarded with their own; end it after the host and port

- upstream = "http://127.0.0.1:8080"
+ upstream = "http://127.0.0.1:0"
! adit.toml:19:12: tunnel[1].upstream: the upstream's port is no number from 1 to 65535

- upstream = "http://127.0.0.1:8080"
+ upstream = "http://127.1"
! adit.toml:19:12: tunnel[1].upstream: the upstream's host is no name, IPv4 address or [IPv6] address

- upstream = "http://127.0.0.1:8080"
+ upstream = []
! adit.toml:19:12: tunnel[1].upstream: the list is empty; name at least one server

- upstream = "http://127.0.0.1:8080"
+ upstream = 8080
! adit.toml:19:12: tunnel[1].upstream: expected a URL such as "http://127.0.0.1:8080", or a list of them, found 8080

- upstream = "http://127.0.0.1:8080"
+ upstream = ["http://127.0.0.1:8080/", "unix:/run/app.sock", "http://127.0.0.1:8080"]

- upstream = "http://127.0.0.1:8080"
+ upstream = ["http://127.0.0.1:8080", "unix:app.sock", "ftp://app", "http://nowhere.invalid/x"]
! adit.toml:19:38: tunnel[1].upstream[2]: the path of a socket starts at the root, as in "unix:/run/app.sock"
! adit.toml:19:55: tunnel[1].upstream[3]: an upstream starts with http://, https:// or unix:/
! adit.toml:19:68: tunnel[1].upstream[4]: an upstream has no path or query, since requests are forwarded with their own; end it after the host and port

- upstream = "http://127.0.0.1:8080"
+ upstream = ["https://127.0.0.1:8080", "http://127.0.0.1:8081"]
! adit.toml:19:39: tunnel[1].upstream[2]: servers with and without TLS do not mix; write https:// for all of them, or for none

- upstream = "http://127.0.0.1:8080"
+ upstream = ["https://127.0.0.1:8080", "unix:/run/app.sock"]
! adit.toml:19:39: tunnel[1].upstream[2]: servers with and without TLS do not mix; write https:// for all of them, or for none

- upstream = "http://127.0.0.1:8080"
+ upstream = ["http://127.0.0.1:8080", "http://nowhere.invalid"]
! adit.toml:19:38: tunnel[1].upstream[2]: the name "nowhere.invalid" does not resolve; correct it, or write an address

- upstream = "http://127.0.0.1:8080"
+ upstream = "http://nowhere.invalid"
! adit.toml:19:12: tunnel[1].upstream: the name "nowhere.invalid" does not resolve; correct it, or write an address

- token_auth = true
+ upstream_ca_file = "cert.pem"
+ upstream_server_name = "a.example"
+ public = true
! adit.toml:20:20: tunnel[1].upstream_ca_file: has no effect on an upstream without TLS; remove it, or write https://
! adit.toml:21:24: tunnel[1].upstream_server_name: has no effect on an upstream without TLS; remove it, or write https://

- upstream = "http://127.0.0.1:8080"
+ upstream = "https://127.0.0.1:8080"
+ upstream_ca_file = "nothing.pem"
+ upstream_server_name = "a b"
! adit.toml:20:20: tunnel[1].upstream_ca_file: nothing.pem cannot be opened: there is no such file
! adit.toml:21:24: tunnel[1].upstream_server_name: expected a host name or an address, found "a b"
"#,
    );
}

#[test]
fn an_upstream_is_not_this_process() {
    check(
        r#"
- listen = ["127.0.0.1:0"]
+ listen = ["127.0.0.1:8080"]
! adit.toml:19:12: tunnel[1].upstream: 127.0.0.1:8080 is this process itself: https.listen[1] listens on 127.0.0.1:8080

- listen = ["127.0.0.1:0"]
+ listen = ["0.0.0.0:8080"]
! adit.toml:19:12: tunnel[1].upstream: 127.0.0.1:8080 is this process itself: https.listen[1] listens on 0.0.0.0:8080

- listen = ["127.0.0.1:0"]
+ listen = ["[::]:8080"]
! adit.toml:19:12: tunnel[1].upstream: 127.0.0.1:8080 is this process itself: https.listen[1] listens on [::]:8080

- [tokens]
+ [admin]
+ listen = "127.0.0.1:8080"
+ [tokens]
! adit.toml:21:12: tunnel[1].upstream: 127.0.0.1:8080 is this process itself: admin.listen listens on 127.0.0.1:8080

- listen = ["127.0.0.1:0"]
+ listen = ["127.0.0.2:8080"]
"#,
    );
}
