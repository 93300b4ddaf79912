use super::*;

fn tunnel() -> TunnelProperties {
    TunnelProperties {
        id: Some("t-1".into()),
        name: Some("web".into()),
        hostname: Some("app.t.example.com".into()),
        host: Some("app.t.example.com".into()),
        port: Some(8443),
        tls_min_version: Some("tls1.2"),
        token_auth: true,
        labels: vec![("team".into(), "web".into()), ("env".into(), "prod".into())],
        trusted_ips: ["10.0.0.0/8".into(), "192.0.2.1/32".into()].into(),
        geo_ip: vec!["DE".into(), "FR".into()],
        ..TunnelProperties::default()
    }
}

#[test]
fn filters_compare_effective_properties() {
    // Each filter, and its twin one step outside.
    for (yes, no) in [
        (r#"{"id":"t-1"}"#, r#"{"id":"t-2"}"#),
        (r#"{"name":"web"}"#, r#"{"name":"Web"}"#),
        (r#"{"name":{"regex":"^w"}}"#, r#"{"name":{"regex":"^e"}}"#),
        (
            r#"{"name":{"oneof":["a","web"]}}"#,
            r#"{"name":{"oneof":[]}}"#,
        ),
        (r#"{"type":"bytestream"}"#, r#"{"type":"datagram"}"#),
        (
            r#"{"protocol":{"oneof":["http"]}}"#,
            r#"{"protocol":{"oneof":["tcp"]}}"#,
        ),
        (r#"{"status":"online"}"#, r#"{"status":"offline"}"#),
        (
            r#"{"hostname":"app.t.example.com"}"#,
            r#"{"hostname":"app.t.example.co"}"#,
        ),
        (
            r#"{"host":{"regex":"^app\\."}}"#,
            r#"{"host":{"regex":"^app$"}}"#,
        ),
        (r#"{"http_version":"http/1.1"}"#, r#"{"http_version":"h2"}"#),
        (
            r#"{"tls_min_version":"tls1.2"}"#,
            r#"{"tls_min_version":"tls1.3"}"#,
        ),
        (r#"{"project_id":"p1"}"#, r#"{"project_id":"p2"}"#),
        (r#"{"workspace_id":"w1"}"#, r#"{"workspace_id":"p1"}"#),
        (r#"{"publish":true}"#, r#"{"publish":false}"#),
        (r#"{"token_auth":true}"#, r#"{"token_auth":false}"#),
        (r#"{"mtls_auth":false}"#, r#"{"mtls_auth":true}"#),
        (r#"{"rstream_auth":false}"#, r#"{"rstream_auth":true}"#),
        (r#"{"challenge_mode":false}"#, r#"{"challenge_mode":true}"#),
        (r#"{"upstream_tls":false}"#, r#"{"upstream_tls":true}"#),
        (r#"{"http_use_tls":false}"#, r#"{"http_use_tls":true}"#),
        (r#"{"port":8443}"#, r#"{"port":443}"#),
        (r#"{"labels":{}}"#, r#"{"labels":{"absent":{"regex":""}}}"#),
        (
            r#"{"labels":{"team":"web"}}"#,
            r#"{"labels":{"team":"prod"}}"#,
        ),
        (
            r#"{"labels":{"team":"web","env":{"regex":"."}}}"#,
            r#"{"labels":{"team":"web","x":"y"}}"#,
        ),
        (
            r#"{"trusted_ips":["10.1.2.3/8","192.0.2.1"]}"#,
            r#"{"trusted_ips":["192.0.2.1","10.0.0.0/8"]}"#,
        ),
        (r#"{"geo_ip":["de","DE","fr"]}"#, r#"{"geo_ip":["DE"]}"#),
        (r#"{}"#, r#"{"name":"web","publish":false}"#),
        (
            r#"{"AND":[{"name":"web"},{"port":8443}]}"#,
            r#"{"AND":[{"name":"web"},{"port":1}]}"#,
        ),
        (
            r#"{"OR":[{"name":"x"},{"port":8443}]}"#,
            r#"{"OR":[{"name":"x"},{"port":1}]}"#,
        ),
    ] {
        let request = Request::on(tunnel());
        assert_eq!(request.ask(&filters(yes)), Connect::Allowed, "{yes}");
        assert_eq!(request.ask(&filters(no)), Connect::OutsideBoundary, "{no}");
    }
}

#[test]
fn a_property_without_a_value_never_matches() {
    let any = r#"{"regex":""}"#;
    for field in [
        "client_id",
        "user_id",
        "cluster_id",
        "plan",
        "provider",
        "region",
        "creation_date",
        "id",
        "name",
        "host",
        "hostname",
        "tls_mode",
        "tls_min_version",
    ] {
        let filter = filters(&format!(r#"{{"{field}":{any}}}"#));
        assert_eq!(
            Request::default().ask(&filter),
            Connect::OutsideBoundary,
            "{field}"
        );
    }
    for filter in [
        r#"{"trusted_ips":[]}"#,
        r#"{"geo_ip":[]}"#,
        r#"{"tls_alpns":[]}"#,
        r#"{"port":0}"#,
    ] {
        assert_eq!(
            Request::default().ask(&filters(filter)),
            Connect::OutsideBoundary,
            "{filter}"
        );
    }
    let nowhere = Request::default().of("", "");
    for field in ["project_id", "workspace_id"] {
        let filter = filters(&format!(r#"{{"{field}":{any}}}"#));
        assert_eq!(nowhere.ask(&filter), Connect::OutsideBoundary, "{field}");
        assert_eq!(Request::default().ask(&filter), Connect::Allowed, "{field}");
    }
}

#[test]
fn networks_and_countries_have_one_spelling() {
    for (entry, expected) in [
        ("10.1.2.3", Some("10.1.2.3/32")),
        ("10.1.2.3/8", Some("10.0.0.0/8")),
        ("0.0.0.0/0", Some("0.0.0.0/0")),
        ("2001:DB8:0::1", Some("2001:db8::1/128")),
        ("2001:db8::1/32", Some("2001:db8::/32")),
        ("::/0", Some("::/0")),
        ("10.1.2.3/33", None),
        ("::/129", None),
        ("10.1.2.3/", None),
        ("10.1.2.3/+8", None),
        ("010.1.2.3", None),
        ("10.1.2", None),
        ("", None),
    ] {
        assert_eq!(normal::network(entry).as_deref(), expected, "{entry}");
    }
    for (entry, expected) in [
        ("de", Some("DE")),
        ("DE", Some("DE")),
        ("D", None),
        ("DEU", None),
        ("d1", None),
        ("\u{e4}", None),
    ] {
        assert_eq!(normal::country(entry).as_deref(), expected, "{entry}");
    }
}
