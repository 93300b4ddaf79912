//! Tokens of other issuers, and those without a credential.

use super::*;

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
