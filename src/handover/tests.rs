//! What is sealed comes out again, for its host, its browser and its time alone.

use super::*;
use crate::authn::session::Session;
use crate::limits::{RETURN_TARGET_BYTES_MAX, SEALED_BYTES_MAX};
use crate::seal::{Kind, Sealer};
use crate::secret::Secret;

const BASE: &str = "edge.example.com";
const HOST: &str = "app.t.edge.example.com";
const NOW: u64 = 1_700_000_000;

fn sealer() -> Sealer {
    Sealer::new(Secret::new(vec![7; 32]), None).unwrap()
}

fn request(target: &str) -> FlowRequest<'_> {
    FlowRequest {
        host: HOST,
        target,
        state: state_hash(b"state"),
        expires_at: NOW + REQUEST_SECONDS,
    }
}

fn session<'a>(subject: &'a str, inputs: &'a [Short]) -> Session<'a> {
    Session {
        provider: [1; 16],
        project: short(&[b"proj-1"]),
        sid: [0; 16],
        issued_at: NOW * 1000,
        claims_at: NOW,
        expires_at: NOW + 60,
        subject,
        email: "",
        name: "",
        inputs,
    }
}

fn code<'a>(target: &'a str, session: Session<'a>) -> Code<'a> {
    Code {
        id: [2; 16],
        request: [3; 16],
        state: [4; 16],
        expires_at: NOW + CODE_SECONDS,
        target,
        session,
    }
}

#[test]
fn a_target_leads_to_no_other_host() {
    for target in [
        "/",
        "/a?b=c&d=//e",
        "/a//b",
        "/%2f%2fevil.example",
        "/@evil",
    ] {
        assert_eq!(return_target(target.as_bytes()), target);
    }
    let long = format!("/{}", "a".repeat(RETURN_TARGET_BYTES_MAX));
    for target in [
        "",
        "//evil.example",
        "https://evil.example/",
        "evil.example",
        "@evil.example",
        ".evil.example",
        ":80/",
        "/\\evil.example",
        "\\/evil.example",
        "/a#b",
        "/a b",
        "/a\r\nSet-Cookie: a=b",
        "/\u{0}",
        "/\t/evil.example",
        "/\u{fc}",
        "/\u{7f}",
        &long,
    ] {
        assert_eq!(return_target(target.as_bytes()), "/", "{target:?}");
    }
    assert_eq!(return_target(b"/\xff"), "/");
}

#[test]
fn a_request_opens_on_the_base_host_in_time() {
    let (one, mut scratch) = (sealer(), Vec::new());
    let sealed = request("/a?b=c").seal(&one, BASE, &[9; 32]);
    let mut open = |host: &str, now| {
        let opened = FlowRequest::open(&one, host, sealed.as_bytes(), now, &mut scratch);
        opened.map(|found| assert_eq!(found, request("/a?b=c")))
    };
    assert_eq!(open(BASE, NOW), Ok(()));
    assert_eq!(open(BASE, NOW + 599), Ok(()));
    assert_eq!(open(BASE, NOW + 600), Err(Unusable::Expired));
    assert_eq!(open(HOST, NOW), Err(Unusable::Broken));
    // Whoever sealed it, what comes out is a target of the same host.
    let sealed = request("//evil.example/").seal(&one, BASE, &[9; 32]);
    let opened = FlowRequest::open(&one, BASE, sealed.as_bytes(), NOW, &mut scratch);
    assert_eq!(opened.unwrap().target, "/");
}

#[test]
fn a_request_for_a_sign_in_is_none_for_a_challenge() {
    let (one, mut scratch) = (sealer(), Vec::new());
    let challenge = ChallengeRequest {
        flow: request("/"),
        prefix: client_prefix("192.0.2.1".parse().ok()),
    };
    let sealed = challenge.seal(&one, BASE, &[9; 32]);
    let open = FlowRequest::open(&one, BASE, sealed.as_bytes(), NOW, &mut scratch);
    assert_eq!(open, Err(Unusable::Broken));
    let open = ChallengeRequest::open(&one, BASE, sealed.as_bytes(), NOW, &mut scratch);
    assert_eq!(open, Ok(challenge));
    let open = ChallengeRequest::open(&one, BASE, sealed.as_bytes(), NOW + 600, &mut scratch);
    assert_eq!(open, Err(Unusable::Expired));
    let sealed = request("/").seal(&one, BASE, &[9; 32]);
    let open = ChallengeRequest::open(&one, BASE, sealed.as_bytes(), NOW, &mut scratch);
    assert_eq!(open, Err(Unusable::Broken));
}

#[test]
fn a_code_opens_at_its_tunnel_within_a_minute() {
    let (one, mut scratch) = (sealer(), Vec::new());
    let inputs = [[5; 16]];
    let made = code("/a", session("ana", &inputs));
    let sealed = made.seal(&one, HOST, &[9; 32]).unwrap();
    let mut open = |host: &str, now| {
        let opened = Code::open(&one, host, sealed.as_bytes(), now, &mut scratch);
        opened.map(|found| assert_eq!(found, made))
    };
    assert_eq!(open(HOST, NOW + 59), Ok(()));
    assert_eq!(open(HOST, NOW + 60), Err(Unusable::Expired));
    assert_eq!(open("b.t.edge.example.com", NOW), Err(Unusable::Broken));
    let long = "s".repeat(256);
    let too_long = code("/", session(&long, &inputs));
    assert_eq!(too_long.seal(&one, HOST, &[9; 32]), None);
}

#[test]
fn the_longest_values_are_short_enough_to_be_opened() {
    let one = sealer();
    let target = format!("/{}", "a".repeat(RETURN_TARGET_BYTES_MAX - 1));
    let (subject, inputs) = ("s".repeat(255), [[5; 16]; 8]);
    let host = "h".repeat(253);
    let flow = FlowRequest {
        host: &host,
        ..request(&target)
    };
    let challenge = ChallengeRequest {
        flow,
        prefix: [1; 16],
    };
    let sealed = challenge.seal(&one, BASE, &[9; 32]);
    assert!(sealed.len() <= SEALED_BYTES_MAX, "{}", sealed.len());
    let long = Session {
        email: &subject,
        name: &subject,
        ..session(&subject, &inputs)
    };
    let sealed = code(&target, long).seal(&one, HOST, &[9; 32]).unwrap();
    assert!(sealed.len() <= SEALED_BYTES_MAX, "{}", sealed.len());
}

#[test]
fn a_challenge_counts_for_its_host_project_network_and_time() {
    let (one, mut scratch) = (sealer(), Vec::new());
    let prefix = client_prefix("192.0.2.1".parse().ok());
    let sealed = ChallengePass::new("proj-1", prefix, NOW + 60).seal(&one, HOST, &[9; 32]);
    let mut counts = |host, project, address: &str, now| {
        let prefix = client_prefix(address.parse().ok());
        let at = (&prefix, now);
        ChallengePass::counts(&one, (host, project), sealed.as_bytes(), at, &mut scratch)
    };
    assert!(counts(HOST, "proj-1", "192.0.2.1", NOW));
    assert!(counts(HOST, "proj-1", "::ffff:192.0.2.200", NOW + 59));
    assert!(!counts(HOST, "proj-1", "192.0.2.1", NOW + 60));
    assert!(!counts(HOST, "proj-2", "192.0.2.1", NOW));
    assert!(!counts("b.example.com", "proj-1", "192.0.2.1", NOW));
    assert!(!counts(HOST, "proj-1", "192.0.3.1", NOW));
    assert!(!counts(HOST, "proj-1", "unknown", NOW));
    let code = ChallengeCode {
        id: [1; 16],
        state: [2; 16],
        prefix,
        expires_at: NOW + 60,
        target: "/a",
    };
    let sealed = code.seal(&one, HOST, &[9; 32]);
    let sealed = sealed.as_bytes();
    let open = ChallengeCode::open(&one, HOST, sealed, NOW, &mut scratch);
    assert_eq!(open, Ok(code));
    let open = ChallengeCode::open(&one, HOST, sealed, NOW + 60, &mut scratch);
    assert_eq!(open, Err(Unusable::Expired));
    let mut scratch = Vec::new();
    let open = Code::open(&one, HOST, sealed, NOW, &mut scratch);
    assert_eq!(open, Err(Unusable::Broken));
}

#[test]
fn networks_are_24_and_48_bits() {
    let of = |address: &str| client_prefix(address.parse().ok());
    assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:ffff::1"));
    assert_ne!(of("2001:db8:1::3"), of("2001:db8:2::3"));
    assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
    assert_ne!(of("::"), of("0.0.0.0"));
}

#[test]
fn a_form_is_its_browser_s_and_for_its_purpose() {
    let one = sealer();
    let sealed = FormToken::new(b"cookie", [1; 16], NOW + 60).seal(&one, BASE, &[9; 32]);
    let check = |host, cookie: &[u8], purpose: u8, now| {
        let purpose = [purpose; 16];
        FormToken::check(&one, host, sealed.as_bytes(), (cookie, &purpose), now)
    };
    assert_eq!(check(BASE, b"cookie", 1, NOW), Ok(()));
    assert_eq!(check(BASE, b"cookie", 1, NOW + 60), Err(Unusable::Expired));
    assert_eq!(check(BASE, b"other", 1, NOW), Err(Unusable::Broken));
    assert_eq!(check(BASE, b"", 1, NOW), Err(Unusable::Broken));
    assert_eq!(check(BASE, b"cookie", 2, NOW), Err(Unusable::Broken));
    assert_eq!(check(HOST, b"cookie", 1, NOW), Err(Unusable::Broken));
}

#[test]
fn sessions_of_the_base_host_are_none_of_tunnels() {
    let (one, mut scratch) = (sealer(), Vec::new());
    let made = session("ana", &[]);
    let sealed = seal_session(&made, Kind::BaseSession, &one, HOST, &[9; 32]).unwrap();
    let sealed = sealed.as_bytes();
    let open = open_session(Kind::BaseSession, &one, HOST, sealed, &mut scratch);
    assert_eq!(open, Some(made));
    let open = open_session(Kind::Session, &one, HOST, sealed, &mut scratch);
    assert_eq!(open, None);
}

#[test]
fn any_bytes_are_harmless() {
    for bytes in [&b""[..], b"\x01", b"/a", b"//a", &[1; 200], &[0xff; 300]] {
        fuzz_handover(bytes);
    }
}
