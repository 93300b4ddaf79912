//! A provider that is not there: nobody is kept waiting, and what is known of it goes on.

use std::net::TcpListener;
use std::time::Duration;

use adit::oidc::{OidcError, Prompt};
use serde_json::json;

use crate::support::{Browser, Edge, Mock, Node, PATIENCE};

fn reason<T: std::fmt::Debug>(refused: Result<T, OidcError>) -> &'static str {
    refused.unwrap_err().reason()
}

#[test]
fn a_provider_that_is_down_at_the_start_serves_as_soon_as_it_is_back() {
    let mut node = Node::start();
    node.close();
    let edge = Edge::new(&node.issuer);
    assert_eq!(reason(edge.begin()), "oidc_unreachable");
    assert_eq!(edge.provider.logout_url(None, "s"), None);
    node.open();
    assert!(edge.sign_in(&mut Browser::new(), "ana").is_ok());
}

#[test]
fn a_provider_that_is_down_is_not_asked_by_every_browser() {
    let mock = Mock::start();
    let address = "/.well-known/openid-configuration";
    mock.says(address, 500, &json!({}));
    let edge = Edge::new(&mock.issuer);
    for _ in 0..50 {
        assert_eq!(reason(edge.begin()), "oidc_unreachable");
    }
    let asked = mock.requests(address).len();
    assert!((1..=8).contains(&asked), "{asked}");
    mock.discovery(json!({}));
    edge.clock.advance(Duration::from_secs(60));
    assert!(edge.begin().is_ok());
}

#[test]
fn what_is_known_goes_on_through_an_outage_for_a_day() {
    let mut node = Node::start();
    let edge = Edge::new(&node.issuer);
    assert!(edge.sign_in(&mut Browser::new(), "ana").is_ok());
    let (url, secrets) = edge.begin().unwrap();
    let query = Browser::new().sign_in(&url, "ana");
    node.close();
    assert!(edge.begin().is_ok());
    assert!(edge.provider.logout_url(None, "s").is_some());
    // The exchange itself needs the provider, and may be tried again.
    assert_eq!(reason(edge.finish(&query, &secrets)), "oidc_unreachable");
    node.open();
    assert!(edge.finish(&query, &secrets).is_ok());

    node.close();
    edge.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(reason(edge.begin()), "oidc_unreachable");
    node.open();
    assert!(edge.begin().is_ok());
}

#[test]
fn documents_are_fetched_at_the_start_and_renewed() {
    let mock = Mock::start();
    let edge = Edge::new(&mock.issuer);
    // Asks the provider nothing by itself.
    let known = || Some(edge.provider.logout_url(None, "")?.path().to_owned());
    let ends_at = |path: &str| {
        let end = format!("{}{path}", mock.issuer);
        mock.discovery(json!({ "end_session_endpoint": end }));
        edge.wait(async {
            let provider = edge.provider.clone();
            let keeping = tokio::spawn(async move { provider.run().await });
            let renewed = async {
                while known().as_deref() != Some(path) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, renewed).await.unwrap();
            keeping.abort();
        });
    };
    ends_at("/out");
    assert_eq!(mock.requests("/jwks").len(), 1);
    edge.clock.advance(Duration::from_secs(5 * 60));
    ends_at("/new");
    assert_eq!(mock.requests("/jwks").len(), 2);
}

#[test]
fn those_that_wait_are_few_and_one_more_is_told_so() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let edge = Edge::new(&format!("http://{}", silent.local_addr().unwrap()));
    edge.wait(async {
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let provider = edge.provider.clone();
            waiting.spawn(async move { provider.begin(Prompt::Usual).await.map(|_| ()) });
        }
        // The runtime takes 61 tasks before it comes back to this one.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        let refused = edge.provider.begin(Prompt::Usual).await.unwrap_err();
        assert_eq!(refused, OidcError::Busy);
        drop(silent);
        // All of them share what comes of one fetch.
        while let Some(ended) = waiting.join_next().await {
            assert_eq!(reason(ended.unwrap()), "oidc_unreachable");
        }
        let refused = edge.provider.begin(Prompt::Usual).await;
        assert_ne!(refused.unwrap_err(), OidcError::Busy);
    });
}
