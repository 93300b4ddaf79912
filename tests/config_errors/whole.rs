//! The file as a whole, and what belongs to no tunnel.

use super::*;

#[test]
fn cores_bounds_and_log() {
    check(
        r#"
- [tokens]
+ [cores]
+ count = 0
+ cpus = [0, 0, 5000]
+ driver = "kqueue"
+ ring_entries = 1000
+ [tokens]
! adit.toml:9:9: cores.count: expected "all" or a whole number from 1 to 1024, found 0
! adit.toml:10:15: cores.cpus[3]: expected a CPU's number from 0 to 1023, found 5000
! adit.toml:11:10: cores.driver: expected one of "auto", "io_uring", "epoll", found "kqueue"
! adit.toml:12:16: cores.ring_entries: expected a power of two from 256 to 32768, found 1000

- [tokens]
+ [cores]
+ cpus = [0, 1, 0]
+ [tokens]
! adit.toml:9:15: cores.cpus[3]: CPU 0 is named twice

- [tokens]
+ [cores]
+ count = 2
+ cpus = [0]
+ [tokens]
! adit.toml:9:9: cores.count: clashes with cpus, which has one worker for each CPU in it; remove one of the two

- [tokens]
+ [timeouts]
+ header = 10
+ idle = "10"
+ drain = "0s"
+ body_idle = "400d"
+ [tokens]
! adit.toml:9:10: timeouts.header: expected a duration from 1ms to 365d such as "10s" (ms, s, m, h, d), found 10
! adit.toml:10:8: timeouts.idle: expected a duration from 1ms to 365d such as "10s" (ms, s, m, h, d), found "10"
! adit.toml:11:9: timeouts.drain: expected a duration from 1ms to 365d such as "10s" (ms, s, m, h, d), found "0s"
! adit.toml:12:13: timeouts.body_idle: expected a duration from 1ms to 365d such as "10s" (ms, s, m, h, d), found "400d"

- [tokens]
+ [limits]
+ head_bytes = "1MiB"
+ header_fields = 0
+ target_bytes = "-1"
+ connections_per_core = 1.5
+ requests_per_connection = -1
+ body_bytes = "10 MB"
+ connections_per_address = -1
+ body_min_rate = "fast"
+ [tokens]
! adit.toml:9:14: limits.head_bytes: expected a size from 1024 to 131072 bytes such as "64KiB" (B, KiB, MiB, GiB), found "1MiB"
! adit.toml:10:17: limits.header_fields: expected a whole number from 1 to 256, found 0
! adit.toml:11:16: limits.target_bytes: expected a size from 1 to 131072 bytes such as "64KiB" (B, KiB, MiB, GiB), found "-1"
! adit.toml:12:24: limits.connections_per_core: expected a whole number from 1 to 1048576, found a number that is not whole
! adit.toml:13:27: limits.requests_per_connection: expected a whole number, 0 or more, found -1
! adit.toml:14:14: limits.body_bytes: expected a size such as "64KiB" (B, KiB, MiB, GiB), found "10 MB"
! adit.toml:15:27: limits.connections_per_address: expected a whole number from 0 to 1048576, found -1
! adit.toml:16:17: limits.body_min_rate: expected a size such as "64KiB" (B, KiB, MiB, GiB), found "fast"

- [tokens]
+ [limits]
+ head_bytes = "2KiB"
+ target_bytes = "4KiB"
+ [tokens]
! adit.toml:10:16: limits.target_bytes: expected a size from 1 to 2048 bytes such as "64KiB" (B, KiB, MiB, GiB), found "4KiB"

- [tokens]
+ [log]
+ level = "trace"
+ access = "access.log"
+ format = "xml"
+ [tokens]
! adit.toml:9:9: log.level: expected one of "debug", "info", "warn", "error", found "trace"
! adit.toml:10:10: log.access: expected "stdout", "off" or a file's path that starts with "/", found "access.log"
! adit.toml:11:10: log.format: expected "json" or "text", found "xml"
"#,
    );
}

#[test]
fn what_is_not_toml() {
    check(
        r#"
- host = "edge.example.com"
+ host = "edge.example.com
! adit.toml:2:25: not TOML: invalid basic string, expected `"`

- host = "edge.example.com"
+ host = "edge.example.com"
+ host = "b.example.com"
! adit.toml:3:1: host is already given at adit.toml:2:1; give it once

- host = "edge.example.com"
+ host = "edge.example.com"
+ what is this
! adit.toml:3:6: not TOML: key with no value, expected `=`

- [tokens]
+ [https]
+ [tokens]
! adit.toml:8:2: https is given twice; give it once

- [[tunnel]]
- hostname = "app.t.edge.example.com"
- project = "proj-1"
- upstream = "http://127.0.0.1:8080"
- token_auth = true
+ [[tunnel]
! adit.toml:16:10: not TOML: unclosed array table, expected `]`
"#,
    );
}

#[test]
fn all_errors_at_once() {
    check(
        r#"
- listen = ["127.0.0.1:0"]
- [[https.certificate]]
- cert_file = "cert.pem"
- key_file = "key.pem"
+ listen = ["127.0.0.1"]
+ [[https.certificate]]
+ cert_file = "cert.pem"
+ ky_file = "key.pem"
+ [log]
+ level = 5
+ [engin]
+ [[tunnel]]
+ project = "proj-2"
! adit.toml:4:11: https.listen[1]: expected an address and a port such as "0.0.0.0:443" or "[::]:443", found "127.0.0.1"
! adit.toml:7:1: https.certificate[1].ky_file: unknown key; did you mean "key_file"?
! adit.toml:9:9: log.level: expected one of "debug", "info", "warn", "error", found 5
! adit.toml:10:2: engin: unknown key; did you mean "engine"?
! adit.toml:11:1: tunnel[1].hostname: missing; write hostname = "app.t.edge.example.com"
! adit.toml:11:1: tunnel[1].upstream: missing; write upstream = "http://127.0.0.1:8080"
! adit.toml:11:1: tunnel[1]: no authentication is on, so everybody could enter: write token_auth = true, or public = true if that is meant
! adit.toml:12:11: tunnel[1].project: there is no project "proj-2"; did you mean "proj-1"?

- host = "edge.example.com"
+ host =
+ state_dir = "x"
! adit.toml:2:7: not TOML: string values must be quoted, expected literal string
! adit.toml:3:13: engine.state_dir: expected a path that starts with "/", found "x"
"#,
    );
}

#[test]
fn warnings() {
    check(
        r#"
- [[tunnel]]
- hostname = "app.t.edge.example.com"
- project = "proj-1"
- upstream = "http://127.0.0.1:8080"
- token_auth = true
! warning: adit.toml:1:1: tunnel: there is no [[tunnel]], so every request is answered with 404

- token_auth = true
+ public = true
! warning: adit.toml:20:10: tunnel[1].public: everybody may enter this tunnel
"#,
    );
}
