use super::*;
use crate::boundary::{Connect, ConnectContext, TunnelProperties};
use crate::http::path::JudgedPath;

fn numbered(n: usize) -> String {
    sign(format!(r#"{{"sub":"{n:04}"}}"#))
}

#[test]
fn a_known_token_is_not_verified_again() {
    let (mut cache, keys, token) = (TokenCache::new(10), keys(), numbered(1));
    let first = cache.verify(token.as_bytes(), &keys, NOW).unwrap();
    let second = cache.verify(token.as_bytes(), &keys, NOW).unwrap();
    assert!(std::rc::Rc::ptr_eq(&first, &second));
    assert_eq!((cache.hits(), cache.misses(), cache.len()), (1, 1, 1));
}

#[test]
fn failures_are_not_remembered() {
    let (mut cache, keys) = (TokenCache::new(10), keys());
    for token in [
        "x.y.z",
        "",
        &sign(r#"{"exp":1}"#),
        &sign(r#"{"type":"pat"}"#),
    ] {
        assert!(cache.verify(token.as_bytes(), &keys, NOW).is_err());
    }
    let early = sign(format!(r#"{{"nbf":{}}}"#, NOW + 1));
    assert!(cache.verify(early.as_bytes(), &keys, NOW).is_err());
    assert!(cache.is_empty());
    assert!(cache.verify(early.as_bytes(), &keys, NOW + 1).is_ok());
}

#[test]
fn a_cache_is_shed_a_little_at_a_time_the_least_used_first() {
    let (mut cache, keys) = (TokenCache::new(10), keys());
    let tokens: Vec<String> = (0..5).map(numbered).collect();
    for token in &tokens {
        cache.verify(token.as_bytes(), &keys, NOW).unwrap();
    }
    assert!(cache.shed(2));
    assert_eq!(cache.len(), 3);
    assert!(cache.remembered(tokens[1].as_bytes(), NOW).is_none());
    assert!(cache.remembered(tokens[2].as_bytes(), NOW).is_some());
    assert!(!cache.shed(3), "none is left");
    assert_eq!((cache.len(), cache.bytes()), (0, 0));
    assert!(!cache.shed(1));
}

/// Over a reload too, since keys have no say in it; what differs in anything is compiled for itself, and means what it says.
#[test]
fn tokens_that_claim_the_same_share_what_was_compiled() {
    let (mut cache, keys) = (TokenCache::new(10), keys());
    let with = |subject: &str, pattern: &str| {
        sign(format!(
            r#"{{"sub":"{subject}","resources":{{"tunnels":{{"scopes":{{"tunnels":{{"connect":{{"params":{{"path":{{"regex":"{pattern}"}}}}}}}}}}}}}}}}"#
        ))
    };
    for (subject, pattern, compilations) in [
        ("ana", "^/a", 1),
        ("bob", "^/a", 1),
        ("ana", "^/b", 2),
        ("bob", "^/b", 2),
        ("bob", "^/a/", 3),
    ] {
        let token = cache
            .verify(with(subject, pattern).as_bytes(), &keys, NOW)
            .unwrap();
        assert_eq!(cache.compilations(), compilations, "{subject} {pattern}");
        let boundary = token.boundaries().next().unwrap();
        let tunnel = TunnelProperties::default();
        let connect = |path: &str| {
            let path = JudgedPath {
                decoded: path.as_bytes(),
                ambiguity: None,
            };
            boundary.connect(&ConnectContext {
                project: "p1",
                workspace: "w1",
                tunnel: &tunnel,
                path: &path,
            })
        };
        assert_eq!(connect(&pattern[1..]), Connect::Allowed);
        assert_eq!(connect("/other"), Connect::PathOutsideBoundary);
    }
    cache.clear();
    cache
        .verify(with("eve", "^/a").as_bytes(), &keys, NOW)
        .unwrap();
    assert_eq!(cache.compilations(), 3);
    // So many different ones are not kept; the oldest is compiled again.
    for n in 0..1024 {
        let token = with("ana", &format!("^/{n}"));
        cache.verify(token.as_bytes(), &keys, NOW).unwrap();
    }
    assert_eq!(cache.compilations(), 3 + 1024);
    cache
        .verify(with("fay", "^/a").as_bytes(), &keys, NOW)
        .unwrap();
    assert_eq!(cache.compilations(), 3 + 1024 + 1);
}

/// One such token costs its compilation once, also over a reload; its time is asked each time, and its twin passes.
#[test]
fn patterns_that_cannot_be_compiled_are_tried_once() {
    let (mut cache, keys) = (TokenCache::new(10), keys());
    let with = |pattern: &str| {
        sign(format!(
            r#"{{"exp":{},"resources":{{"tunnels":{{"scopes":{{"tunnels":{{"connect":{{"params":{{"path":{{"regex":"{pattern}"}}}}}}}}}}}}}}}}"#,
            NOW + 10
        ))
    };
    let (hostile, twin) = (with("[ab]*a[ab]{15}"), with("[ab]*a[ab]{3}"));
    let mut asked = |token: &str, at| {
        let verdict = cache.verify(token.as_bytes(), &keys, at).err();
        assert_eq!(verdict, verify(token.as_bytes(), &keys, at).err());
        cache.clear();
        (verdict, cache.spared())
    };
    let too_large = Some(TokenError::PatternTooLarge);
    assert_eq!(asked(&hostile, NOW), (too_large, 0));
    assert_eq!(asked(&hostile, NOW), (too_large, 1));
    assert_eq!(asked(&twin, NOW), (None, 1));
    assert_eq!(asked(&hostile, NOW + 10), (Some(TokenError::Expired), 1));
    assert_eq!(asked(&hostile, NOW + 9), (too_large, 2));
}

/// With the same keys and time it answers as verifying anew does.
#[test]
fn the_cache_changes_no_verdict() {
    let (mut cache, keys) = (TokenCache::new(10), keys());
    let payload = format!(r#"{{"iat":{NOW},"nbf":{NOW},"exp":{}}}"#, NOW + 100);
    let token = sign(payload);
    let moments = [
        NOW,
        NOW + 99,
        NOW + 100,
        NOW + 99,
        NOW - 1,
        NOW,
        NOW + 200,
        NOW - 301,
        NOW,
    ];
    for at in moments {
        let cached = cache.verify(token.as_bytes(), &keys, at).err();
        assert_eq!(cached, verify(token.as_bytes(), &keys, at).err(), "{at}");
    }
}

#[test]
fn an_expired_token_leaves() {
    let (mut cache, keys) = (TokenCache::new(10), keys());
    let token = sign(format!(r#"{{"exp":{}}}"#, NOW + 1));
    assert!(cache.verify(token.as_bytes(), &keys, NOW).is_ok());
    assert_eq!(
        cache.verify(token.as_bytes(), &keys, NOW + 1).err(),
        Some(TokenError::Expired)
    );
    assert_eq!((cache.len(), cache.bytes()), (0, 0));
}

#[test]
fn tokens_are_compared_in_full() {
    let (mut cache, keys, token) = (TokenCache::new(10), keys(), numbered(1));
    assert!(cache.verify(token.as_bytes(), &keys, NOW).is_ok());
    let bytes = token.as_bytes();
    let mut changed = bytes.to_vec();
    *changed.last_mut().unwrap() ^= 4;
    for other in [&bytes[1..], &bytes[..bytes.len() - 1], &changed, b""] {
        assert!(cache.verify(other, &keys, NOW).is_err());
    }
}

#[test]
fn the_least_recently_used_leaves_first() {
    let (mut cache, keys) = (TokenCache::new(2), keys());
    let tokens: Vec<String> = (0..3).map(numbered).collect();
    for n in [0, 1, 0, 2] {
        cache.verify(tokens[n].as_bytes(), &keys, NOW).unwrap();
    }
    assert_eq!((cache.len(), cache.hits()), (2, 1));
    cache.verify(tokens[0].as_bytes(), &keys, NOW).unwrap();
    assert_eq!(cache.hits(), 2);
    cache.verify(tokens[1].as_bytes(), &keys, NOW).unwrap();
    assert_eq!(cache.hits(), 2);
}

#[test]
fn bytes_are_bounded_and_counted_back() {
    let keys = keys();
    let mut one = TokenCache::new(100);
    one.verify(numbered(0).as_bytes(), &keys, NOW).unwrap();
    let each = one.bytes();
    let mut cache = TokenCache::bounded(100, 3 * each);
    for n in 0..50 {
        cache.verify(numbered(n).as_bytes(), &keys, NOW).unwrap();
        assert!(cache.bytes() <= 3 * each);
    }
    assert_eq!((cache.len(), cache.bytes()), (3, 3 * each));
    // A token that does not fit alone is verified, and displaces nobody.
    let large = sign(format!(r#"{{"x":"{}","sub":"y"}}"#, "x".repeat(4000)));
    cache.verify(large.as_bytes(), &keys, NOW).unwrap();
    assert_eq!(cache.len(), 3);
    cache.clear();
    assert_eq!((cache.len(), cache.bytes()), (0, 0));
}

#[test]
fn a_cache_of_none_remembers_none() {
    let (mut cache, keys, token) = (TokenCache::new(0), keys(), numbered(1));
    assert!(cache.verify(token.as_bytes(), &keys, NOW).is_ok());
    assert!(cache.verify(token.as_bytes(), &keys, NOW).is_ok());
    assert_eq!((cache.len(), cache.misses()), (0, 2));
}
