//! Browsers that sign in or meet a challenge.

use super::*;

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
