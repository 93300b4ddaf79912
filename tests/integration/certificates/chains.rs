//! What a certificate's signature rests on: CAs between, constraints, times and uses of keys (RFC 5280 6).

use rcgen::{GeneralSubtree, KeyUsagePurpose, NameConstraints};

use crate::stage::get;
use crate::support::client_certificate::{dns, email, set_validity};
use crate::support::{ClientAuthority, ClientCertificate};

use super::authorities::{ANA, LAPTOP, UNTRUSTED, corp, forwarded, is, stage, with};
use super::reloads::answered;
use super::showing;

#[test]
fn what_stands_between_must_be_there_and_hold() {
    let (corp, second) = (corp(), ClientAuthority::new("second CA"));
    let stage = stage(&corp, &second, "");
    let now = stage.edge.clock().now().unix_seconds();
    let below = corp.below("office CA", |_| ());
    let expired = corp.below("old CA", |params| set_validity(params, (0, now - 3600)));
    let only = |subtrees: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>| {
        corp.below("narrow CA", |params| {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: subtrees,
                excluded_subtrees: excluded,
            });
        })
    };
    let subtree = |name: &str| vec![GeneralSubtree::DnsName(name.to_owned())];
    let good = below.issue(&[dns(LAPTOP)]);
    let deeper = below.below("desk CA", |_| ()).issue(&[dns(LAPTOP)]);
    let mut shuffled = deeper.clone();
    shuffled.chain[1..].reverse();
    // A client's certificate is no CA's.
    let leaf = corp.issue(&[dns("nobody.corp.test")]);
    let mut by_client = ClientAuthority::new("corp CA").issue(&[dns(LAPTOP)]);
    by_client.chain.extend(leaf.chain);
    for (what, certificate, expected) in [
        ("given", good.clone(), forwarded("laptop")),
        ("two given", deeper.clone(), forwarded("laptop")),
        ("two given, in no order", shuffled, forwarded("laptop")),
        ("missing", good.alone(), UNTRUSTED),
        ("expired", expired.issue(&[dns(LAPTOP)]), UNTRUSTED),
        ("no CA's", by_client, UNTRUSTED),
        (
            "permitted",
            only(subtree("corp.test"), vec![]).issue(&[dns(LAPTOP)]),
            forwarded("laptop"),
        ),
        (
            "not permitted",
            only(subtree("evil.test"), vec![]).issue(&[dns(LAPTOP)]),
            UNTRUSTED,
        ),
        (
            "excluded",
            only(vec![], subtree("corp.test")).issue(&[dns(LAPTOP)]),
            UNTRUSTED,
        ),
        (
            "not excluded",
            only(vec![], subtree("evil.test")).issue(&[dns(LAPTOP)]),
            forwarded("laptop"),
        ),
    ] {
        is(&stage, &certificate, expected, what);
    }
    // A constraint on names of a kind that is not understood holds for every name of it.
    let addresses = || vec![GeneralSubtree::Rfc822Name("corp.test".to_owned())];
    for (what, authority) in [
        ("addresses permitted", only(addresses(), vec![])),
        ("addresses excluded", only(vec![], addresses())),
    ] {
        is(&stage, &authority.issue(&[email(ANA)]), UNTRUSTED, what);
        is(
            &stage,
            &authority.issue(&[dns(LAPTOP)]),
            forwarded("laptop"),
            what,
        );
    }
    // One link of the longer chain is missing.
    let mut cut = deeper;
    cut.chain.remove(1);
    is(&stage, &cut, UNTRUSTED, "the nearer one is missing");
}

/// A constraint of the configured CA itself binds what it signs.
#[test]
fn an_authority_with_constraints_is_held_to_them() {
    let constrained = |name: &str| {
        ClientAuthority::new_with("corp CA", |params| {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: vec![GeneralSubtree::DnsName(name.to_owned())],
                excluded_subtrees: Vec::new(),
            });
        })
    };
    let second = ClientAuthority::new("second CA");
    for (name, expected) in [("corp.test", forwarded("laptop")), ("evil.test", UNTRUSTED)] {
        let corp = constrained(name);
        let stage = stage(&corp, &second, "");
        is(&stage, &corp.issue(&[dns(LAPTOP)]), expected, name);
    }
}

/// The CA's own certificate has a time as well, which reaches open connections and what is remembered.
#[test]
fn an_authority_vouches_only_in_its_time() {
    let second = ClientAuthority::new("second CA");
    let now = adit::runtime::clock::Clock::default().now().unix_seconds();
    let (hour, day) = (3600, 24 * 3600);
    for (times, before, after) in [
        ((now - day, now - hour), UNTRUSTED, UNTRUSTED),
        ((now - day, now + hour), forwarded("laptop"), UNTRUSTED),
        ((now + hour, now + day), UNTRUSTED, forwarded("laptop")),
        (
            (now - day, now + day),
            forwarded("laptop"),
            forwarded("laptop"),
        ),
    ] {
        let corp = ClientAuthority::new_with("corp CA", |params| set_validity(params, times));
        let stage = stage(&corp, &second, "[timeouts]\nidle = \"24h\"\n");
        let direct = corp.issue(&[dns(LAPTOP)]);
        let through = corp.below("office CA", |_| ()).issue(&[dns(LAPTOP)]);
        let mut open = [showing(&stage.edge, Some(&direct))];
        for expected in [before, after] {
            let verdict = (expected.0, expected.1);
            answered(&stage.edge, &mut open, &get("/", ""), verdict);
            if expected.0 == 200 {
                stage.upstream.next_request();
            }
            is(&stage, &direct, expected, "direct");
            is(&stage, &through, expected, "through another");
            stage.edge.pass(std::time::Duration::from_secs(2 * hour));
        }
    }
}

/// Keys that may not sign what they signed (RFC 5280 4.2.1.3).
#[test]
fn a_key_signs_what_it_is_for() {
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign, KeyEncipherment};
    let (corp, second) = (corp(), ClientAuthority::new("second CA"));
    let stage = stage(&corp, &second, "");
    let below = |usages: Vec<KeyUsagePurpose>| {
        let office = corp.below("office CA", |params| params.key_usages = usages);
        office.issue(&[dns(LAPTOP)])
    };
    let leaf = |usages: Vec<KeyUsagePurpose>| with(&corp, |params| params.key_usages = usages);
    let good = forwarded("laptop");
    for (what, certificate, expected) in [
        ("a CA for anything", below(vec![]), good),
        ("a CA for certificates", below(vec![KeyCertSign]), good),
        ("a CA for lists alone", below(vec![CrlSign]), UNTRUSTED),
        (
            "a CA for signatures",
            below(vec![DigitalSignature]),
            UNTRUSTED,
        ),
        ("a key for anything", leaf(vec![]), good),
        (
            "a key for signatures",
            leaf(vec![DigitalSignature, KeyEncipherment]),
            good,
        ),
        (
            "a key for encryption",
            leaf(vec![KeyEncipherment]),
            UNTRUSTED,
        ),
    ] {
        is(&stage, &certificate, expected, what);
    }
}

/// What a client shows beside what its certificate rests on changes nothing.
#[test]
fn certificates_that_nobody_needs_are_not_looked_at() {
    let (corp, second) = (corp(), ClientAuthority::new("second CA"));
    let stage = stage(&corp, &second, "");
    let expired = corp.below("old CA", |params| set_validity(params, (0, 1000)));
    for beside in [
        corp.own().chain,
        second.own().chain,
        expired.own().chain,
        ClientCertificate::self_signed().chain,
        vec![b"nonsense".to_vec().into()],
    ] {
        let mut certificate = corp.below("office CA", |_| ()).issue(&[dns(LAPTOP)]);
        certificate.chain.extend(beside);
        is(&stage, &certificate, forwarded("laptop"), "with another");
    }
}
