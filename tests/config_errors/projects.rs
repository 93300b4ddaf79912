//! Projects, which bound their tunnels.

use super::*;

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
