//! What is taken over about a user. The rest of this file is tested in `tests/oidc/faults.rs`.

use super::*;
use crate::json;

fn person(claims: &str) -> Result<Person, TokenFault> {
    let tree = json::parse(claims.as_bytes()).unwrap();
    Person::of(Claims(tree.as_object().unwrap()), "roles")
}

#[test]
fn a_mailbox_is_verified_and_has_one_spelling() {
    let email = |email: &str, verified: &str| {
        let claims = format!(r#"{{"email":"{email}","email_verified":{verified}}}"#);
        person(&claims).unwrap().email
    };
    let good = email("Ana.B+x@Example.COM", "true");
    assert_eq!(good.as_deref(), Some("ana.b+x@example.com"));
    for verified in ["false", "null", "1", "\"true\""] {
        assert_eq!(email("ana@example.com", verified), None, "{verified}");
    }
    for odd in [
        "",
        "ana",
        "@example.com",
        "ana@",
        "ana@evil.example@example.com",
        "ana@ex\u{e4}mple.com",
        "\u{212a}@example.com",
        "ana @example.com",
        "ana@example.com\\n",
    ] {
        assert_eq!(email(odd, "true"), None, "{odd}");
    }
    let long = format!("{}@example.com", "a".repeat(243));
    assert_eq!(email(&long, "true"), None);
    assert_eq!(
        person(r#"{"email":"ana@example.com"}"#).unwrap().email,
        None
    );
    assert_eq!(person(r#"{"email":1}"#), Err(TokenFault::Claim("email")));
}

#[test]
fn groups_and_names_are_bounded() {
    let groups = |text: &str| person(&format!(r#"{{"roles":{text}}}"#)).map(|found| found.groups);
    assert_eq!(groups(r#"["a","b"]"#).unwrap().unwrap(), ["a", "b"]);
    assert_eq!(groups(r#""a""#).unwrap().unwrap(), ["a"]);
    assert_eq!(groups("[]").unwrap().unwrap(), [""; 0]);
    for odd in ["1", "null", r#"["a",1]"#, r#"{"a":1}"#] {
        assert_eq!(groups(odd), Err(TokenFault::Claim("groups")), "{odd}");
    }
    let many: Vec<String> = (0..300).map(|number| format!("\"{number}\"")).collect();
    let many = groups(&format!("[{}]", many.join(","))).unwrap().unwrap();
    assert_eq!(many.len(), OIDC_GROUPS_MAX);
    let long = format!(r#"["{}","","b"]"#, "a".repeat(256));
    assert_eq!(groups(&long).unwrap().unwrap(), ["b"]);
    assert_eq!(person(r#"{"groups":["a"]}"#).unwrap().groups, None);
    let name = person(&format!(r#"{{"name":"{}"}}"#, "\u{e4}".repeat(200)));
    assert_eq!(name.unwrap().name.unwrap().chars().count(), NAME_CHARS_MAX);
}

#[test]
fn the_first_source_that_says_something_is_believed() {
    let first = person(r#"{"name":"A","roles":[]}"#).unwrap();
    let other = person(r#"{"name":"B","roles":["x"],"email":"b@b","email_verified":true}"#);
    let both = first.or(other.unwrap());
    assert_eq!(both.email.as_deref(), Some("b@b"));
    assert_eq!(
        (both.name.as_deref(), both.groups),
        (Some("A"), Some(vec![]))
    );
}

/// OpenID Connect Core A.3 has the access token and its hash.
#[test]
fn the_hash_of_an_access_token_is_that_of_the_specification() {
    let token = b"jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    let hash = half_hash(Algorithm::Rs256, token);
    assert_eq!(hash, "77QmUPtjPfzWtF2AnpK9RQ");
    assert_eq!(half_hash(Algorithm::Es384, token).len(), 32);
    assert_eq!(half_hash(Algorithm::EdDsa, token).len(), 43);
}
