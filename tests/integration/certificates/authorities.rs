//! Certificates that are known by a name, because a CA vouches for it (S6.2).

use rcgen::{
    CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, KeyPair, SanType,
};

use crate::stage::{Stage, get};
use crate::support::client_certificate::{dns, email, set_validity, uri};
use crate::support::tool::{curl, run, s_client};
use crate::support::{ClientAuthority, ClientCertificate, HOST, Tunnel, Upstream, ok};

use super::{VERSIONS, connected, named, over_tls, showing};

pub(super) const LAPTOP: &str = "laptop.corp.test";
const OTHER: &str = "other.corp.test";
const ROBOT: &str = "spiffe://corp.test/Robot";
pub(super) const ANA: &str = "Ana@corp.test";

/// Four names of one CA, and a second CA that has one name of its own.
pub(super) fn stage(corp: &ClientAuthority, second: &ClientAuthority, more: &str) -> Stage {
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = over_tls()
        .tunnel(Tunnel::certified(HOST, &upstream))
        .file("corp.pem", &corp.pem())
        .file("second.pem", &second.pem())
        .tables("[[client_ca]]\nname = \"corp\"\nca_file = \"corp.pem\"")
        .tables("[[client_ca]]\nname = \"second\"\nca_file = \"second.pem\"")
        .tables(&named("laptop", "corp", &format!("san_dns = \"{LAPTOP}\"")))
        .tables(&named("other", "corp", &format!("san_dns = \"{OTHER}\"")))
        .tables(&named("robot", "corp", &format!("san_uri = \"{ROBOT}\"")))
        .tables(&named("ana", "corp", &format!("san_email = \"{ANA}\"")))
        .tables(&named("twin", "second", "san_dns = \"twin.corp.test\""))
        .tables(more)
        .start();
    Stage { edge, upstream }
}

pub(super) fn corp() -> ClientAuthority {
    ClientAuthority::new("corp CA")
}

/// What a certificate comes to, twice: a CA is asked once, and the answer is remembered.
pub(super) fn judged(stage: &Stage, certificate: &ClientCertificate) -> (u16, String, String) {
    let mut found = None;
    for version in VERSIONS {
        let mut client = connected(&stage.edge, version, Some(certificate));
        for _ in 0..2 {
            let before = Stage::weight_of(&stage.upstream);
            let status = client.ask(get("/", "")).status;
            if status == 200 {
                stage.upstream.next_request();
            } else {
                assert_eq!(Stage::weight_of(&stage.upstream), before);
            }
            let line = stage.edge.log_line();
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let now = (status, text("reason"), text("credential"));
            assert_eq!(found.get_or_insert_with(|| now.clone()), &now);
        }
    }
    found.unwrap()
}

pub(super) fn is(
    stage: &Stage,
    certificate: &ClientCertificate,
    expected: (u16, &str, &str),
    what: &str,
) {
    let (status, reason, credential) = judged(stage, certificate);
    assert_eq!((status, &*reason, &*credential), expected, "{what}");
}

const UNKNOWN: (u16, &str, &str) = (401, "certificate_unknown", "");
pub(super) const UNTRUSTED: (u16, &str, &str) = (401, "certificate_untrusted", "");

pub(super) fn forwarded(credential: &str) -> (u16, &str, &str) {
    (200, "forwarded", credential)
}

#[test]
fn every_kind_of_name_is_found_under_its_authority() {
    let (corp, second) = (corp(), ClientAuthority::new("second CA"));
    let stage = stage(&corp, &second, "");
    let unregistered = dns("nobody.corp.test");
    for (names, expected) in [
        (vec![dns(LAPTOP)], forwarded("laptop")),
        (vec![dns("LAPTOP.Corp.Test")], forwarded("laptop")),
        (vec![uri(ROBOT)], forwarded("robot")),
        (vec![email(ANA)], forwarded("ana")),
        (vec![email("Ana@CORP.test")], forwarded("ana")),
        (
            vec![unregistered.clone(), dns(LAPTOP), uri("urn:x")],
            forwarded("laptop"),
        ),
        (
            vec![SanType::IpAddress([127, 0, 0, 1].into()), email(ANA)],
            forwarded("ana"),
        ),
        // One step beside each.
        (vec![unregistered], UNKNOWN),
        (vec![dns("laptop.corp.test.")], UNKNOWN),
        (vec![dns("*.corp.test")], UNKNOWN),
        (vec![uri("spiffe://corp.test/robot")], UNKNOWN),
        (vec![uri(LAPTOP)], UNKNOWN),
        (vec![email("ana@corp.test")], UNKNOWN),
        (vec![dns("twin.corp.test")], UNTRUSTED),
        // Two that are registered, of one kind or of two.
        (
            vec![dns(LAPTOP), dns(OTHER)],
            (401, "certificate_several_names", ""),
        ),
        (
            vec![uri(ROBOT), email(ANA)],
            (401, "certificate_several_names", ""),
        ),
        // Bytes that no name has, wherever they stand.
        (
            vec![dns("laptop.corp.test\0.evil.test")],
            (401, "certificate_name", ""),
        ),
        (
            vec![dns(LAPTOP), dns("a\nb")],
            (401, "certificate_name", ""),
        ),
        (
            vec![email(ANA), uri("urn: x")],
            (401, "certificate_name", ""),
        ),
    ] {
        is(&stage, &corp.issue(&names), expected, &format!("{names:?}"));
    }
    is(
        &stage,
        &second.issue(&[dns("twin.corp.test")]),
        forwarded("twin"),
        "second",
    );
    is(
        &stage,
        &second.issue(&[dns(LAPTOP)]),
        UNTRUSTED,
        "of the wrong CA",
    );
}

/// One change to a certificate of the right CA with the right name.
pub(super) fn with(
    corp: &ClientAuthority,
    change: impl FnOnce(&mut CertificateParams),
) -> ClientCertificate {
    corp.issue_with(|params| {
        params.subject_alt_names.push(dns(LAPTOP));
        change(params);
    })
}

#[test]
fn only_the_authority_itself_vouches_and_only_for_clients() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    let (corp, second) = (corp(), ClientAuthority::new("second CA"));
    let stage = stage(&corp, &second, "");
    let now = stage.edge.clock().now().unix_seconds();
    let usage = |usages: Vec<ExtendedKeyUsagePurpose>| {
        with(&corp, |params| params.extended_key_usages = usages)
    };
    let named_corp = |params: &mut CertificateParams| {
        params.distinguished_name.push(DnType::CommonName, LAPTOP);
    };
    let of_itself = |key: &KeyPair| {
        ClientCertificate::self_signed_with(key, |params| {
            params.subject_alt_names.push(dns(LAPTOP));
            params.extended_key_usages = vec![ClientAuth];
            // It says that the CA has signed it.
            params
                .distinguished_name
                .push(DnType::CommonName, "corp CA");
        })
    };
    let unknown = |params: &mut CertificateParams| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 9999, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    };
    let server = ClientAuthority::new("corp CA").issue(&[dns(LAPTOP)]);
    for (what, certificate, expected) in [
        ("good", with(&corp, |_| ()), forwarded("laptop")),
        (
            "client and server",
            usage(vec![ServerAuth, ClientAuth]),
            forwarded("laptop"),
        ),
        ("for servers", usage(vec![ServerAuth]), UNTRUSTED),
        ("for no use", usage(Vec::new()), UNTRUSTED),
        ("for any use", usage(vec![Any]), UNTRUSTED),
        ("another CA of the same name", server, UNTRUSTED),
        (
            "of itself",
            of_itself(&KeyPair::generate().unwrap()),
            UNTRUSTED,
        ),
        ("common name only", corp.issue_with(named_corp), UNKNOWN),
        (
            "unknown critical extension",
            with(&corp, unknown),
            UNTRUSTED,
        ),
        (
            "expired",
            with(&corp, |params| {
                set_validity(params, (now - 7200, now - 3600))
            }),
            (401, "certificate_expired", ""),
        ),
        (
            "not yet valid",
            with(&corp, |params| {
                set_validity(params, (now + 3600, now + 7200))
            }),
            (401, "certificate_not_yet_valid", ""),
        ),
        // That of the CA itself is nobody's.
        ("the CA's own", corp.own(), UNKNOWN),
    ] {
        is(&stage, &certificate, expected, what);
    }
}

#[test]
fn a_certificate_known_by_its_bytes_is_that_and_nothing_else() {
    let (corp, second) = (corp(), ClientAuthority::new("second CA"));
    let [exact, other, revoked] = [(); 3].map(|()| corp.issue(&[dns(LAPTOP)]));
    let several = corp.issue(&[dns(LAPTOP), dns(OTHER)]);
    let bytes = exact.credential("exact")
        + &several.credential("several")
        + &revoked.credential("gone")
        + "revoked = true\n";
    let stage = stage(&corp, &second, &bytes);
    is(&stage, &exact, forwarded("exact"), "exact");
    is(&stage, &other, forwarded("laptop"), "by name");
    is(&stage, &several, forwarded("several"), "whatever its names");
    // Its name does not let it in again.
    is(&stage, &revoked, (401, "credential_revoked", ""), "revoked");
}

/// Keys that rustls cannot sign with, and clients that people have.
#[test]
fn openssl_and_curl_enter_by_name() {
    let (corp, second) = (corp(), ClientAuthority::new("second CA"));
    let stage = stage(&corp, &second, "");
    let below = corp.below("office CA", |_| ());
    let keys: [&[&str]; 4] = [
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
        &["rsa:2048"],
        &["ed25519"],
    ];
    for key in keys {
        for authority in [&corp, &below] {
            for (name, status, reason) in [
                (LAPTOP, 200, "forwarded"),
                ("no.test", 401, "certificate_unknown"),
            ] {
                let certificate = authority.issue_by_openssl(key, name);
                for version in ["-tls1_2", "-tls1_3"] {
                    let mut command = s_client(&stage.edge, HOST, Some(&certificate));
                    let request = get("/", "Connection: close\r\n");
                    let said = run(command.args(["-ign_eof", version]), &request);
                    let line = format!("HTTP/1.1 {status} ");
                    assert!(said.contains(&line), "{key:?} {version}: {said}");
                    assert_eq!(stage.edge.reason(), reason);
                }
                let said = curl(&stage.edge, Some(&certificate), &[]);
                assert_eq!(said, status.to_string(), "{key:?}");
                assert_eq!(stage.edge.reason(), reason);
            }
        }
    }
    let nobody = showing(&stage.edge, None).ask(get("/", "")).status;
    assert_eq!(nobody, 401);
}
