//! Stored credentials.

use super::*;

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
