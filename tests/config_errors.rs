//! What an operator reads when a configuration is wrong: exact messages, and what is refused at all.
//!
//! Each case changes one thing in a configuration that loads without a word. `config_sources.rs` has what several
//! files, their access rights and the environment add.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod config_support;
#[path = "config_support/countries.rs"]
mod countries;

use config_support::{Folder, SECRET};

/// Loads without a word.
const BASE: &str = r#"[engine]
host = "edge.example.com"
[https]
listen = ["127.0.0.1:0"]
[[https.certificate]]
cert_file = "cert.pem"
key_file = "key.pem"
[tokens]
hs256_secret_file = "secret"
[tokens.ce]
projects = ["proj-1"]
permissions = ["tunnels.streams.create-delete"]
[[project]]
id = "proj-1"
workspace = "ws-1"
[[tunnel]]
hostname = "app.t.edge.example.com"
project = "proj-1"
upstream = "http://127.0.0.1:8080"
token_auth = true
"#;

/// Of "password".
const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

/// Cases with an empty line between them: `-` lines of the base give way to `+` lines, and lead to the messages after
/// `!`. A case without messages loads without a word.
fn check(cases: &str) {
    let folder = Folder::new();
    other_files(&folder);
    assert_eq!(folder.messages(BASE, &[]), "", "the base itself");
    for case in cases.trim().split("\n\n") {
        let lines = |mark: char| -> String {
            let marked = case.lines().filter_map(|line| line.strip_prefix(mark));
            marked
                .map(|line| format!("{}\n", line.trim_start()))
                .collect()
        };
        let (from, to, messages) = (lines('-'), lines('+'), lines('!'));
        assert!(BASE.contains(&from), "not in the base:\n{from}");
        let text = BASE.replacen(&from, &to, 1);
        let found = folder.messages(&text, &[]);
        assert_eq!(found, messages.trim_end(), "{case}");
    }
}

#[test]
fn a_misspelt_guard_is_an_error_and_names_the_key_that_was_meant() {
    check(
        r#"
- token_auth = true
+ token_auht = true
! adit.toml:20:1: tunnel[1].token_auht: unknown key; did you mean "token_auth"? Without it this tunnel would have no authentication.

- token_auth = true
+ Token-Auth = true
! adit.toml:20:1: tunnel[1].Token-Auth: unknown key; did you mean "token_auth"? Without it this tunnel would have no authentication.

- token_auth = true
+ colour = true
! adit.toml:16:1: tunnel[1]: no authentication is on, so everybody could enter: write token_auth = true, or public = true if that is meant
! adit.toml:20:1: tunnel[1].colour: unknown key; known here: hostname, project, upstream, upstream_ca_file, upstream_server_name, token_auth, rstream_auth, mtls_auth, challenge_mode, public, authorization, identity_headers, upgrades_outlive_expiry, allowed_origins, path_semicolon, trailers, trusted_ips, geoip, tls_min_version, labels

- [[tunnel]]
+ [[tunel]]
! adit.toml:16:3: tunel: unknown key; did you mean "tunnel"?

- [tokens]
+ [token]
+ [tokens]
! adit.toml:8:2: token: unknown key; did you mean "tokens"?

- host = "edge.example.com"
+ hots = "edge.example.com"
! adit.toml:2:1: engine.hots: unknown key; did you mean "host"?

- [tokens]
+ [timeouts]
+ upstream_connet = "5s"
+ [tokens]
! adit.toml:9:1: timeouts.upstream_connet: unknown key; did you mean "upstream_connect"?
"#,
    );
}

#[test]
fn a_tunnel_without_authentication_must_be_declared_public() {
    check(
        r#"
- token_auth = true
+ public = false
! adit.toml:16:1: tunnel[1]: no authentication is on, so everybody could enter: write token_auth = true, or public = true if that is meant

- token_auth = true
+ token_auth = false
! adit.toml:16:1: tunnel[1]: no authentication is on, so everybody could enter: write token_auth = true, or public = true if that is meant

- token_auth = true
+ token_auth = true
+ public = true
! adit.toml:21:10: tunnel[1].public: contradicts token_auth = true: remove public to ask for a token, or token_auth to let everybody in

- token_auth = true
+ token_auth = "yes"
! adit.toml:20:14: tunnel[1].token_auth: expected true or false, found "yes"

- [tokens]
- hs256_secret_file = "secret"
- [tokens.ce]
- projects = ["proj-1"]
- permissions = ["tunnels.streams.create-delete"]
! adit.toml:15:14: tunnel[1].token_auth: needs the secret that tokens are signed with: add [tokens] with hs256_secret_file, and a [[credential]] or [tokens.ce]

- [tokens.ce]
- projects = ["proj-1"]
- permissions = ["tunnels.streams.create-delete"]
! adit.toml:17:14: tunnel[1].token_auth: no token is accepted: add a [[credential]] that tokens belong to, an [[issuer]], or [tokens.ce] for tokens without a stored credential
"#,
    );
}

#[test]
fn client_certificates_belong_to_somebody_and_need_tls() {
    let colons = ["2D:71:16:42:B7:26:B0:44:01:62:7C:A9:FB:AC:32:F5"; 2].join(":");
    let print = "a".repeat(64);
    check(&format!(
        r#"
- token_auth = true
+ mtls_auth = true
+ token_auth = true
+ allowed_origins = ["https://a.example", "http://b.example:8080"]
+ [[credential]]
+ id = "a"
+ kind = "mtls"
+ certificate_sha256 = "{colons}"
+ projects = ["proj-1"]

- token_auth = true
+ mtls_auth = true
! adit.toml:20:13: tunnel[1].mtls_auth: no certificate is accepted: add a [[credential]] with kind = "mtls"

- token_auth = true
+ mtls_auth = true
+ public = true
+ [[credential]]
+ id = "a"
+ kind = "mtls"
+ certificate_sha256 = "{print}"
+ projects = ["proj-1"]
! adit.toml:21:10: tunnel[1].public: contradicts mtls_auth = true: remove public to ask for a certificate, or mtls_auth to let everybody in

- token_auth = true
+ mtls_auth = true
+ allowed_origins = ["https://a.example/", "a.example", "https://A.example", "https://a.example:443"]
+ [[credential]]
+ id = "a"
+ kind = "mtls"
+ certificate_sha256 = "{print}"
+ projects = ["proj-1"]
+ [http]
+ listen = ["127.0.0.1:0"]
+ mode = "serve"
! adit.toml:20:13: tunnel[1].mtls_auth: a client shows its certificate in a TLS handshake, and [http] with mode = "serve" lets requests in without one: remove one of them
! adit.toml:21:20: tunnel[1].allowed_origins[1]: expected an origin as browsers write it, such as "https://admin.example.com": scheme, host in lower case, and the port where it is not that of the scheme, found "https://a.example/"
! adit.toml:21:42: tunnel[1].allowed_origins[2]: expected an origin as browsers write it, such as "https://admin.example.com": scheme, host in lower case, and the port where it is not that of the scheme, found "a.example"
! adit.toml:21:55: tunnel[1].allowed_origins[3]: expected an origin as browsers write it, such as "https://admin.example.com": scheme, host in lower case, and the port where it is not that of the scheme, found "https://A.example"
! adit.toml:21:76: tunnel[1].allowed_origins[4]: expected an origin as browsers write it, such as "https://admin.example.com": scheme, host in lower case, and the port where it is not that of the scheme, found "https://a.example:443"

- [[project]]
+ [[credential]]
+ id = "a"
+ kind = "mtls"
+ projects = ["proj-1"]
+ [[credential]]
+ id = "b"
+ kind = "mtls"
+ certificate_sha256 = "{print}"
+ client_ca = "corp"
+ projects = ["proj-1"]
+ [[credential]]
+ id = "c"
+ kind = "mtls"
+ certificate_sha256 = "{print}"
+ projects = ["proj-1"]
+ [[credential]]
+ id = "d"
+ kind = "mtls"
+ client_ca = "corp"
+ san_dns = "a.example.com"
+ projects = ["proj-1"]
+ [[project]]
! adit.toml:13:1: credential[1].certificate_sha256: missing; write certificate_sha256 = "..." (adit credential fingerprint prints it), or client_ca with san_dns, san_uri or san_email
! adit.toml:21:13: credential[2].client_ca: contradicts certificate_sha256: a certificate is known by its bytes or by a name; remove one of them
! adit.toml:26:22: credential[3].certificate_sha256: the same certificate is already a credential at adit.toml:20:22
! adit.toml:31:13: credential[4].client_ca: there is no client_ca "corp"; add a [[client_ca]] with name = "corp"
"#,
    ));
}

#[test]
fn an_upstream_is_told_who_sends_where_somebody_is_asked() {
    check(
        r#"
- token_auth = true
+ token_auth = true
+ identity_headers = true

- token_auth = true
+ public = true
+ identity_headers = true
! adit.toml:21:20: tunnel[1].identity_headers: there is nobody to name where public = true asks for no proof: remove one of them

- token_auth = true
+ token_auth = true
+ identity_headers = "yes"
! adit.toml:21:20: tunnel[1].identity_headers: expected true or false, found "yes"

- cert_file = "cert.pem"
- key_file = "key.pem"
- [tokens]
- hs256_secret_file = "secret"
- [tokens.ce]
- projects = ["proj-1"]
- permissions = ["tunnels.streams.create-delete"]
- [[project]]
- id = "proj-1"
- workspace = "ws-1"
- [[tunnel]]
- hostname = "app.t.edge.example.com"
- project = "proj-1"
- upstream = "http://127.0.0.1:8080"
- token_auth = true
+ cert_file = "tunnels.pem"
+ key_file = "key.pem"
+ [tokens]
+ hs256_secret_file = "secret"
+ [tokens.ce]
+ projects = ["proj-1"]
+ permissions = ["tunnels.streams.create-delete"]
+ [[project]]
+ id = "proj-1"
+ workspace = "ws-1"
+ [[tunnel]]
+ hostname = "app.t.edge.example.com"
+ project = "proj-1"
+ upstream = "http://127.0.0.1:8080"
+ token_auth = true
+ identity_headers = true
! warning: adit.toml:21:20: tunnel[1].identity_headers: no certificate covers the base host edge.example.com, so upstreams cannot fetch the keys that verify what they are told

- token_auth = true
+ token_auth = true
+ [[credential]]
+ id = "https://idp.example.com"
+ kind = "user"
+ projects = ["proj-1"]
+ [[issuer]]
+ issuer = "https://idp.example.com"
+ audience = ["edge"]
+ algorithms = ["EdDSA"]
+ jwks_file = "set.json"
+ projects = ["proj-1"]
+ permissions = ["tunnels.streams.create-delete"]
! adit.toml:26:10: issuer[1].issuer: "https://idp.example.com" is the id of a [[credential]] too: upstreams that are told who answers for a request could not tell them apart
"#,
    );
}

#[test]
fn browsers_sign_in_where_somebody_can() {
    check(
        r#"
- [tokens]
- hs256_secret_file = "secret"
- [tokens.ce]
- projects = ["proj-1"]
- permissions = ["tunnels.streams.create-delete"]
- [[project]]
- id = "proj-1"
- workspace = "ws-1"
- [[tunnel]]
- hostname = "app.t.edge.example.com"
- project = "proj-1"
- upstream = "http://127.0.0.1:8080"
- token_auth = true
+ [sign_in]
+ session_lifetime = "8h"
+ seal_key_file = "secret"
+ seal_key_previous_file = "spaced"
+ claims_max_age = "15m"
+ title = "Example"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "HASH"
+ projects = ["proj-1"]
+ [[sign_in.grant]]
+ subjects = ["ana"]
+ projects = ["proj-1"]
+ [challenge]
+ difficulty_bits = 12
+ lifetime = "1h"
+ [[project]]
+ id = "proj-1"
+ workspace = "ws-1"
+ [[tunnel]]
+ hostname = "app.t.edge.example.com"
+ project = "proj-1"
+ upstream = "http://127.0.0.1:8080"
+ rstream_auth = true
+ challenge_mode = true
! adit.toml:11:26: sign_in.seal_key_previous_file: the key has 24 bytes and needs at least 32: openssl rand -hex 32

- token_auth = true
+ rstream_auth = true
+ challenge_mode = true
! adit.toml:20:16: tunnel[1].rstream_auth: needs [sign_in] with seal_key_file and a [[sign_in.user]]

- token_auth = true
+ token_auth = true
+ challenge_mode = true
! adit.toml:21:18: tunnel[1].challenge_mode: needs [challenge]

- token_auth = true
+ challenge_mode = true
+ [challenge]
+ seal_key_file = "secret"
! adit.toml:16:1: tunnel[1]: no authentication is on, and a challenge is none: write token_auth = true, or public = true if everybody who meets it may enter

- token_auth = true
+ challenge_mode = true
+ public = true
+ [challenge]
+ seal_key_file = "secret"
! warning: adit.toml:21:10: tunnel[1].public: everybody who meets a challenge may enter this tunnel

- workspace = "ws-1"
+ workspace = "ws-1"
+ [[project]]
+ id = "proj-2"
+ workspace = "ws-1"
+ [sign_in]
+ seal_key_file = "secret"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "HASH"
+ projects = ["proj-2"]
+ [[tunnel]]
+ hostname = "b.t.edge.example.com"
+ project = "proj-1"
+ upstream = "http://127.0.0.1:8080"
+ rstream_auth = true
! warning: adit.toml:29:16: tunnel[1].rstream_auth: nobody who signs in can pass: no [[sign_in.user]] and no [[sign_in.grant]] has this tunnel's project "proj-1"

- token_auth = true
+ rstream_auth = true
+ public = true
+ [sign_in]
+ seal_key_file = "secret"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "HASH"
+ projects = ["proj-1"]
! adit.toml:21:10: tunnel[1].public: contradicts rstream_auth = true: remove public to ask for a sign-in, or rstream_auth to let everybody in

- [https]
- listen = ["127.0.0.1:0"]
- [[https.certificate]]
- cert_file = "cert.pem"
- key_file = "key.pem"
- [tokens]
- hs256_secret_file = "secret"
- [tokens.ce]
- projects = ["proj-1"]
- permissions = ["tunnels.streams.create-delete"]
- [[project]]
- id = "proj-1"
- workspace = "ws-1"
- [[tunnel]]
- hostname = "app.t.edge.example.com"
- project = "proj-1"
- upstream = "http://127.0.0.1:8080"
- token_auth = true
+ [http]
+ listen = ["127.0.0.1:0"]
+ mode = "serve"
+ [challenge]
+ seal_key_file = "secret"
+ [[project]]
+ id = "proj-1"
+ workspace = "ws-1"
+ [[tunnel]]
+ hostname = "app.t.edge.example.com"
+ project = "proj-1"
+ upstream = "http://127.0.0.1:8080"
+ challenge_mode = true
+ public = true
! adit.toml:15:18: tunnel[1].challenge_mode: needs [https]: its cookies go over TLS alone
"#
        .replace("HASH", PASSWORD_HASH)
        .as_str(),
    );
}

#[test]
fn a_provider_has_its_own_tables() {
    check(
        r#"
- [tokens]
+ [sign_in]
+ provider = "oidc"
+ seal_key_file = "secret"
+ [sign_in.oidc]
+ issuer = "https://idp.example.com"
+ client_id = "edge"
+ [[sign_in.grant]]
+ groups = ["staff"]
+ projects = ["proj-1"]
+ [tokens]

- [tokens]
+ [sign_in]
+ provider = "oidc"
+ seal_key_file = "secret"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
+ projects = ["proj-1"]
+ [tokens]
! adit.toml:8:2: sign_in: [[sign_in.user]] counts only with provider = "builtin": remove the users

- [tokens]
+ [sign_in]
+ provider = "oidc"
+ seal_key_file = "secret"
+ [tokens]
! adit.toml:8:2: sign_in.oidc: missing; write [sign_in.oidc] with issuer and client_id

- [tokens]
+ [sign_in]
+ provider = "oidc"
+ seal_key_file = "secret"
+ [sign_in.oidc]
+ issuer = "https://idp.example.com"
+ client_id = "edge"
+ [tokens]
! adit.toml:8:2: sign_in: nobody can enter anything: add a [[sign_in.grant]], or remove [sign_in]

- [tokens]
+ [sign_in]
+ seal_key_file = "secret"
+ [sign_in.oidc]
+ issuer = "https://idp.example.com"
+ client_id = "edge"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
+ projects = ["proj-1"]
+ [tokens]
! adit.toml:10:1: sign_in.oidc: counts only with provider = "oidc"

- [tokens]
+ [sign_in]
+ provider = "ldap"
+ seal_key_file = "secret"
+ [tokens]
! adit.toml:9:12: sign_in.provider: expected "builtin" or "oidc", found "ldap"
"#,
    );
}

#[test]
fn a_sign_in_that_nobody_can_pass_is_refused() {
    check(
        r#"
- [tokens]
+ [sign_in]
+ [tokens]
! adit.toml:8:2: sign_in.seal_key_file: missing; write seal_key_file = "/etc/adit/secrets/seal", of 32 bytes or more
! adit.toml:8:2: sign_in: nobody can sign in: add a [[sign_in.user]], or remove [sign_in]

- [tokens]
+ [sign_in]
+ seal_key = "canary"
+ session_lifetime = "31d"
+ claims_max_age = "0s"
+ title = ""
+ logo_file = "secret"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "canary"
+ projects = ["proj-1"]
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
+ projects = ["proj-2"]
+ [[sign_in.user]]
+ password_hash = "$argon2id$v=19$m=999999,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
+ [tokens]
! adit.toml:9:12: sign_in.seal_key: a secret does not belong here; name its file in seal_key_file
! adit.toml:10:20: sign_in.session_lifetime: must be from 1s to 30d
! adit.toml:11:18: sign_in.claims_max_age: expected a duration from 1ms to 365d such as "10s" (ms, s, m, h, d), found "0s"
! adit.toml:12:9: sign_in.title: expected 1 to 64 characters of one line, found ""
! adit.toml:13:13: sign_in.logo_file: expected an image of at most 256 KiB, PNG or SVG
! adit.toml:16:17: sign_in.user[1].password_hash: not a hash of the form $argon2id$v=19$m=..,t=..,p=..$salt$hash; make one: adit user hash-password
! adit.toml:19:8: sign_in.user[2].name: "ana" is already a user at adit.toml:15:8
! adit.toml:20:17: sign_in.user[2].password_hash: its parameters are too weak: m (KiB) times t must be at least 35840; make a new one: adit user hash-password
! adit.toml:22:1: sign_in.user[3].name: missing; write name = "ana"
! adit.toml:22:1: sign_in.user[3].projects: missing; write projects = ["proj-1"]
! adit.toml:23:17: sign_in.user[3].password_hash: its parameters are too expensive: m at most 262144, t at most 16, p at most 4; make a new one: adit user hash-password

- [tokens]
+ [sign_in]
+ seal_key_file = "open"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "HASH"
+ projects = ["proj-1"]
+ [[sign_in.grant]]
+ projects = ["proj-1"]
+ [[sign_in.grant]]
+ emails = ["Ana@example.com", "ana", "a@b@c", "a@"]
+ email_domains = ["@example.com", "*.example.com"]
+ groups = [""]
+ subjects = []
+ projects = ["proj-1"]
+ [challenge]
+ difficulty_bits = 25
+ seal_key_file = "secret"
+ [tokens]
! adit.toml:9:17: sign_in.seal_key_file: open can be read by other users: chmod 600 open
! adit.toml:14:1: sign_in.grant[1]: names nobody: write one of emails, email_domains, groups, subjects, or remove it
! adit.toml:17:11: sign_in.grant[2].emails[1]: expected an e-mail address in lower case such as "ana@example.com", found "Ana@example.com"
! adit.toml:17:30: sign_in.grant[2].emails[2]: expected an e-mail address in lower case such as "ana@example.com", found "ana"
! adit.toml:17:37: sign_in.grant[2].emails[3]: expected an e-mail address in lower case such as "ana@example.com", found "a@b@c"
! adit.toml:17:46: sign_in.grant[2].emails[4]: expected an e-mail address in lower case such as "ana@example.com", found "a@"
! adit.toml:18:18: sign_in.grant[2].email_domains[1]: expected a domain in lower case such as "example.com", found "@example.com"
! adit.toml:18:34: sign_in.grant[2].email_domains[2]: expected a domain in lower case such as "example.com", found "*.example.com"
! adit.toml:19:11: sign_in.grant[2].groups[1]: expected text of 1 to 255 bytes, found ""
! adit.toml:23:19: challenge.difficulty_bits: expected a whole number from 12 to 24, found 25

- [tokens]
+ [sign_in]
+ seal_key_file = "secret"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "HASH"
+ projects = ["proj-1"]
+ [[sign_in.grant]]
+ groups = ["staff"]
+ projects = ["proj-1"]
+ [tokens]
! warning: adit.toml:14:1: sign_in.grant[1]: built-in users have no e-mail address and no groups, so nobody meets this; write subjects, or projects at the user

- [tokens]
+ [sign_in]
+ seal_key_file = "secret"
+ [[sign_in.user]]
+ name = "ana"
+ password_hash = "HASH"
+ projects = ["proj-1"]
+ [challenge]
+ seal_key_file = "secret"
+ [tokens]
! adit.toml:15:17: challenge.seal_key_file: the key of [sign_in] seals challenges too: remove this one

- [tokens]
+ [challenge]
+ seal_key_file = "short"
+ [tokens]
! adit.toml:9:17: challenge.seal_key_file: the key has 6 bytes and needs at least 32: openssl rand -hex 32
"#
        .replace("HASH", PASSWORD_HASH)
        .as_str(),
    );
}

#[test]
fn features_may_be_written_as_off() {
    check(
        r#"
- token_auth = true
+ token_auth = true
+ rstream_auth = false
+ mtls_auth = false
+ challenge_mode = false
+ public = false
+ authorization = "edge"
+ identity_headers = false
+ allowed_origins = []
+ path_semicolon = "refuse"
+ trusted_ips = []
+ geoip = []
+ tls_min_version = "tls1.2"

- workspace = "ws-1"
+ workspace = "ws-1"
+ public_access = "allowed"
+ trusted_ips = []
+ geoip = []
+ tls_min_version = "tls1.2"

- [tokens]
+ [client_address]
+ proxy_protocol_from = []
+ forwarded_from = []
+ [limits]
+ expensive_verifications_per_second = 0
+ [http]
+ listen = ["127.0.0.1:0"]
+ behind_tls_balancer = false
+ [tokens]
"#,
    );
}

#[test]
fn client_addresses_are_networks() {
    check(
        r#"
- [tokens]
+ [client_address]
+ proxy_protocol_from = ["10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "balancer"]
+ forwarded_from = ["::ffff:10.0.0.1", 7, "10.0.0.0/33"]
+ proxies = []
+ [tokens]
! adit.toml:9:67: client_address.proxy_protocol_from[4]: expected an address or a network such as "10.0.0.0/8", found "balancer"
! adit.toml:10:19: client_address.forwarded_from[1]: expected an address or a network such as "10.0.0.0/8", found "::ffff:10.0.0.1"
! adit.toml:10:38: client_address.forwarded_from[2]: expected an address or a network such as "10.0.0.0/8", found 7
! adit.toml:10:41: client_address.forwarded_from[3]: expected an address or a network such as "10.0.0.0/8", found "10.0.0.0/33"
! adit.toml:11:1: client_address.proxies: unknown key; known here: proxy_protocol_from, forwarded_from

- [tokens]
+ [client_address]
+ proxy_protocol_from = ["10.1.0.0/8", "2001:db8::1/32"]
+ [tokens]
! adit.toml:9:24: client_address.proxy_protocol_from[1]: the address has bits beyond its prefix; write "10.0.0.0/8"
! adit.toml:9:38: client_address.proxy_protocol_from[2]: the address has bits beyond its prefix; write "2001:db8::/32"

- [tokens]
+ [client_address]
+ proxy_protocol_from = ["10.0.0.0/8", "10.0.0.0/8"]
+ forwarded_from = ["::1"]
+ [tokens]
"#,
    );
}

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

#[test]
fn credentials_say_what_proves_them_and_what_they_reach() {
    check(
        r#"
- [[project]]
+ [[credential]]
+ id = "bot"
+ kind = "pat"
+ token_sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
+ projects = ["proj-1"]
+ permissions = []
+ resources = '{"tunnels":{"projects":["proj-1"]}}'
+ revoked = true
+ updated_at = "2026-01-31T12:00:00Z"
+ [[credential]]
+ id = "app"
+ kind = "app"
+ public_key_file = "app.pem"
+ projects = ["proj-1"]
+ resources.tunnels.projects = ["proj-1"]
+ [[credential]]
+ id = "ana"
+ kind = "user"
+ projects = ["proj-1"]
+ [[project]]

- [[project]]
+ [[credential]]
+ [[project]]
! adit.toml:13:1: credential[1].id: missing; write id = "ci-bot"
! adit.toml:13:1: credential[1].kind: missing; write kind = "pat"
! adit.toml:13:1: credential[1].projects: missing; write projects = ["proj-1"]

- [[project]]
+ [[credential]]
+ id = "bot"
+ kind = "pat"
+ projects = []
+ updated_at = "yesterday"
+ [[credential]]
+ id = "bot"
+ kind = "bot"
+ projects = ["proj-2"]
+ [[project]]
! adit.toml:13:1: credential[1].token_sha256: missing; write token_sha256 = "..." (adit credential hash prints it)
! adit.toml:16:12: credential[1].projects: an empty list lets this credential in nowhere; fill it, or remove the credential
! adit.toml:17:14: credential[1].updated_at: expected a moment such as "2026-01-31T12:00:00Z", found "yesterday"
! adit.toml:19:6: credential[2].id: "bot" is already a credential at adit.toml:14:6
! adit.toml:20:8: credential[2].kind: expected one of "pat", "app", "user", "mtls", found "bot"

- [[project]]
+ [[credential]]
+ id = "a"
+ kind = "pat"
+ token_sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
+ public_key_file = "app.pem"
+ projects = ["proj-2"]
+ [[credential]]
+ id = "b"
+ kind = "pat"
+ token_sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
+ projects = ["proj-1"]
+ [[credential]]
+ id = "c"
+ kind = "pat"
+ token_sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a48810"
+ projects = ["proj-1"]
+ [[credential]]
+ id = "d"
+ kind = "app"
+ public_key_file = "cert.pem"
+ projects = ["proj-1"]
+ [[credential]]
+ id = "e"
+ kind = "mtls"
+ certificate_sha256 = "00"
+ projects = ["proj-1"]
+ [[project]]
! adit.toml:17:19: credential[1].public_key_file: a credential of this kind has no such key; remove it, or change kind
! adit.toml:22:16: credential[2].token_sha256: the same token is already a credential at adit.toml:16:16
! adit.toml:27:16: credential[3].token_sha256: expected the SHA-256 of a token, 64 hex digits (adit credential hash prints it), found "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a..."
! adit.toml:32:19: credential[4].public_key_file: cert.pem has no PEM block PUBLIC KEY with a P-521 key (adit credential new-app makes one)
! adit.toml:37:22: credential[5].certificate_sha256: expected the SHA-256 of a certificate's DER, 64 hex digits with or without colons (adit credential fingerprint prints it), found "00"

- [[project]]
+ [[credential]]
+ id = "a"
+ kind = "user"
+ projects = ["proj-2"]
+ resources = "everything"
+ [[credential]]
+ id = "b"
+ kind = "user"
+ projects = ["proj-1"]
+ resources = '{"projects":["proj-1"]}'
+ [[credential]]
+ id = "c"
+ kind = "user"
+ projects = ["proj-1"]
+ resources = '{"tunnels":{"project":["proj-1"]}}'
+ [[credential]]
+ id = "d"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.params.path.regex = "("
+ [[credential]]
+ id = "e"
+ kind = "user"
+ projects = ["proj-1"]
+ resources = 7
+ [[credential]]
+ id = "f"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.projects = [1.5]
+ [[project]]
! adit.toml:17:13: credential[1].resources: not the JSON of a boundary: not a JSON value
! adit.toml:22:13: credential[2].resources: expected an object with one key, "tunnels", and the boundary in it
! adit.toml:27:13: credential[3].resources: an unknown key
! adit.toml:32:1: credential[4].resources: not a pattern that can be compiled
! adit.toml:37:13: credential[5].resources: expected a boundary as JSON text or as a table, found 7
! adit.toml:42:1: credential[6].resources: dates and numbers that are not whole have no place here

- [[project]]
+ [[credential]]
+ id = "a"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.params.path.regex = "^/api"
+ [[credential]]
+ id = "b"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.params.path.regex = "/api/"
+ [[credential]]
+ id = "c"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.params.path.regex = "^/api(/|$)"
+ [[project]]
! warning: adit.toml:17:1: credential[1].resources: the pattern "^/api" allows "/apix" too: end it with (/|$) where whole segments are meant
! warning: adit.toml:22:1: credential[2].resources: the pattern "/api/" matches anywhere in a text, "x/api/" too: begin it with ^

- hs256_secret_file = "secret"
+ hs256_secret_file = "secret"
+ revocations_file = "revoked"
! adit.toml:10:20: tokens.revocations_file: revoked:2: neither the id of a credential nor sha256: and the hash of a token
"#,
    );
}

/// Each beside one that reaches the tunnel.
#[test]
fn credentials_and_issuers_that_can_connect_to_no_tunnel_are_warned_of() {
    check(
        r#"
- token_auth = true
+ token_auth = true
+ labels.env = "prod"
+ [[tunnel]]
+ hostname = "*.t.edge.example.com"
+ project = "proj-1"
+ upstream = "http://127.0.0.1:8080"
+ token_auth = true
+ labels.env = "test"
+ [[credential]]
+ id = "a"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.filters.labels.env = "prdo"
+ [[credential]]
+ id = "b"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.filters.labels.env = "prod"
+ [[credential]]
+ id = "c"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.filters.hostname = "ap.t.edge.example.com"
+ [[credential]]
+ id = "d"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.filters.host = "*.t.edge.example.com"
+ [[credential]]
+ id = "e"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.filters = { hostname.regex = "^app", labels.env = "test" }
+ [[credential]]
+ id = "f"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.filters.OR = [{ hostname.regex = "^app" }, { labels.env = "tets" }]
+ [[credential]]
+ id = "g"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.filters.OR = [{ name = "a" }, { port = 1 }, { publish = false, token_auth = false }]
! warning: adit.toml:32:1: credential[1].resources: it allows connecting to no tunnel of its projects: none has the label "env" "prdo"
! warning: adit.toml:42:1: credential[3].resources: it allows connecting to no tunnel of its projects: none has hostname "ap.t.edge.example.com"
! warning: adit.toml:52:1: credential[5].resources: it allows connecting to no tunnel of its projects: each of its conditions is met by one of them, and all by none
! warning: adit.toml:62:1: credential[7].resources: it allows connecting to no tunnel of its projects: none has name "a", none has port 1, none has publish false, and more

- token_auth = true
+ token_auth = true
+ [[project]]
+ id = "proj-2"
+ workspace = "ws-1"
+ [[credential]]
+ id = "a"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.OR = [{ projects = ["proj-2"] }, { workspaces = ["ws-2"] }]
+ [[credential]]
+ id = "b"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.OR = [{ projects = ["proj-2"] }, { workspaces = ["ws-1"] }]
+ [[credential]]
+ id = "c"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.AND = [{ projects = ["proj-1"] }, { projects = ["proj-2"] }]
+ [[credential]]
+ id = "d"
+ kind = "user"
+ projects = ["proj-2"]
+ resources.tunnels.projects = ["proj-2"]
+ [[credential]]
+ id = "e"
+ kind = "user"
+ projects = ["proj-2", "proj-1"]
+ resources.tunnels.projects = ["proj-1"]
! warning: adit.toml:28:1: credential[1].resources: it allows connecting to no tunnel of its projects: none is in the projects "proj-2", none is in the workspaces "ws-2"
! warning: adit.toml:38:1: credential[3].resources: it allows connecting to no tunnel, whatever the tunnel is
! warning: adit.toml:42:12: credential[4].projects: no tunnel is in any of these projects, so its tokens reach nothing

- token_auth = true
+ token_auth = true
+ [[issuer]]
+ issuer = "a"
+ audience = ["edge"]
+ algorithms = ["ES512"]
+ public_key_file = "app.pem"
+ projects = ["proj-1"]
+ permissions = ["tunnels.streams.create-delete"]
+ resources = '{"tunnels":{"scopes":{"tunnels":{"connect":{"filters":{"rstream_auth":true}}}}}}'
+ [[issuer]]
+ issuer = "b"
+ audience = ["edge"]
+ algorithms = ["ES512"]
+ public_key_file = "app.pem"
+ projects = ["proj-1"]
+ permissions = ["tunnels.streams.create-delete"]
+ resources = '{"tunnels":{"scopes":{"tunnels":{"connect":{"filters":{"rstream_auth":false}}}}}}'
! warning: adit.toml:28:13: issuer[1].resources: it allows connecting to no tunnel of its projects: none has rstream_auth true
"#,
    );
}

/// Whether there is a path that is allowed is not asked; who is kept from connecting in any case is meant to be.
#[test]
fn rules_for_paths_and_who_may_not_connect_at_all_are_not_warned_of() {
    check(
        r#"
- token_auth = true
+ token_auth = true
+ [[credential]]
+ id = "a"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.connect.params.path = "nowhere"
+ [[credential]]
+ id = "b"
+ kind = "user"
+ projects = ["proj-1"]
+ permissions = ["tunnels.resources.read-only"]
+ resources.tunnels.scopes.tunnels.list = true
+ [[credential]]
+ id = "c"
+ kind = "user"
+ projects = ["proj-1"]
+ revoked = true
+ resources.tunnels.projects = ["proj-2"]
+ [[issuer]]
+ issuer = "x"
+ audience = ["edge"]
+ algorithms = ["ES512"]
+ public_key_file = "app.pem"
+ projects = ["proj-1"]
+ permissions = []
+ resources.tunnels.projects = ["proj-2"]

- token_auth = true
+ token_auth = true
+ [[credential]]
+ id = "b"
+ kind = "user"
+ projects = ["proj-1"]
+ resources.tunnels.scopes.tunnels.list = true
! warning: adit.toml:25:1: credential[1].resources: it allows connecting to no tunnel, whatever the tunnel is
"#,
    );
}

#[test]
fn issuers_have_one_source_of_keys_and_an_audience() {
    check(
        r#"
- [[project]]
+ [[issuer]]
+ issuer = "https://idp.example.com"
+ audience = ["edge"]
+ algorithms = ["ES512"]
+ public_key_file = "app.pem"
+ max_lifetime = "unlimited"
+ projects = ["proj-1"]
+ permissions = ["tunnels.streams.create-delete"]
+ resources.tunnels.projects = ["proj-1"]
+ resources_claim = "resources"
+ subject_claim = "email"
+ [[issuer]]
+ issuer = "https://other.example.com"
+ audience_unchecked = true
+ algorithms = ["ES512", "EdDSA"]
+ jwks_file = "set.json"
+ projects = ["proj-1"]
+ permissions = ["tunnels.streams.create-delete"]
+ [[project]]

- [[project]]
+ [[issuer]]
+ [[project]]
! adit.toml:13:1: issuer[1].issuer: missing; write issuer = "https://idp.example.com"
! adit.toml:13:1: issuer[1].audience: missing; write audience = ["edge"], or audience_unchecked = true to take tokens that were made for anybody
! adit.toml:13:1: issuer[1].algorithms: missing; write algorithms = ["ES256"]
! adit.toml:13:1: issuer[1].projects: missing; write projects = ["proj-1"]
! adit.toml:13:1: issuer[1].permissions: missing; write permissions = ["tunnels.streams.create-delete"]

- [[project]]
+ [[issuer]]
+ issuer = "a"
+ audience = ["edge"]
+ audience_unchecked = true
+ algorithms = ["none"]
+ projects = ["proj-1"]
+ permissions = []
+ [[issuer]]
+ issuer = "a"
+ audience = ["edge"]
+ algorithms = ["ES512"]
+ public_key_file = "app.pem"
+ jwks_file = "set.json"
+ max_lifetime = "long"
+ projects = ["proj-1"]
+ permissions = []
+ [[issuer]]
+ issuer = "b"
+ audience = ["edge"]
+ algorithms = ["ES256"]
+ jwks_url = "https://idp.example.com/jwks"
+ projects = ["proj-1"]
+ permissions = []
+ [[project]]
! adit.toml:15:12: issuer[1].audience: contradicts audience_unchecked = true: remove one of them
! adit.toml:17:15: issuer[1].algorithms[1]: expected one of "HS256", "ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256", found "none"
! adit.toml:20:1: issuer[2]: needs one source of keys: jwks_url, jwks_file, public_key_file or hs256_secret_file
! adit.toml:21:10: issuer[2].issuer: "a" is already an issuer at adit.toml:14:10
! adit.toml:26:16: issuer[2].max_lifetime: expected a duration such as "24h", or "unlimited", found "long"
! adit.toml:33:12: issuer[3].jwks_url: its host is not that of the issuer "b": write jwks_hosts = ["idp.example.com"] if that is meant

- [[project]]
+ [[issuer]]
+ issuer = "a"
+ audience = ["edge"]
+ algorithms = ["HS256", "ES256"]
+ hs256_secret_file = "secret"
+ projects = ["proj-1"]
+ permissions = []
+ [[issuer]]
+ issuer = "b"
+ audience = ["edge"]
+ algorithms = ["HS256"]
+ hs256_secret_file = "secret"
+ projects = ["proj-1"]
+ permissions = []
+ [[issuer]]
+ issuer = "c"
+ audience = ["edge"]
+ algorithms = ["HS256"]
+ hs256_secret_file = "short"
+ projects = ["proj-1"]
+ permissions = []
+ [[issuer]]
+ issuer = "d"
+ audience = ["edge"]
+ algorithms = ["ES256"]
+ public_key_file = "app.pem"
+ projects = ["proj-1"]
+ permissions = []
+ [[issuer]]
+ issuer = "e"
+ audience = ["edge"]
+ algorithms = ["ES256"]
+ jwks_file = "set.json"
+ projects = ["proj-1"]
+ permissions = []
+ [[project]]
! adit.toml:16:14: issuer[1].algorithms: a shared secret is for HS256 alone: write algorithms = ["HS256"]
! adit.toml:24:21: issuer[2].hs256_secret_file: is the deployment secret: the issuer could make every token of this edge
! adit.toml:31:21: issuer[3].hs256_secret_file: the secret needs at least 32 bytes
! adit.toml:38:19: issuer[4].public_key_file: app.pem: a key that none of the algorithms is for
! adit.toml:45:13: issuer[5].jwks_file: set.json is no key set with a key for one of the algorithms
"#,
    );
}

#[test]
fn key_sets_come_from_the_issuer_s_own_public_host_unless_another_is_meant() {
    let issuer = |issuer: &str, lines: &str| {
        let lines = lines.replace('\n', "\n+ ");
        format!(
            "+ [[issuer]]\n+ issuer = \"{issuer}\"\n+ audience = [\"edge\"]\n+ algorithms = [\"ES256\"]\n+ {lines}\n+ projects = [\"proj-1\"]\n+ permissions = []\n"
        )
    };
    let host = "https://idp.example.com";
    let found = |issuers: &str, problems: &str| {
        check(&format!(
            "\n- [[project]]\n{issuers}+ [[project]]\n{problems}"
        ));
    };
    let good = [
        (host, format!("jwks_url = \"{host}/jwks\"")),
        (
            "b",
            format!("jwks_url = \"{host}/jwks?v=1\"\njwks_hosts = [\"idp.example.com\"]"),
        ),
        (
            "http://127.0.0.1:9",
            "jwks_url = \"http://127.0.0.1:8/jwks\"".to_owned(),
        ),
        (
            "http://[::1]:9",
            "jwks_url = \"http://[::1]/jwks\"".to_owned(),
        ),
        (
            "https://10.0.0.1",
            "jwks_url = \"https://10.0.0.1/\"\njwks_private_addresses = true".to_owned(),
        ),
        (
            "https://8.8.8.8",
            "jwks_url = \"https://8.8.8.8/\"\njwks_max_stale = \"2h\"".to_owned(),
        ),
    ];
    let good: String = good
        .iter()
        .map(|(name, lines)| issuer(name, lines))
        .collect();
    found(&good, "");
    let plain = "without TLS anybody on the way could put in keys: write https:// (http:// is for a loopback address such as 127.0.0.1 alone)";
    let private = "is in a private network: write jwks_private_addresses = true if that is meant";
    for (name, url, problem) in [
        (
            host,
            "https://idp.example.net/jwks",
            "its host is not that of the issuer \"https://idp.example.com\": write jwks_hosts = [\"idp.example.net\"] if that is meant",
        ),
        (host, "http://idp.example.com/jwks", plain),
        ("http://10.0.0.1", "http://10.0.0.1/jwks", plain),
        ("http://localhost", "http://localhost/jwks", plain),
        ("https://10.0.0.1", "https://10.0.0.1/jwks", private),
        ("https://127.0.0.1", "https://127.0.0.1/jwks", private),
        (
            host,
            "https://me:secret@idp.example.com/jwks",
            "a key set is public: no user and no password belong into its URL",
        ),
        (
            host,
            "https://idp.example.com/jwks#a",
            "remove what follows #, which is never sent",
        ),
        (
            host,
            "ftp://idp.example.com/jwks",
            "a key set is fetched by https://",
        ),
        (
            host,
            "idp.example.com/jwks",
            "expected a URL such as \"https://idp.example.com/jwks\"",
        ),
    ] {
        let line = format!("jwks_url = \"{url}\"");
        found(
            &issuer(name, &line),
            &format!("! adit.toml:17:12: issuer[1].jwks_url: {problem}\n"),
        );
    }
    let idle = "jwks_file = \"set.json\"\njwks_hosts = [\"a\"]\njwks_max_stale = \"1h\"";
    let told = "has no effect without jwks_url; remove it";
    found(
        &issuer(host, idle),
        &format!(
            "! adit.toml:17:13: issuer[1].jwks_file: set.json is no key set with a key for one of the algorithms\n! adit.toml:18:14: issuer[1].jwks_hosts: {told}\n! adit.toml:19:18: issuer[1].jwks_max_stale: {told}\n"
        ),
    );
}

#[test]
fn tokens_of_the_community_edition_are_bounded() {
    check(
        r#"
- projects = ["proj-1"]
+ projects = ["proj-2"]
! warning: adit.toml:11:13: tokens.ce.projects[1]: there is no project "proj-2"; did you mean "proj-1"?
! warning: adit.toml:20:14: tunnel[1].token_auth: no token can pass: no [[credential]], no [[issuer]] and no [tokens.ce] has this tunnel's project "proj-1"

- projects = ["proj-1"]
+ projects = []
! adit.toml:11:12: tokens.ce.projects: an empty list lets no token through; fill it, or remove [tokens.ce]

- projects = ["proj-1"]
! adit.toml:10:9: tokens.ce.projects: missing; write projects = ["proj-1"]

- permissions = ["tunnels.streams.create-delete"]
+ permissions = ["tunnels.tunnels.create-delete"]
! warning: adit.toml:12:15: tokens.ce.permissions: without "tunnels.streams.create-delete" no request of such a token can pass

- [[tunnel]]
- hostname = "app.t.edge.example.com"
- project = "proj-1"
+ [[project]]
+ id = "proj-2"
+ workspace = "ws-1"
+ [[tunnel]]
+ hostname = "app.t.edge.example.com"
+ project = "proj-2"
! warning: adit.toml:23:14: tunnel[1].token_auth: no token can pass: no [[credential]], no [[issuer]] and no [tokens.ce] has this tunnel's project "proj-2"

- hs256_secret_file = "secret"
+ hs256_secret_file = "secret"
+ cache_entries = 0
+ require_stored_pat = 1
! adit.toml:10:17: tokens.cache_entries: expected a whole number from 1 to 1048576, found 0
! adit.toml:11:22: tokens.require_stored_pat: expected true or false, found 1
"#,
    );
}

#[test]
fn projects() {
    check(
        r#"
- workspace = "ws-1"
+ workspace = "ws 1"
+ public_access = "maybe"
! adit.toml:15:13: project[1].workspace: expected 1 to 128 visible ASCII characters, found "ws 1"
! adit.toml:16:17: project[1].public_access: expected one of "allowed", "auth-required", "forbidden", found "maybe"

- workspace = "ws-1"
+
! adit.toml:13:1: project[1].workspace: missing; write workspace = "ws-1"

- workspace = "ws-1"
+ workspace = "ws-1"
+ [[project]]
+ id = "proj-1"
+ workspace = "ws-2"
! adit.toml:17:6: project[2].id: "proj-1" is already a project at adit.toml:14:6
"#,
    );
}

#[test]
fn lists_of_addresses_and_countries() {
    check(
        r#"
- token_auth = true
+ token_auth = true
+ trusted_ips = ["10.0.0.0/8", "2001:db8::1"]

- token_auth = true
+ token_auth = true
+ trusted_ips = ["10.0.0.1/8", "10.0.0.0/8"]
! adit.toml:21:16: tunnel[1].trusted_ips[1]: the address has bits beyond its prefix; write "10.0.0.0/8"

- token_auth = true
+ token_auth = true
+ trusted_ips = ["::ffff:10.0.0.1", "10.0.0.0/33", "10.0.0.0-10.0.0.9", 7]
! adit.toml:21:16: tunnel[1].trusted_ips[1]: expected an address or a network such as "10.0.0.0/8", found "::ffff:10.0.0.1"
! adit.toml:21:35: tunnel[1].trusted_ips[2]: expected an address or a network such as "10.0.0.0/8", found "10.0.0.0/33"
! adit.toml:21:50: tunnel[1].trusted_ips[3]: expected an address or a network such as "10.0.0.0/8", found "10.0.0.0-10.0.0.9"
! adit.toml:21:71: tunnel[1].trusted_ips[4]: expected an address or a network such as "10.0.0.0/8", found 7

- token_auth = true
+ token_auth = true
+ trusted_ip = ["10.0.0.0/8"]
+ geo_ip = ["DE"]
! adit.toml:21:1: tunnel[1].trusted_ip: unknown key; did you mean "trusted_ips"? Without it clients could come from any address.
! adit.toml:22:1: tunnel[1].geo_ip: unknown key; did you mean "geoip"? Without it clients could come from any country.

- token_auth = true
+ token_auth = true
+ geoip = ["DE", "FR", "DE"]
+ [geoip]
+ database = "countries.mmdb"

- token_auth = true
+ token_auth = true
+ geoip = ["de", "UK", "EU", "DEU", 7]
+ [geoip]
+ database = "countries.mmdb"
! adit.toml:21:35: tunnel[1].geoip[5]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found 7

- token_auth = true
+ token_auth = true
+ geoip = ["de", "UK", "EU", "DEU"]
+ [geoip]
+ database = "countries.mmdb"
! adit.toml:21:10: tunnel[1].geoip[1]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found "de"; write "DE"
! adit.toml:21:16: tunnel[1].geoip[2]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found "UK"; write "GB"
! adit.toml:21:22: tunnel[1].geoip[3]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found "EU"
! adit.toml:21:28: tunnel[1].geoip[4]: expected a country as two upper-case letters of ISO 3166-1, such as "DE", found "DEU"

- token_auth = true
+ token_auth = true
+ geoip = ["DE", "NZ"]
+ [geoip]
+ database = "countries.mmdb"
! warning: adit.toml:21:16: tunnel[1].geoip[2]: no address is in NZ by the database of [geoip]

- token_auth = true
+ token_auth = true
+ geoip = ["DE"]
! adit.toml:21:9: tunnel[1].geoip: nobody could pass without a database that knows the country of an address: add [geoip] with database = "/var/lib/GeoIP/GeoLite2-Country.mmdb"

- workspace = "ws-1"
+ workspace = "ws-1"
+ geoip = ["DE"]
! adit.toml:16:9: project[1].geoip: nobody could pass without a database that knows the country of an address: add [geoip] with database = "/var/lib/GeoIP/GeoLite2-Country.mmdb"
"#,
    );
}

#[test]
fn databases_of_countries() {
    check(
        r#"
- [tokens]
+ [geoip]
+ [tokens]
! adit.toml:8:2: geoip.database: missing; write database = "/var/lib/GeoIP/GeoLite2-Country.mmdb"

- [tokens]
+ [geoip]
+ database = "nowhere.mmdb"
+ [tokens]
! adit.toml:9:12: geoip.database: nowhere.mmdb cannot be opened: there is no such file

- [tokens]
+ [geoip]
+ database = "cut.mmdb"
+ [tokens]
! adit.toml:9:12: geoip.database: cut.mmdb: no MaxMind database, or damaged: could not find MaxMind DB metadata in file

- [tokens]
+ [geoip]
+ database = "writable.mmdb"
+ [tokens]
! adit.toml:9:12: geoip.database: writable.mmdb can be written by other users: chmod go-w writable.mmdb

- [tokens]
+ [geoip]
+ database = "nameless.mmdb"
+ [tokens]
! adit.toml:9:12: geoip.database: nameless.mmdb: no record in it has country.iso_code: use one such as GeoLite2-Country
"#,
    );
}

/// A project bounds its tunnels: both lists must have an address, the higher minimum holds.
#[test]
fn projects_bound_their_tunnels() {
    let both = |project: &str, tunnel: &str| {
        let lines = |text: &str| {
            text.split('|')
                .map(|line| format!("+ {line}\n"))
                .collect::<String>()
        };
        format!(
            "- workspace = \"ws-1\"\n- [[tunnel]]\n- hostname = \"app.t.edge.example.com\"\n- project = \"proj-1\"\n\
             - upstream = \"http://127.0.0.1:8080\"\n- token_auth = true\n\
             + workspace = \"ws-1\"\n{}+ [[tunnel]]\n+ hostname = \"app.t.edge.example.com\"\n+ project = \"proj-1\"\n\
             + upstream = \"http://127.0.0.1:8080\"\n+ token_auth = true\n{}+ [geoip]\n+ database = \"countries.mmdb\"\n",
            lines(project),
            lines(tunnel)
        )
    };
    for (project, tunnel, messages) in [
        (r#"trusted_ips = ["10.0.0.0/8"]"#, r#"trusted_ips = []"#, ""),
        (r#"trusted_ips = []"#, r#"trusted_ips = ["10.0.0.0/8"]"#, ""),
        (
            r#"trusted_ips = ["10.0.0.0/8", "2001:db8::/32"]"#,
            r#"trusted_ips = ["2001:db8:1::/48", "10.0.0.1"]"#,
            "",
        ),
        (
            r#"trusted_ips = ["10.0.0.0/8"]"#,
            r#"trusted_ips = ["10.0.0.0/7", "192.0.2.1", "10.0.0.1"]"#,
            "! warning: adit.toml:22:16: tunnel[1].trusted_ips[1]: \"10.0.0.0/7\" goes beyond trusted_ips of project \"proj-1\" at adit.toml:13:1: only what lies in both may enter\n\
             ! warning: adit.toml:22:30: tunnel[1].trusted_ips[2]: \"192.0.2.1/32\" goes beyond trusted_ips of project \"proj-1\" at adit.toml:13:1: only what lies in both may enter\n",
        ),
        (
            r#"trusted_ips = ["10.0.0.0/8"]"#,
            r#"trusted_ips = ["192.0.2.0/24", "::/0"]"#,
            "! adit.toml:22:15: tunnel[1].trusted_ips: nobody could pass: no address is both in this list and in that of project \"proj-1\" at adit.toml:13:1, and both must have it\n",
        ),
        (r#"geoip = ["DE", "FR"]"#, r#"geoip = ["FR"]"#, ""),
        (
            r#"geoip = ["DE"]"#,
            r#"geoip = ["FR", "DE"]"#,
            "! warning: adit.toml:22:10: tunnel[1].geoip[1]: \"FR\" goes beyond geoip of project \"proj-1\" at adit.toml:13:1: only what lies in both may enter\n",
        ),
        (
            r#"geoip = ["DE"]"#,
            r#"geoip = ["FR"]"#,
            "! adit.toml:22:9: tunnel[1].geoip: nobody could pass: no country is both in this list and in that of project \"proj-1\" at adit.toml:13:1, and both must have it\n",
        ),
        (
            r#"tls_min_version = "tls1.2""#,
            r#"tls_min_version = "tls1.3""#,
            "",
        ),
        (
            r#"tls_min_version = "tls1.3""#,
            r#"tls_min_version = "tls1.2""#,
            "! warning: adit.toml:22:19: tunnel[1].tls_min_version: raised to \"tls1.3\", the minimum of project \"proj-1\" at adit.toml:13:1\n",
        ),
    ] {
        check(&(both(project, tunnel) + messages));
    }
    check(
        r#"
- [[https.certificate]]
+ tls_min_version = "tls1.3"
+ [[https.certificate]]

- token_auth = true
+ token_auth = true
+ tls_min_version = "tls1.4"
! adit.toml:21:19: tunnel[1].tls_min_version: expected "tls1.2" or "tls1.3", found "tls1.4"

- token_auth = true
+ token_auth = true
+ tls_min_version = "tls1.3"
+ [http]
+ listen = ["127.0.0.1:0"]
+ mode = "serve"
! adit.toml:21:19: tunnel[1].tls_min_version: a TLS minimum needs TLS, and [http] with mode = "serve" lets requests in without: remove one of them

- workspace = "ws-1"
+ workspace = "ws-1"
+ tls_min_version = "tls1.3"
+ [http]
+ listen = ["127.0.0.1:0"]
+ mode = "serve"
! adit.toml:20:1: tunnel[1].tls_min_version: the TLS minimum of project "proj-1" at adit.toml:13:1 needs TLS, and [http] with mode = "serve" lets requests in without: remove one of them

- token_auth = true
+ token_auth = true
+ tls_min_version = "tls1.3"
+ [http]
+ listen = ["127.0.0.1:0"]
"#,
    );
}

#[test]
fn a_minimum_below_that_of_the_listener_is_warned_of() {
    let folder = Folder::new();
    let text = format!("{BASE}tls_min_version = \"tls1.2\"\n");
    assert_eq!(folder.messages(&text, &[]), "");
    let newer = ("ADIT_HTTPS__TLS_MIN_VERSION", "tls1.3");
    assert_eq!(
        folder.messages(&text, &[newer]),
        "warning: adit.toml:21:19: tunnel[1].tls_min_version: raised to \"tls1.3\", the https.tls_min_version"
    );
    let same = text.replace("tls1.2", "tls1.3");
    assert_eq!(folder.messages(&same, &[newer]), "");
}

/// S6.3.
#[test]
fn serving_behind_a_balancer_needs_listed_peers() {
    check(
        r#"
- [tokens]
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [client_address]
+ proxy_protocol_from = ["10.0.0.1"]
+ [tokens]

- [tokens]
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [client_address]
+ forwarded_from = ["10.0.0.1"]
+ [tokens]

- [tokens]
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [tokens]
! adit.toml:11:23: http.behind_tls_balancer: nobody could connect without [client_address]: list the balancer in proxy_protocol_from, or in forwarded_from

- [tokens]
+ [http]
+ listen = ["0.0.0.0:0"]
+ behind_tls_balancer = true
+ [tokens]
! adit.toml:10:23: http.behind_tls_balancer: says who may be served without TLS, and mode = "redirect" serves nobody: write mode = "serve", or remove it

- token_auth = true
+ token_auth = true
+ tls_min_version = "tls1.3"
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [client_address]
+ proxy_protocol_from = ["10.0.0.1"]
! adit.toml:21:19: tunnel[1].tls_min_version: a TLS minimum needs TLS, and [http] with mode = "serve" lets requests in without: remove one of them

- token_auth = true
+ mtls_auth = true
+ [http]
+ listen = ["0.0.0.0:0"]
+ mode = "serve"
+ behind_tls_balancer = true
+ [client_address]
+ proxy_protocol_from = ["10.0.0.1"]
! adit.toml:20:13: tunnel[1].mtls_auth: a client shows its certificate in a TLS handshake, and [http] with mode = "serve" lets requests in without one: remove one of them
"#,
    );
}

#[test]
fn access_policies_of_projects() {
    let with = |public_access: &str, entrance: &str, messages: &str| {
        check(&format!(
            "- workspace = \"ws-1\"\n- [[tunnel]]\n- hostname = \"app.t.edge.example.com\"\n- project = \"proj-1\"\n\
             - upstream = \"http://127.0.0.1:8080\"\n- token_auth = true\n\
             + workspace = \"ws-1\"\n+ public_access = \"{public_access}\"\n+ [[tunnel]]\n+ hostname = \"app.t.edge.example.com\"\n\
             + project = \"proj-1\"\n+ upstream = \"http://127.0.0.1:8080\"\n{entrance}{messages}"
        ));
    };
    let required = "but public_access = \"auth-required\" in project \"proj-1\" at adit.toml:13:1 asks for one: write token_auth = true";
    with("auth-required", "+ token_auth = true\n", "");
    with(
        "auth-required",
        "+ public = true\n",
        &format!(
            "! adit.toml:21:10: tunnel[1].public: no authentication is on, {required} instead of public = true (or rstream_auth, or mtls_auth)\n"
        ),
    );
    with(
        "auth-required",
        "+ token_auth = false\n",
        &format!(
            "! adit.toml:17:1: tunnel[1]: no authentication is on, {required} (or rstream_auth, or mtls_auth)\n"
        ),
    );
    // A challenge proves nobody.
    let challenged =
        "+ public = true\n+ challenge_mode = true\n+ [challenge]\n+ seal_key_file = \"secret\"\n";
    with(
        "auth-required",
        challenged,
        &format!(
            "! adit.toml:21:10: tunnel[1].public: no authentication is on, and a challenge is none, {required} instead of public = true (or rstream_auth, or mtls_auth)\n"
        ),
    );
    with(
        "forbidden",
        "+ token_auth = true\n",
        "! adit.toml:19:11: tunnel[1].project: Project public access policy forbids published tunnels. Remove this tunnel, or write public_access = \"auth-required\" or \"allowed\" in project \"proj-1\" at adit.toml:13:1\n",
    );
    with(
        "allowed",
        "+ public = true\n",
        "! warning: adit.toml:21:10: tunnel[1].public: everybody may enter this tunnel\n",
    );
}

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

/// Files that some cases name besides those of every folder.
fn other_files(folder: &Folder) {
    let other = rcgen::generate_simple_self_signed(["edge.example.com".to_owned()]).unwrap();
    folder.write("other.pem", 0o644, other.cert.pem());
    let block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    folder.write("broken.pem", 0o644, block);
    folder.write("open", 0o644, SECRET);
    folder.write("short", 0o600, "canary");
    folder.write("revoked", 0o600, "bot\ntwo words\n");
    let app = adit::token::P521PrivateKey::generate().unwrap().public();
    folder.write("app.pem", 0o644, app.to_pem().unwrap());
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    folder.write("set.json", 0o644, format!("{{\"keys\":[{key}]}}"));
    let german = countries::database(&[("::10.0.0.0/104", "DE"), ("2001:db8::/32", "FR")]);
    folder.write("countries.mmdb", 0o644, &german);
    folder.write("cut.mmdb", 0o644, &german[..german.len() / 2]);
    folder.write("writable.mmdb", 0o646, &german);
    folder.write(
        "nameless.mmdb",
        0o644,
        countries::database(&[("2001:db8::/32", "")]),
    );
    folder.write("spaced", 0o600, "canary with blanks in it");
    folder.write("old.pem", 0o644, tunnels_until(folder, 2020));
    folder.write("tunnels.pem", 0o644, tunnels_until(folder, 4000));
}

/// A certificate with the key of `key.pem` for tunnels alone, valid to the end of this year.
fn tunnels_until(folder: &Folder, year: i32) -> String {
    let key = std::fs::read_to_string(folder.path("key.pem")).unwrap();
    let key = rcgen::KeyPair::from_pem(&key).unwrap();
    let names = ["*.t.edge.example.com".to_owned()];
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(year, 12, 31);
    parameters.self_signed(&key).unwrap().pem()
}
