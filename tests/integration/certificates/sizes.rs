//! Large certificates, long chains, and none at all.

use rcgen::{CustomExtension, KeyPair};
use rustls::sign::CertifiedKey;

use crate::stage::{Stage, get};
use crate::support::client_certificate::dns;
use crate::support::{
    Client, ClientAuthority, ClientCertificate, HOST, TlsOptions, Tunnel, Upstream, ok,
};

use super::hostile::is_well;
use super::{VERSIONS, named, over_tls, stage};

/// One with so many bytes in an extension that nobody looks at.
fn of_size(bytes: usize) -> ClientCertificate {
    ClientCertificate::self_signed_with(&KeyPair::generate().unwrap(), |params| {
        let content = vec![4; bytes];
        let large = CustomExtension::from_oid_content(&[1, 3, 9999, 1], content);
        params.custom_extensions.push(large);
    })
}

/// The status, where the handshake came to an end on both sides.
fn status(stage: &Stage, options: &TlsOptions) -> Option<u16> {
    let config = options.config(stage.edge.authority().roots());
    let mut client = Client::tls(stage.edge.https(), config, HOST).ok()?;
    client.try_send(get("/", "").as_bytes()).ok()?;
    let answer = client.try_response().ok()?;
    if answer.status == 200 {
        stage.upstream.next_request();
    }
    Some(answer.status)
}

#[test]
fn large_certificates_and_long_chains_are_read_or_refused() {
    let corp = ClientAuthority::new("corp CA");
    let registered = ClientCertificate::self_signed();
    let (large, unknown) = (of_size(15_000), of_size(15_000));
    let mut chained = registered.clone();
    chained
        .chain
        .extend((0..19).map(|_| ClientCertificate::self_signed().chain[0].clone()));
    let mut garbage = registered.clone();
    garbage
        .chain
        .extend((0..19).map(|number| vec![number; 300].into()));
    let tables = registered.credential("laptop")
        + &large.credential("large")
        + "[[client_ca]]\nname = \"corp\"\nca_file = \"corp.pem\"\n"
        + &named("named", "corp", "san_dns = \"laptop.corp.test\"");
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = over_tls()
        .tunnel(Tunnel::certified(HOST, &upstream))
        .file("corp.pem", &corp.pem())
        .tables(&tables)
        .start();
    let stage = Stage { edge, upstream };
    // Nineteen below each other, which is further than a CA is followed.
    let mut deep = corp.below("CA 0", |_| ());
    for number in 1..19 {
        deep = deep.below(&format!("CA {number}"), |_| ());
    }
    let deep = deep.issue(&[dns("laptop.corp.test")]);
    // As many that all look like the next one.
    let mut alike = ClientAuthority::new("corp CA").issue(&[dns("laptop.corp.test")]);
    let same = (0..19).map(|_| ClientAuthority::new("corp CA").own().chain[0].clone());
    alike.chain.extend(same);
    for version in VERSIONS {
        for (what, certificate, expected) in [
            ("large", &large, 200),
            ("large and unknown", &unknown, 401),
            ("a chain that nobody needs", &chained, 200),
            ("a chain of nonsense", &garbage, 200),
            ("too deep", &deep, 401),
            ("alike", &alike, 401),
        ] {
            let options = TlsOptions::new(HOST).version(version).showing(certificate);
            assert_eq!(
                status(&stage, &options),
                Some(expected),
                "{what} {version:?}"
            );
        }
        // More than a handshake message may have.
        let options = TlsOptions::new(HOST)
            .version(version)
            .showing(&of_size(80_000));
        assert_eq!(status(&stage, &options), None);
        // A message without a certificate.
        let empty = TlsOptions {
            client_certificate: Some(CertifiedKey::new(Vec::new(), registered.signing_key())),
            ..TlsOptions::new(HOST).version(version)
        };
        assert_ne!(status(&stage, &empty), Some(200));
        let none = TlsOptions::new(HOST).version(version);
        assert_eq!(status(&stage, &none), Some(401));
        // One that is empty itself.
        let hollow = ClientCertificate {
            chain: vec![Vec::new().into()],
            ..registered.clone()
        };
        let options = TlsOptions::new(HOST).version(version).showing(&hollow);
        assert_ne!(status(&stage, &options), Some(200));
    }
    is_well(&stage, &registered);
}

/// They would be kept with the connection of somebody whom nobody has asked yet who he is.
#[test]
fn more_than_is_kept_for_a_connection_is_refused_in_the_handshake() {
    let registered = ClientCertificate::self_signed();
    let (large, larger, huge) = (of_size(15_000), of_size(17_000), of_size(60_000));
    let credentials = [&registered, &large, &larger, &huge]
        .into_iter()
        .enumerate()
        .map(|(number, certificate)| certificate.credential(&format!("key-{number}")));
    let stage = stage(&credentials.collect::<String>());
    let followed_by = |count: u8| {
        let mut many = registered.clone();
        many.chain
            .extend((0..count).map(|byte| vec![byte; 300].into()));
        many
    };
    for version in VERSIONS {
        for (certificate, is_kept) in [
            (&large, true),
            (&larger, false),
            (&huge, false),
            (&followed_by(50), true),
            (&followed_by(60), false),
        ] {
            let options = TlsOptions::new(HOST).version(version).showing(certificate);
            let (expected, reason) = if is_kept {
                (Some(200), "forwarded")
            } else {
                (None, "certificate_too_large")
            };
            assert_eq!(status(&stage, &options), expected, "{version:?}");
            assert_eq!(stage.edge.reason(), reason, "{version:?}");
        }
    }
    is_well(&stage, &registered);
}
