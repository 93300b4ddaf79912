//! Logout, begun here and begun at the provider.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use adit::oidc::{LoggedOut, OidcError};
use serde_json::{Value, json};

use crate::support::{Browser, CLIENT_ID, Edge, Mock, Node, POST_LOGOUT_URI, parameter};

/// Ends the browser's session at the provider; gives where it is sent then.
fn sign_out(edge: &Edge, browser: &mut Browser, hint: &str) -> url::Url {
    let url = edge.provider.logout_url(Some(hint), "state-1").unwrap();
    let page = browser.get(&url);
    assert_eq!(page.status, 200, "{}", page.body);
    // The page is a form with one hidden field, and asks whether that is meant.
    let (_, field) = page.body.split_once("name=\"xsrf\" value=\"").unwrap();
    let xsrf = field.split('"').next().unwrap();
    let confirm = url.join("/session/end/confirm").unwrap();
    let page = browser.post(&confirm, &format!("xsrf={xsrf}&logout=yes"));
    page.location.expect("it leads back")
}

#[test]
fn a_logout_that_begins_here_ends_the_session_at_the_provider() {
    let node = Node::start();
    let edge = Edge::new(&node.issuer);
    let mut browser = Browser::new();
    let user = edge.sign_in(&mut browser, "ana").unwrap();
    let url = edge.provider.logout_url(None, "s").unwrap();
    assert_eq!(parameter(&url, "client_id").as_deref(), Some(CLIENT_ID));
    assert_eq!(parameter(&url, "id_token_hint"), None);
    let back = sign_out(&edge, &mut browser, &user.id_token);
    assert_eq!(back.as_str(), format!("{POST_LOGOUT_URI}?state=state-1"));
    let (url, secrets) = edge.begin_with(adit::oidc::Prompt::None).unwrap();
    let query = browser.follow(&url, "never asked");
    assert_eq!(edge.finish(&query, &secrets), Err(OidcError::LoginRequired));
}

#[test]
fn a_logout_at_the_provider_is_heard_once() {
    let hearer = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = json!({
        "backchannel_logout_uri": format!("http://{}/out", hearer.local_addr().unwrap()),
        "backchannel_logout_session_required": true,
    });
    let node = Node::with(json!({ "client": client }));
    let edge = Edge::new(&node.issuer);
    let mut browser = Browser::new();
    let user = edge.sign_in(&mut browser, "ana").unwrap();
    let heard = std::thread::spawn(move || {
        let (stream, _) = hearer.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            reader.read_line(&mut head).unwrap();
        }
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        (&stream).write_all(answer).unwrap();
        body
    });
    sign_out(&edge, &mut browser, &user.id_token);
    let body = heard.join().unwrap();
    let out = edge.wait(edge.provider.back_channel_logout(&body)).unwrap();
    assert_eq!(out.subject.as_deref(), Some("ana"));
    assert!(user.sid.is_some() && out.sid == user.sid);
    let again = edge.wait(edge.provider.back_channel_logout(&body));
    assert_eq!(again, Err(OidcError::Replayed));
    // An edge that has heard nothing before, five minutes later.
    let late = Edge::new(&node.issuer);
    late.clock.advance(Duration::from_secs(400));
    let refused = late.wait(late.provider.back_channel_logout(&body));
    assert_eq!(refused.unwrap_err().reason(), "oidc_token");
}

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn heard(mock: &Mock, edge: &Edge, header: &Value, claims: &Value) -> Result<LoggedOut, OidcError> {
    let token = mock.sign(header, claims);
    let body = format!("a=b&logout_token={token}");
    let heard = edge.wait(edge.provider.back_channel_logout(body.as_bytes()));
    if let Err(error) = &heard {
        assert!(!error.to_string().contains(&token));
    }
    heard
}

#[test]
fn a_logout_token_says_all_that_it_must_and_nothing_of_an_id_token() {
    let mock = Mock::start();
    let edge = Edge::new(&mock.issuer);
    let header = json!({ "alg": "EdDSA", "kid": "a", "typ": "logout+jwt" });
    let now = edge.clock.now().unix_seconds();
    let good = json!({
        "iss": mock.issuer, "aud": [CLIENT_ID, "other"], "iat": now, "exp": now + 60, "jti": "1",
        "sub": "ana", "sid": "s-1", "events": { EVENT: {} },
    });
    let out = heard(&mock, &edge, &header, &good).unwrap();
    assert_eq!(
        (out.subject.as_deref(), out.sid.as_deref()),
        (Some("ana"), Some("s-1"))
    );
    let replayed = heard(&mock, &edge, &header, &good);
    assert_eq!(replayed, Err(OidcError::Replayed));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims["jti"] = json!(format!("{name} {value}"));
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        claims
    };
    for (name, value) in [
        ("sid", Value::Null),
        ("sub", Value::Null),
        ("exp", Value::Null),
    ] {
        assert!(
            heard(&mock, &edge, &header, &with(name, value)).is_ok(),
            "{name}"
        );
    }
    let plain = json!({ "alg": "EdDSA", "kid": "a" });
    assert!(heard(&mock, &edge, &plain, &with("sub", json!("ben"))).is_ok());
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("other")),
        ("aud", json!([CLIENT_ID, 1])),
        ("iat", json!(now - 400)),
        ("iat", json!(now + 400)),
        ("iat", Value::Null),
        ("exp", json!(now - 1)),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("events", json!({})),
        ("events", json!({ EVENT: true })),
        ("events", Value::Null),
        ("nonce", json!("n")),
        ("sub", json!(1)),
        ("sub", json!("x".repeat(256))),
    ] {
        let mut claims = with(name, value.clone());
        if name == "jti" {
            claims["jti"] = value.clone();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove("jti");
            }
        }
        let refused = heard(&mock, &edge, &header, &claims).unwrap_err();
        assert_eq!(refused.reason(), "oidc_token", "{name} {value}");
    }
    let mut nobody = with("sub", Value::Null);
    nobody.as_object_mut().unwrap().remove("sid");
    assert_eq!(
        heard(&mock, &edge, &header, &nobody).unwrap_err().reason(),
        "oidc_token"
    );
    for typ in ["JWT", "at+jwt"] {
        let header = json!({ "alg": "EdDSA", "kid": "a", "typ": typ });
        let refused = heard(&mock, &edge, &header, &with("sub", json!(typ)));
        assert_eq!(refused.unwrap_err().reason(), "oidc_token", "{typ}");
    }
    for body in [
        "",
        "logout_token=",
        "logout_token=a.b.c",
        "logout_token=a&logout_token=a",
    ] {
        let refused = edge.wait(edge.provider.back_channel_logout(body.as_bytes()));
        assert_eq!(refused.unwrap_err().reason(), "oidc_token", "{body}");
    }
}
