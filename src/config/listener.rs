//! `[https]`, `[http]` and `[admin]`: where this process listens, and which addresses are therefore its own.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use super::certificate;
use super::credential_file;
use super::field::{At, Field};
use super::problem::Findings;
use super::reader::Reader;
use super::settings::{Admin, AdminListen, Http, HttpMode, Https, TlsVersion};
use super::written::Node;
use crate::http::host::CanonicalHost;
use crate::limits::ADMIN_TOKEN_BYTES_MIN;
use crate::policy::client_address::Trust;
use crate::secret::Secret;

/// Every address this process is going to listen on.
pub(super) struct Listeners<'a> {
    claimed: RefCell<Vec<At<SocketAddr>>>,
    findings: &'a Findings,
}

impl<'a> Listeners<'a> {
    pub(super) fn new(findings: &'a Findings) -> Self {
        Listeners {
            claimed: RefCell::default(),
            findings,
        }
    }

    /// Takes an address for a listener; a second claim to it is reported. Port 0 is a new port each time.
    fn claim(&self, at: At<SocketAddr>) -> bool {
        let mut claimed = self.claimed.borrow_mut();
        let first = claimed
            .iter()
            .find(|first| first.value == at.value && at.value.port() != 0);
        if let Some(first) = first {
            let message = format!(
                "{} is already taken by {} at {}",
                at.value, first.spot.key, first.spot.place
            );
            self.findings.error(&at.spot, message);
            return false;
        }
        claimed.push(at);
        true
    }

    /// The key and address of the listener that a connection to `address` would reach.
    pub(super) fn behind(&self, address: SocketAddr) -> Option<(String, SocketAddr)> {
        let claimed = self.claimed.borrow();
        let own = claimed.iter().find(|own| reaches(address, own.value))?;
        Some((own.spot.key.clone(), own.value))
    }
}

/// Whether a connection to `address` would reach a listener of this machine on `listener`.
pub fn reaches(address: SocketAddr, listener: SocketAddr) -> bool {
    if listener.port() == 0 || address.port() != listener.port() {
        return false;
    }
    let (to, own) = (address.ip().to_canonical(), listener.ip().to_canonical());
    // A connection to 0.0.0.0 or [::] goes to the loopback address.
    let to_loopback = to.is_loopback() || to.is_unspecified();
    to == own
        || (own.is_unspecified() && (to_loopback || is_of_this_machine(to)))
        || (to.is_unspecified() && own.is_loopback())
}

/// Whether the address belongs to an interface of this machine: then the kernel picks it as the source of packets to
/// it. Connecting a datagram socket sends none.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == ip)
}

/// `[https]`.
pub(super) fn https(root: &Reader<'_>, listeners: &Listeners<'_>) -> Field<Https> {
    let known = &["listen", "public_port", "tls_min_version", "certificate"];
    root.table("https", known).then(|at| {
        let table = &at.value;
        let listen = addresses(table, listeners, "listen = [\"0.0.0.0:443\", \"[::]:443\"]");
        let public_port = table.integer("public_port", 1..=65535).optional();
        let versions = [("tls1.2", TlsVersion::Tls12), ("tls1.3", TlsVersion::Tls13)];
        let tls_min_version = table
            .word("tls_min_version", &versions)
            .or(TlsVersion::Tls12);
        let certificates = certificate::certificates(table);
        let public_port = public_port?.map(|at| at.value);
        Some(Https {
            listen: listen?.into_iter().map(|at| at.value).collect(),
            public_port: public_port.and_then(|port| u16::try_from(port).ok()),
            tls_min_version: tls_min_version?,
            certificates: certificates?,
        })
    })
}

/// `[http]`. `trust`: whose word is taken, if that is known.
pub(super) fn http(
    root: &Reader<'_>,
    listeners: &Listeners<'_>,
    trust: Option<&Trust>,
) -> Field<Http> {
    let known = &["listen", "mode", "behind_tls_balancer"];
    root.table("http", known).then(|at| {
        let table = &at.value;
        let listen = addresses(table, listeners, "listen = [\"0.0.0.0:80\"]");
        let modes = [("redirect", HttpMode::Redirect), ("serve", HttpMode::Serve)];
        let mode = table.word("mode", &modes).or(HttpMode::Redirect);
        let behind_tls_balancer = table.boolean("behind_tls_balancer").or(false);
        let (listen, mode, behind_tls_balancer) = (listen?, mode?, behind_tls_balancer?);
        let is_safe = if behind_tls_balancer {
            has_balancers(table, mode, trust)
        } else {
            mode == HttpMode::Redirect || all_loopback(table, &listen)
        };
        is_safe.then(|| Http {
            listen: listen.into_iter().map(|at| at.value).collect(),
            mode,
            behind_tls_balancer,
        })
    })
}

/// Whether it is said which peers are balancers: nobody else may connect (S6.3).
fn has_balancers(table: &Reader<'_>, mode: HttpMode, trust: Option<&Trust>) -> bool {
    let message = if mode == HttpMode::Redirect {
        "says who may be served without TLS, and mode = \"redirect\" serves nobody: write mode = \"serve\", or remove it"
    } else if trust.is_some_and(Trust::is_empty) {
        "nobody could connect without [client_address]: list the balancer in proxy_protocol_from, or in forwarded_from"
    } else {
        return true;
    };
    let spot = table.spot_of("behind_tls_balancer");
    table.findings.error(&spot, message);
    false
}

/// Credentials would cross the network in the clear (S6.3).
fn all_loopback(table: &Reader<'_>, listen: &[At<SocketAddr>]) -> bool {
    let mut all = true;
    for at in listen {
        if !at.value.ip().to_canonical().is_loopback() {
            let message = format!(
                "mode = \"serve\" would take tokens in the clear on {}: listen on 127.0.0.1 or [::1], or use [https], or write behind_tls_balancer = true where a balancer ends TLS",
                at.value
            );
            table.findings.error(&at.spot, message);
            all = false;
        }
    }
    all
}

fn addresses(
    table: &Reader<'_>,
    listeners: &Listeners<'_>,
    example: &str,
) -> Option<Vec<At<SocketAddr>>> {
    let expected = "an address and a port such as \"0.0.0.0:443\" or \"[::]:443\"";
    let listen = table
        .list("listen", expected, address)
        .required(table.findings, example)?;
    if listen.value.is_empty() {
        let message = format!("an empty list listens nowhere; write {example}");
        table.findings.error(&listen.spot, message);
        return None;
    }
    let mut all_free = true;
    for at in &listen.value {
        all_free &= listeners.claim(at.clone());
    }
    all_free.then_some(listen.value)
}

fn address(node: &Node) -> Option<SocketAddr> {
    node.text()?.parse().ok()
}

/// `[admin]`.
pub(super) fn admin(root: &Reader<'_>, listeners: &Listeners<'_>) -> Field<Admin> {
    let known = &[
        "listen",
        "bearer_token",
        "bearer_token_file",
        "open_on_loopback",
        "hosts",
    ];
    root.table("admin", known).then(|at| {
        let table = &at.value;
        let expected =
            "an address and a port such as \"127.0.0.1:9090\", or \"unix:/run/adit/admin.sock\"";
        let listen = table
            .value("listen", expected, |node| admin_listen(node.text()?))
            .required(table.findings, "listen = \"127.0.0.1:9090\"");
        let token = credential_file::secret(table, "bearer_token")
            .then(|at| usable_token(table, at))
            .optional();
        let open = table.boolean("open_on_loopback").optional();
        let expected = "a host name or an address without a port, such as \"admin.example.com\"";
        let hosts = table.list("hosts", expected, |node| admin_host(node.text()?));
        let (hosts, open) = (hosts.optional()?, open?);
        let (listen, token) = (listen?, token?.map(|at| at.value));
        if let AdminListen::Tcp(address) = listen.value {
            let spot = listen.spot.clone();
            let claim = At {
                value: address,
                spot,
            };
            if !listeners.claim(claim)
                || !guarded(table, &listen, address, token.is_some())
                || !open_where_it_may(table, open.as_ref(), address)
            {
                return None;
            }
        }
        Some(Admin {
            listen: listen.value,
            bearer_token: token,
            open_on_loopback: open.is_some_and(|at| at.value),
            hosts: hosts.map_or_else(Vec::new, |at| {
                at.value.into_iter().map(|at| at.value).collect()
            }),
        })
    })
}

fn admin_listen(written: &str) -> Option<AdminListen> {
    match written.strip_prefix("unix:") {
        Some(path) => Path::new(path)
            .is_absolute()
            .then(|| AdminListen::Unix(PathBuf::from(path))),
        None => written.parse().ok().map(AdminListen::Tcp),
    }
}

fn guarded(
    table: &Reader<'_>,
    listen: &At<AdminListen>,
    address: SocketAddr,
    has_token: bool,
) -> bool {
    if has_token || address.ip().to_canonical().is_loopback() {
        return true;
    }
    let message = format!(
        "{address} can be reached from other machines: add bearer_token_file, or listen on 127.0.0.1"
    );
    table.findings.error(&listen.spot, message);
    false
}

/// A page without a token must not be within reach of other machines (S10.4).
fn open_where_it_may(table: &Reader<'_>, open: Option<&At<bool>>, address: SocketAddr) -> bool {
    let Some(open) = open.filter(|open| open.value) else {
        return true;
    };
    if address.ip().to_canonical().is_loopback() {
        return true;
    }
    let message = format!(
        "{address} can be reached from other machines, which would see the status page without a token: remove it, or listen on 127.0.0.1"
    );
    table.findings.error(&open.spot, message);
    false
}

fn admin_host(written: &str) -> Option<CanonicalHost> {
    let (host, port) = CanonicalHost::parse_authority(written.as_bytes()).ok()?;
    port.is_none().then_some(host)
}

/// What can be sent in `Authorization: Bearer` (RFC 6750 2.1).
fn usable_token(table: &Reader<'_>, at: &At<Secret>) -> Option<Secret> {
    let token = at.value.expose();
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let message = if !token.iter().all(allowed) {
        "the token has characters that cannot be sent in a header (allowed: A-Z a-z 0-9 - . _ ~ + / =): openssl rand -hex 32".to_owned()
    } else if token.len() < ADMIN_TOKEN_BYTES_MIN {
        let length = token.len();
        format!(
            "the token has {length} bytes and needs at least {ADMIN_TOKEN_BYTES_MIN}: openssl rand -hex 32"
        )
    } else {
        return Some(at.value.clone());
    };
    table.findings.error(&at.spot, message);
    None
}

#[cfg(test)]
mod tests {
    use super::reaches;

    #[test]
    fn own_listeners_are_recognised() {
        for (to, own, reached) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:81", "127.0.0.1:80", false),
            ("127.0.0.2:80", "127.0.0.1:80", false),
            ("127.0.0.2:80", "0.0.0.0:80", true),
            ("127.0.0.1:80", "[::]:80", true),
            ("[::1]:80", "[::]:80", true),
            ("[::1]:80", "0.0.0.0:80", true),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "0.0.0.0:80", true),
            // TEST-NET-1 (RFC 5737) is on no machine.
            ("192.0.2.1:80", "0.0.0.0:80", false),
            ("192.0.2.1:80", "192.0.2.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:0", false),
        ] {
            let verdict = reaches(to.parse().unwrap(), own.parse().unwrap());
            assert_eq!(verdict, reached, "{to} {own}");
        }
    }
}
