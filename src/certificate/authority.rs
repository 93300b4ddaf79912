//! Certificates that are known by a name in them, because a CA of the configuration vouches for it (S6.2).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use webpki::{
    ALL_VERIFICATION_ALGS, BorrowedCertRevocationList, Cert, CertRevocationList, EndEntityCert,
    Error, ExpirationPolicy, KeyUsage, RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
    anchor_from_trusted_cert,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::peer::{PeerCertificate, parse, validity};
use super::{CertificateCredential, CertificateError};

/// Certificates of one core whose CA was asked.
const REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// A name in a certificate (RFC 5280 4.2.1.6). Host names, and the host of an address, are in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum San {
    Dns(Box<str>),
    Uri(Box<str>),
    Email(Box<str>),
}

impl San {
    /// From a host name; nothing but printable ASCII, as for the others.
    pub fn dns(name: &str) -> Option<Self> {
        is_name(name).then(|| San::Dns(name.to_ascii_lowercase().into()))
    }

    pub fn uri(name: &str) -> Option<Self> {
        is_name(name).then(|| San::Uri(name.into()))
    }

    /// The part before the `@` keeps its case.
    pub fn email(name: &str) -> Option<Self> {
        let (user, host) = name.split_once('@')?;
        let is_address = is_name(name) && !user.is_empty() && !host.is_empty();
        (is_address && !host.contains('@'))
            .then(|| San::Email(format!("{user}@{}", host.to_ascii_lowercase()).into()))
    }

    pub fn as_str(&self) -> &str {
        match self {
            San::Dns(name) | San::Uri(name) | San::Email(name) => name,
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
}

/// First and last second of a time, since the Unix epoch.
type Window = (u64, u64);

fn is_within((first, last): Window, now_unix: u64) -> bool {
    (first..=last).contains(&now_unix)
}

fn both(one: Window, other: Window) -> Window {
    (one.0.max(other.0), one.1.min(other.1))
}

/// One CA with the names that it may vouch for.
#[derive(Debug)]
pub struct Authority {
    /// Each with the time of its certificate, which webpki does not look at.
    anchors: Vec<(TrustAnchor<'static>, Window)>,
    /// `None`: it publishes no revocations.
    revocations: Option<Vec<CertRevocationList<'static>>>,
    /// First and last second in which all its lists are current.
    current: Window,
    names: HashMap<San, Arc<CertificateCredential>>,
}

/// Why a CA cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityError {
    /// The certificate at this place, from 1, is not that of a CA.
    Certificate(usize),
    /// The list at this place, from 1, cannot be read, or does not say until when it is current.
    Revocations(usize),
}

impl Authority {
    /// `certificates`: those that it signs with; `revocations`: its lists, where it publishes some.
    pub fn new(
        certificates: &[CertificateDer<'_>],
        revocations: Option<&[CertificateRevocationListDer<'_>]>,
    ) -> Result<Self, AuthorityError> {
        let anchors = certificates.iter().enumerate();
        let anchors =
            anchors.map(|(index, der)| anchor(der).ok_or(AuthorityError::Certificate(index + 1)));
        let mut current = (0, u64::MAX);
        let mut lists = Vec::new();
        for (index, der) in revocations.unwrap_or_default().iter().enumerate() {
            let (list, window) = list(der).ok_or(AuthorityError::Revocations(index + 1))?;
            current = both(current, window);
            lists.push(list);
        }
        Ok(Authority {
            anchors: anchors.collect::<Result<_, _>>()?,
            revocations: revocations.map(|_| lists),
            current,
            names: HashMap::new(),
        })
    }

    /// Whether all its lists are current.
    pub fn is_current(&self, now_unix: u64) -> bool {
        is_within(self.current, now_unix)
    }

    /// The place, from 1, of a certificate whose time it is not.
    pub fn outdated(&self, now_unix: u64) -> Option<usize> {
        let mut windows = self.anchors.iter().map(|(_, window)| *window);
        let index = windows.position(|window| !is_within(window, now_unix))?;
        Some(index + 1)
    }

    /// Registers a name; `false`: it is taken, and stays whose it is.
    pub fn register(&mut self, name: San, owner: CertificateCredential) -> bool {
        match self.names.entry(name) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(Arc::new(owner));
                true
            }
        }
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = &Arc<CertificateCredential>> {
        self.names.values()
    }

    /// Whether it vouches for this certificate as a client's (RFC 5280 6): the time in which all that this rests on is
    /// valid.
    fn vouches(
        &self,
        chain: &[CertificateDer<'_>],
        now_unix: u64,
    ) -> Result<Window, CertificateError> {
        let (leaf, between) = chain.split_first().ok_or(CertificateError::Malformed)?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| CertificateError::Untrusted)?;
        let lists: Vec<&CertRevocationList<'_>> = self.revocations.iter().flatten().collect();
        let revocation = match &self.revocations {
            None => None,
            // An empty file covers nobody.
            Some(_) => Some(
                RevocationOptionsBuilder::new(&lists)
                    .map_err(|_| CertificateError::RevocationUnknown)?
                    .with_status_policy(UnknownStatusPolicy::Deny)
                    .with_expiration_policy(ExpirationPolicy::Enforce)
                    .build(),
            ),
        };
        let in_time = self.anchors.iter();
        let in_time = in_time.filter(|(_, window)| is_within(*window, now_unix));
        let (anchors, windows): (Vec<_>, Vec<_>) = in_time.cloned().unzip();
        let path = leaf.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            between,
            UnixTime::since_unix_epoch(Duration::from_secs(now_unix)),
            KeyUsage::client_auth(),
            revocation,
            None,
        );
        let path = path.map_err(|error| because(&error))?;
        let mut window = rests_on(&path, &lists)?;
        for (anchor, of_anchor) in anchors.iter().zip(windows) {
            if anchor == path.anchor() {
                window = both(window, of_anchor);
            }
        }
        Ok(both(window, self.current))
    }
}

/// What webpki does not look at: which keys may sign what (RFC 5280 4.2.1.3), and lists behind the first of their issuer.
/// The time in which all certificates below the CA's own are valid.
fn rests_on(
    path: &VerifiedPath<'_>,
    lists: &[&CertRevocationList<'_>],
) -> Result<Window, CertificateError> {
    let leaf = &**path.end_entity();
    let between = path.intermediate_certificates();
    let mut window = (0, u64::MAX);
    for (certificate, is_leaf) in between.map(|one| (one, false)).chain([(leaf, true)]) {
        if is_listed(lists, certificate) {
            return Err(CertificateError::RevokedByCa);
        }
        let der = certificate.der();
        let parsed = parse(&der)?;
        let may_sign = match parsed.key_usage() {
            Ok(None) => true,
            Ok(Some(usage)) if is_leaf => usage.value.digital_signature(),
            Ok(Some(usage)) => usage.value.key_cert_sign(),
            Err(_) => false,
        };
        if !may_sign {
            return Err(CertificateError::Untrusted);
        }
        window = both(window, validity(&parsed));
    }
    Ok(window)
}

/// Whether any list of its issuer names it: of several webpki asks the first alone.
fn is_listed(lists: &[&CertRevocationList<'_>], certificate: &Cert<'_>) -> bool {
    let mut lists = lists.iter();
    lists.any(|list| {
        list.issuer() == certificate.issuer()
            && !matches!(list.find_serial(certificate.serial()), Ok(None))
    })
}

fn because(error: &Error) -> CertificateError {
    let is_unknown = matches!(
        error,
        Error::CrlExpired { .. }
            | Error::UnknownRevocationStatus
            | Error::InvalidCrlSignatureForPublicKey
            | Error::IssuerNotCrlSigner
    );
    if matches!(error, Error::CertRevoked) {
        CertificateError::RevokedByCa
    } else if is_unknown {
        CertificateError::RevocationUnknown
    } else {
        CertificateError::Untrusted
    }
}

fn anchor(der: &CertificateDer<'_>) -> Option<(TrustAnchor<'static>, Window)> {
    let certificate = parse(der).ok()?;
    if !certificate.is_ca() {
        return None;
    }
    let anchor = anchor_from_trusted_cert(der).ok()?;
    Some((anchor.to_owned(), validity(&certificate)))
}

fn list(der: &CertificateRevocationListDer<'_>) -> Option<(CertRevocationList<'static>, Window)> {
    let (rest, read) = CertificateRevocationList::from_der(der).ok()?;
    let seconds = |moment: i64| u64::try_from(moment).unwrap_or(0);
    let first = seconds(read.last_update().timestamp());
    // At that very second the next one should be there.
    let last = seconds(read.next_update()?.timestamp()).checked_sub(1)?;
    let list = BorrowedCertRevocationList::from_der(der).ok()?;
    let list = CertRevocationList::Owned(list.to_owned().ok()?);
    rest.is_empty().then_some((list, (first, last)))
}

/// The names of a certificate that could be registered. All of its names must be such as names are.
fn names(certificate: &X509Certificate<'_>) -> Result<Vec<San>, CertificateError> {
    let extension = certificate
        .subject_alternative_name()
        .map_err(|_| CertificateError::BadName)?;
    let mut names = Vec::new();
    for name in extension.map_or(&[][..], |extension| &extension.value.general_names) {
        let san = match name {
            GeneralName::DNSName(name) => San::dns(name),
            GeneralName::URI(name) => San::uri(name),
            GeneralName::RFC822Name(name) => San::email(name),
            GeneralName::Invalid(..) => None,
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(..) => continue,
        };
        names.push(san.ok_or(CertificateError::BadName)?);
    }
    Ok(names)
}

/// Whether it says that it is for clients. Silence is not enough: the CA may make certificates for servers too.
fn is_for_clients(certificate: &X509Certificate<'_>) -> bool {
    let usage = certificate.extended_key_usage().ok().flatten();
    usage.is_some_and(|usage| usage.value.client_auth)
}

/// What CAs have said, on one core. Exact: an answer is remembered only while all that it rests on is valid, and
/// forgotten whenever the configuration changes.
#[derive(Debug)]
pub struct CertificateCache {
    /// By the hash of all that was presented: the owner, and first and last second of the answer.
    known: LruCache<[u8; 32], (Arc<CertificateCredential>, Window)>,
}

impl Default for CertificateCache {
    fn default() -> Self {
        CertificateCache {
            known: LruCache::new(REMEMBERED_MAX),
        }
    }
}

impl CertificateCache {
    pub(super) fn knows(&self, peer: &PeerCertificate) -> bool {
        self.known.contains(peer.whole())
    }

    /// Whose a certificate is by what CAs say.
    pub(super) fn owner(
        &mut self,
        authorities: &[Authority],
        peer: &PeerCertificate,
        now_unix: u64,
    ) -> Result<Arc<CertificateCredential>, CertificateError> {
        if let Some((owner, window)) = self.known.get(peer.whole())
            && is_within(*window, now_unix)
        {
            return Ok(owner.clone());
        }
        let (owner, window) = found(authorities, peer, now_unix)?;
        self.known.put(*peer.whole(), (owner.clone(), window));
        Ok(owner)
    }
}

/// The one name that a CA vouches for and that is registered there, and the time in which this holds. A CA is asked only
/// for a name that it has.
fn found(
    authorities: &[Authority],
    peer: &PeerCertificate,
    now_unix: u64,
) -> Result<(Arc<CertificateCredential>, Window), CertificateError> {
    let leaf = peer.chain().first().ok_or(CertificateError::Malformed)?;
    let leaf = parse(leaf)?;
    if authorities.is_empty() {
        return Err(CertificateError::Unknown);
    }
    let names = names(&leaf)?;
    let mut failure = CertificateError::Unknown;
    let mut owners = Vec::new();
    for authority in authorities {
        let registered: Vec<_> = names
            .iter()
            .filter_map(|name| authority.names.get(name))
            .collect();
        if registered.is_empty() {
            continue;
        }
        if !is_for_clients(&leaf) {
            failure = CertificateError::Untrusted;
            continue;
        }
        match authority.vouches(peer.chain(), now_unix) {
            Ok(window) => owners.extend(registered.into_iter().map(|owner| (owner, window))),
            Err(error) => failure = error,
        }
    }
    match owners.as_slice() {
        [] => Err(failure),
        [(owner, window)] => Ok((Arc::clone(owner), *window)),
        _ => Err(CertificateError::SeveralNames),
    }
}
