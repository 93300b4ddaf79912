//! Listeners, with their certificates and secrets.

use super::*;

#[test]
fn listeners() {
    check(
        r#"
- listen = ["127.0.0.1:0"]
+ listen = ["localhost:443", "127.0.0.1"]
! adit.toml:4:11: https.listen[1]: expected an address and a port such as "0.0.0.0:443" or "[::]:443", found "localhost:443"
! adit.toml:4:28: https.listen[2]: expected an address and a port such as "0.0.0.0:443" or "[::]:443", found "127.0.0.1"

- listen = ["127.0.0.1:0"]
+ listen = []
! adit.toml:4:10: https.listen: an empty list listens nowhere; write listen = ["0.0.0.0:443", "[::]:443"]

- listen = ["127.0.0.1:0"]
+ listen = "127.0.0.1:443"
! adit.toml:4:10: https.listen: expected a list, each entry an address and a port such as "0.0.0.0:443" or "[::]:443", found "127.0.0.1:443"

- listen = ["127.0.0.1:0"]
+ listen = ["127.0.0.1:443", "127.0.0.1:443"]
! adit.toml:4:28: https.listen[2]: 127.0.0.1:443 is already taken by https.listen[1] at adit.toml:4:11

- listen = ["127.0.0.1:0"]
+ listen = ["127.0.0.1:0"]
+ public_port = 65536
+ tls_min_version = "tls1.1"
! adit.toml:5:15: https.public_port: expected a whole number from 1 to 65535, found 65536
! adit.toml:6:19: https.tls_min_version: expected "tls1.2" or "tls1.3", found "tls1.1"

- [https]
- listen = ["127.0.0.1:0"]
- [[https.certificate]]
- cert_file = "cert.pem"
- key_file = "key.pem"
! adit.toml:1:1: https: no listener would serve a tunnel: add [https], or [http] with mode = "serve" on a loopback address

- [https]
- listen = ["127.0.0.1:0"]
- [[https.certificate]]
- cert_file = "cert.pem"
- key_file = "key.pem"
+ [http]
+ listen = ["127.0.0.1:0"]
! adit.toml:1:1: https: no listener would serve a tunnel: add [https], or [http] with mode = "serve" on a loopback address

- [https]
- listen = ["127.0.0.1:0"]
- [[https.certificate]]
- cert_file = "cert.pem"
- key_file = "key.pem"
+ [http]
+ listen = ["127.0.0.1:0", "0.0.0.0:80"]
+ mode = "serve"
! adit.toml:4:26: http.listen[2]: mode = "serve" would take tokens in the clear on 0.0.0.0:80: listen on 127.0.0.1 or [::1], or use [https], or write behind_tls_balancer = true where a balancer ends TLS

- [https]
- listen = ["127.0.0.1:0"]
- [[https.certificate]]
- cert_file = "cert.pem"
- key_file = "key.pem"
+ [http]
+ listen = ["127.0.0.1:0", "[::1]:0"]
+ mode = "serve"

- [tokens]
+ [http]
+ listen = ["127.0.0.1:0"]
+ mode = "proxy"
+ [tokens]
! adit.toml:10:8: http.mode: expected "redirect" or "serve", found "proxy"

- [tokens]
+ [admin]
+ listen = "0.0.0.0:9090"
+ [tokens]
! adit.toml:9:10: admin.listen: 0.0.0.0:9090 can be reached from other machines: add bearer_token_file, or listen on 127.0.0.1

- [tokens]
+ [admin]
+ listen = "0.0.0.0:9090"
+ bearer_token_file = "admin"
+ [tokens]

- [tokens]
+ [admin]
+ listen = "unix:admin.sock"
+ [tokens]
! adit.toml:9:10: admin.listen: expected an address and a port such as "127.0.0.1:9090", or "unix:/run/adit/admin.sock", found "unix:admin.sock"

- [tokens]
+ [admin]
+ listen = "127.0.0.1:0"
+ open_on_loopback = true
+ hosts = ["admin.example.com", "192.0.2.7", "[2001:db8::1]"]
+ [tokens]

- [tokens]
+ [admin]
+ listen = "0.0.0.0:9090"
+ bearer_token_file = "admin"
+ open_on_loopback = true
+ [tokens]
! adit.toml:11:20: admin.open_on_loopback: 0.0.0.0:9090 can be reached from other machines, which would see the status page without a token: remove it, or listen on 127.0.0.1

- [tokens]
+ [admin]
+ listen = "0.0.0.0:9090"
+ bearer_token_file = "admin"
+ open_on_loopback = false
+ [tokens]

- [tokens]
+ [admin]
+ listen = "127.0.0.1:0"
+ hosts = ["https://a.example", "a.example:9090", "*.a.example", "a.example"]
+ [tokens]
! adit.toml:10:10: admin.hosts[1]: expected a host name or an address without a port, such as "admin.example.com", found "https://a.example"
! adit.toml:10:31: admin.hosts[2]: expected a host name or an address without a port, such as "admin.example.com", found "a.example:9090"
! adit.toml:10:49: admin.hosts[3]: expected a host name or an address without a port, such as "admin.example.com", found "*.a.example"
"#,
    );
}

#[test]
fn certificates() {
    check(
        r#"
- [[https.certificate]]
- cert_file = "cert.pem"
- key_file = "key.pem"
! adit.toml:3:2: https.certificate: missing; write [[https.certificate]] with cert_file and key_file

- cert_file = "cert.pem"
+ cert_file = "nothing.pem"
! adit.toml:6:13: https.certificate[1].cert_file: nothing.pem cannot be opened: there is no such file

- cert_file = "cert.pem"
+ cert_file = "key.pem"
! adit.toml:6:13: https.certificate[1].cert_file: key.pem has no PEM block CERTIFICATE

- cert_file = "cert.pem"
+ cert_file = "broken.pem"
! adit.toml:6:13: https.certificate[1].cert_file: block 1 of broken.pem is not a certificate

- cert_file = "cert.pem"
+ cert_file = "other.pem"
! adit.toml:7:12: https.certificate[1].key_file: this key is not that of the first certificate in other.pem

- key_file = "key.pem"
+ key_file = "secret"
! adit.toml:7:12: https.certificate[1].key_file: secret has no PEM block PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY

- key_file = "key.pem"
+
! adit.toml:5:1: https.certificate[1].key_file: missing; write key_file = "/etc/adit/tls/key.pem"

- cert_file = "cert.pem"
+ cert_file = "old.pem"
! warning: adit.toml:6:13: https.certificate[1].cert_file: old.pem expired at Dec 31 00:00:00 2020 +00:00

- hostname = "app.t.edge.example.com"
+ hostname = "app.other.example"
! warning: adit.toml:17:12: tunnel[1].hostname: no certificate covers "app.other.example", so browsers will refuse it
"#,
    );
}

#[test]
fn secrets() {
    check(
        r#"
- hs256_secret_file = "secret"
+ hs256_secret_file = "canary-secret-itself"
! adit.toml:9:21: tokens.hs256_secret_file: the file named here cannot be opened: there is no such file

- hs256_secret_file = "secret"
+ hs256_secret = "canary-secret-itself"
! adit.toml:9:16: tokens.hs256_secret: a secret does not belong here; name its file in hs256_secret_file

- hs256_secret_file = "secret"
+ hs256_secret_file = "admin"
! adit.toml:9:21: tokens.hs256_secret_file: the secret has 18 bytes and needs at least 32: openssl rand -hex 32

- hs256_secret_file = "secret"
+ hs256_secret_file = "."
! adit.toml:9:21: tokens.hs256_secret_file: . is not a regular file

- hs256_secret_file = "secret"
+
! adit.toml:8:2: tokens.hs256_secret_file: missing; write hs256_secret_file = "/etc/adit/secrets/hs256"

- hs256_secret_file = "secret"
+ hs256_secret_file = "open"
! adit.toml:9:21: tokens.hs256_secret_file: open can be read by other users: chmod 600 open

- key_file = "key.pem"
+ key_file = "open"
! adit.toml:7:12: https.certificate[1].key_file: open can be read by other users: chmod 600 open

- [tokens]
+ [admin]
+ listen = "127.0.0.1:0"
+ bearer_token_file = "open"
+ [tokens]
! adit.toml:10:21: admin.bearer_token_file: open can be read by other users: chmod 600 open

- [tokens]
+ [admin]
+ listen = "127.0.0.1:0"
+ bearer_token_file = "short"
+ [tokens]
! adit.toml:10:21: admin.bearer_token_file: the token has 6 bytes and needs at least 16: openssl rand -hex 32

- [tokens]
+ [admin]
+ listen = "127.0.0.1:0"
+ bearer_token_file = "spaced"
+ [tokens]
! adit.toml:10:21: admin.bearer_token_file: the token has characters that cannot be sent in a header (allowed: A-Z a-z 0-9 - . _ ~ + / =): openssl rand -hex 32
"#,
    );
}
