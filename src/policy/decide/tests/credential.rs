//! S3.4: an edge credential never reaches an upstream, proof or not.

use super::*;

fn withheld(authorization: &str) -> bool {
    let head = format!(
        "GET / HTTP/1.1\r\nHost: open.t.example.com\r\nAuthorization: {authorization}\r\n\r\n"
    );
    match judged(&head) {
        Decision::Forward(permit) => permit.withholds_authorization(),
        Decision::Refuse(_)
        | Decision::NeedsKeys(_)
        | Decision::NeedsSignIn(_)
        | Decision::NeedsChallenge(_)
        | Decision::Endpoint(_) => {
            panic!("a public tunnel refused {authorization}")
        }
    }
}

/// An open tunnel's owner would collect tokens.
#[test]
fn a_public_tunnel_gets_no_token_of_ours_in_whatever_state() {
    let not_yet = mint(MintRequest {
        issued_at: NOW,
        not_before: Some(NOW + 60),
        ..MintRequest::default()
    });
    for token in [
        good(),
        expired(),
        path_bounded(),
        not_yet,
        signed(r#"{"iat":1900000000}"#),
        signed(r#"{"exp":"soon"}"#),
        signed(r#"{"tunnelsGrants":[]}"#),
        signed(r#"{"metadata":{"engine":"elsewhere.example.net"}}"#),
        signed(r#"{"resources":{"tunnels":[]}}"#),
        signed(r#"{"type":"pat"}"#),
        signed(r#"{"type":"app","clientId":"c","permissions":null}"#),
        signed("not json"),
    ] {
        for line in [
            format!("Bearer {token}"),
            format!("bEARER    {token}"),
            format!("Bearer\t{token}"),
            format!("Bearer \"{token}\""),
            format!("Bearer {token}, Bearer x"),
            format!("Bearer x {token}"),
            format!("Bearer {token}=="),
        ] {
            assert!(withheld(&line), "{line}");
        }
    }
}

#[test]
fn under_another_scheme_a_token_that_verifies_is_withheld_as_well() {
    for scheme in ["Token", "JWT", "DPoP", "token token="] {
        assert!(withheld(&format!("{scheme} {}", good())), "{scheme}");
        assert!(withheld(&format!("{scheme} \"{}\"", expired())), "{scheme}");
        assert!(!withheld(&format!("{scheme} {}", forged())), "{scheme}");
    }
}

#[test]
fn the_credentials_of_applications_go_through() {
    for line in [
        "Basic YTpi".to_owned(),
        "Bearer application-token".to_owned(),
        "Bearer a.b".to_owned(),
        format!("Bearer {}", forged()),
        "Bearer".to_owned(),
        "Bearer a b".to_owned(),
        "Digest username=\"a\", realm=\"www.example.com\", uri=\"/\"".to_owned(),
        "Negotiate YII=".to_owned(),
        String::new(),
    ] {
        assert!(!withheld(&line), "{line}");
    }
}

/// Each line is looked at: the second may hold the token.
#[test]
fn one_of_several_lines_withholds_all() {
    let head = |second: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: open.t.example.com\r\nAuthorization: Basic YTpi\r\n\
             Authorization: {second}\r\n\r\n"
        )
    };
    let verdict = |second: &str| word(&judged(&head(second)));
    assert_eq!(
        verdict(&format!("Bearer {}", good())),
        "forward none withheld"
    );
    assert_eq!(verdict("Basic Yzpk"), "forward none kept");
}
