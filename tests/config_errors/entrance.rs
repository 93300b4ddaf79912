//! Who may enter a tunnel, and what its upstream is told of that.

use super::*;

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
