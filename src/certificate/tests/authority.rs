//! What a CA vouches for (S6.2).

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateRevocationListDer;

use super::*;

/// A CA that can sign.
struct Ca {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Ca {
    fn new(name: &str) -> Ca {
        let (params, key) = (ca_params(name), KeyPair::generate().unwrap());
        let der = params.self_signed(&key).unwrap().der().clone();
        Ca {
            der,
            issuer: Issuer::new(params, key),
        }
    }

    /// A CA below this one.
    fn below(&self, change: impl FnOnce(&mut CertificateParams)) -> Ca {
        let (mut params, key) = (ca_params("between"), KeyPair::generate().unwrap());
        change(&mut params);
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Ca {
            der,
            issuer: Issuer::new(params, key),
        }
    }

    /// A client's certificate with these names.
    fn client(
        &self,
        names: &[SanType],
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        let mut params = params("client");
        params.subject_alt_names = names.to_vec();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(7_u64));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.issuer).unwrap().der().clone()
    }

    /// Its list, current for all of 2023.
    fn list(&self, serials: &[u64]) -> CertificateRevocationListDer<'static> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2023, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2023, 1, 1),
            next_update: date_time_ymd(2024, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().clone()
    }
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn email(name: &str) -> SanType {
    SanType::Rfc822Name(name.try_into().unwrap())
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

/// The CA with three names registered.
fn registered(ca: &Ca, lists: Option<&[CertificateRevocationListDer<'_>]>) -> Authority {
    let mut authority = Authority::new(std::slice::from_ref(&ca.der), lists).unwrap();
    for (name, id) in [
        (San::dns("Bot.example.com"), "dns"),
        (San::uri("spiffe://example.com/bot"), "uri"),
        (San::email("Ana@Example.com"), "email"),
    ] {
        assert!(authority.register(name.unwrap(), owner(id)));
    }
    assert!(!authority.register(San::dns("bot.example.com").unwrap(), owner("again")));
    authority
}

type Verdict = Result<String, CertificateError>;

fn asked(all: &Certificates, chain: &[&CertificateDer<'_>], now: u64) -> Verdict {
    let chain: Vec<CertificateDer<'_>> = chain.iter().map(|der| (*der).clone()).collect();
    let peer = PeerCertificate::read(&chain).unwrap();
    let owner = all.owner(&peer, now, &mut CertificateCache::default());
    owner.map(|owner| owner.bounds.id.to_string())
}

fn verdict(ca: &Ca, chain: &[&CertificateDer<'_>]) -> Verdict {
    let all = Certificates::new([], vec![registered(ca, None)]);
    asked(&all, chain, NOW)
}

fn ok(id: &str) -> Verdict {
    Ok(id.to_owned())
}

#[test]
fn one_registered_name_of_any_kind_says_whose_it_is() {
    let ca = Ca::new("ca");
    for (names, expected) in [
        (vec![dns("bot.example.com")], ok("dns")),
        (vec![dns("BOT.example.COM")], ok("dns")),
        (vec![uri("spiffe://example.com/bot")], ok("uri")),
        (vec![email("Ana@example.com")], ok("email")),
        (
            vec![dns("other.example.com"), dns("bot.example.com")],
            ok("dns"),
        ),
        // One step outside.
        (
            vec![email("ana@example.com")],
            Err(CertificateError::Unknown),
        ),
        (
            vec![uri("spiffe://example.com/Bot")],
            Err(CertificateError::Unknown),
        ),
        (vec![uri("bot.example.com")], Err(CertificateError::Unknown)),
        (vec![dns("*.example.com")], Err(CertificateError::Unknown)),
        (
            vec![dns("bot.example.com.")],
            Err(CertificateError::Unknown),
        ),
        (vec![], Err(CertificateError::Unknown)),
        (
            vec![dns("bot.example.com"), uri("spiffe://example.com/bot")],
            Err(CertificateError::SeveralNames),
        ),
        (
            vec![dns("bot.example.com"), dns("bot.example.com")],
            Err(CertificateError::SeveralNames),
        ),
        (
            vec![dns("bot.example.com"), dns("a\0b")],
            Err(CertificateError::BadName),
        ),
        (
            vec![dns("bot.example.com"), email("a b@example.com")],
            Err(CertificateError::BadName),
        ),
    ] {
        let leaf = ca.client(&names, |_| ());
        assert_eq!(verdict(&ca, &[&leaf]), expected, "{names:?}");
    }
}

#[test]
fn the_common_name_and_another_s_signature_say_nothing() {
    let ca = Ca::new("ca");
    let name = [dns("bot.example.com")];
    let common = ca.client(&[], |params| {
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "bot.example.com");
    });
    assert_eq!(verdict(&ca, &[&common]), Err(CertificateError::Unknown));
    for stranger in [Ca::new("ca"), Ca::new("other")] {
        let leaf = stranger.client(&name, |_| ());
        for chain in [vec![&leaf], vec![&leaf, &stranger.der]] {
            let refused = Err(CertificateError::Untrusted);
            assert_eq!(verdict(&ca, &chain), refused);
        }
    }
    let own = made(|params| {
        params.subject_alt_names = name.to_vec();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_eq!(verdict(&ca, &[&own]), Err(CertificateError::Untrusted));
}

#[test]
fn a_certificate_must_be_for_clients_and_within_what_its_ca_may_name() {
    let ca = Ca::new("ca");
    let name = [dns("bot.example.com")];
    let uses = |usages: &[ExtendedKeyUsagePurpose]| {
        let leaf = ca.client(&name, |params| params.extended_key_usages = usages.to_vec());
        verdict(&ca, &[&leaf])
    };
    let (client, server) = (
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    );
    assert_eq!(uses(&[server.clone(), client]), ok("dns"));
    assert_eq!(uses(&[server]), Err(CertificateError::Untrusted));
    assert_eq!(uses(&[]), Err(CertificateError::Untrusted));
    assert_eq!(
        uses(&[ExtendedKeyUsagePurpose::Any]),
        Err(CertificateError::Untrusted)
    );
    for (permitted, expected) in [
        ("example.com", ok("dns")),
        ("example.net", Err(CertificateError::Untrusted)),
    ] {
        let between = ca.below(|params| {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: vec![GeneralSubtree::DnsName(permitted.to_owned())],
                excluded_subtrees: Vec::new(),
            });
        });
        let leaf = between.client(&name, |_| ());
        assert_eq!(
            verdict(&ca, &[&leaf, &between.der]),
            expected,
            "{permitted}"
        );
        assert_eq!(verdict(&ca, &[&leaf]), Err(CertificateError::Untrusted));
    }
}

#[test]
fn a_list_that_is_current_says_what_is_revoked_and_without_one_nothing_is_known() {
    let ca = Ca::new("ca");
    let leaf = ca.client(&[dns("bot.example.com")], |_| ());
    let with = |lists: &[CertificateRevocationListDer<'_>], now| {
        let all = Certificates::new([], vec![registered(&ca, Some(lists))]);
        asked(&all, &[&leaf], now)
    };
    let unknown = Err(CertificateError::RevocationUnknown);
    let next = 1_704_067_200;
    assert_eq!(with(&[ca.list(&[8])], NOW), ok("dns"));
    assert_eq!(with(&[ca.list(&[8])], next - 1), ok("dns"));
    assert_eq!(with(&[ca.list(&[8])], next), unknown);
    assert_eq!(
        with(&[ca.list(&[7])], NOW),
        Err(CertificateError::RevokedByCa)
    );
    assert_eq!(with(&[], NOW), unknown);
    // A list of somebody else's says nothing, whatever name it has.
    assert_eq!(with(&[Ca::new("other").list(&[])], NOW), unknown);
    assert_eq!(with(&[Ca::new("ca").list(&[])], NOW), unknown);
    let broken = CertificateRevocationListDer::from(&b"0"[..]);
    let certificates = std::slice::from_ref(&ca.der);
    assert_eq!(
        Authority::new(certificates, Some(&[ca.list(&[]), broken])).unwrap_err(),
        AuthorityError::Revocations(2)
    );
    assert_eq!(
        Authority::new(&[ca.der.clone(), leaf], None).unwrap_err(),
        AuthorityError::Certificate(2)
    );
}

/// An answer lives no longer than what it rests on: here a certificate between, and a list.
#[test]
fn what_a_ca_said_is_remembered_only_while_it_is_true() {
    let ca = Ca::new("ca");
    let between = ca.below(|params| params.not_after = date_time_ymd(2023, 12, 1));
    let leaf = between.client(&[dns("bot.example.com")], |_| ());
    let chain = [leaf, between.der.clone()];
    let peer = PeerCertificate::read(&chain).unwrap();
    let lists = [ca.list(&[]), between.list(&[])];
    let all = Certificates::new([], vec![registered(&ca, Some(&lists))]);
    let mut cache = CertificateCache::default();
    let mut warm = |now| {
        all.owner(&peer, now, &mut cache)
            .map(|owner| owner.bounds.id.to_string())
    };
    let end = 1_701_388_800; // of the certificate between
    for now in [NOW, end, NOW, end + 1, end, end + 1] {
        let chain = [&chain[0], &chain[1]];
        assert_eq!(warm(now), asked(&all, &chain, now), "{now}");
    }
    assert!(all.is_expensive(&peer, &CertificateCache::default()));
    assert!(!all.is_expensive(&peer, &cache));
}

#[test]
fn bytes_win_over_names() {
    let ca = Ca::new("ca");
    let leaf = ca.client(&[dns("bot.example.com")], |_| ());
    let peer = PeerCertificate::read(std::slice::from_ref(&leaf)).unwrap();
    let by_bytes = [(*peer.fingerprint(), owner("bytes"))];
    let all = Certificates::new(by_bytes, vec![registered(&ca, None)]);
    assert_eq!(asked(&all, &[&leaf], NOW), ok("bytes"));
    assert!(!all.is_expensive(&peer, &CertificateCache::default()));
    let twin = ca.client(&[dns("bot.example.com")], |_| ());
    assert_eq!(asked(&all, &[&twin], NOW), ok("dns"));
    let mut ids: Vec<_> = all
        .owners()
        .map(|owner| owner.bounds.id.to_string())
        .collect();
    ids.sort();
    assert_eq!(ids, ["bytes", "dns", "email", "uri"]);
}
