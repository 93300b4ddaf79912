//! What changes reaches open connections at their next request, on every core (S1.3, rstream 10.2).

use std::time::Duration;

use rcgen::KeyPair;
use serde_json::json;

use crate::stage::{Stage, bearer, get};
use crate::support::client_certificate::{dns, set_validity};
use crate::support::{
    Client, ClientAuthority, ClientCertificate, Edge, Ending, HOST, Setup, TlsOptions, Tunnel,
    Upstream, ok,
};

use super::{PATIENT, VERSIONS, connected, over_tls, showing};

/// Open connections, at least two to every core.
pub(super) fn on_every_core(edge: &Edge, certificate: Option<&ClientCertificate>) -> Vec<Client> {
    let mut seen = vec![0; edge.engine().reports().len()];
    let mut clients = Vec::new();
    while seen.iter().any(|count| *count < 2) {
        assert!(clients.len() < 128, "{seen:?}");
        let mut client = showing(edge, certificate);
        let nobody = client.ask("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
        assert_eq!(nobody.status, 421);
        let core = edge.log_line()["core"].as_u64().unwrap();
        seen[usize::try_from(core).unwrap()] += 1;
        clients.push(client);
    }
    clients
}

/// Every one of these connections is answered so. The log is read at the end: each line takes its time.
pub(super) fn answered(
    edge: &Edge,
    clients: &mut [Client],
    request: &str,
    (status, reason): (u16, &str),
) {
    for client in clients.iter_mut() {
        assert_eq!(client.ask(request).status, status, "{reason}");
    }
    for _ in clients {
        assert_eq!(edge.reason(), reason);
    }
}

#[test]
fn whether_a_tunnel_asks_for_certificates_is_a_matter_of_the_handshake() {
    let upstream = Upstream::serving(|_| ok("inside"));
    let registered = ClientCertificate::self_signed();
    let tunnel = Tunnel::guarded(HOST, &upstream);
    let (asks, asks_not) = (tunnel.clone().line("mtls_auth = true"), tunnel);
    let mut edge = over_tls()
        .cores(2)
        .tunnel(asks_not.clone())
        .tables(&registered.credential("laptop"))
        .start();
    let token = bearer(&edge.token(|_| ()));
    let outdated = |edge: &Edge, clients: &mut [Client]| {
        for client in clients {
            // What stands behind the refused request is not read.
            client.send(format!("{}{}", get("/", &token), get("/behind", &token)));
            let answer = client.response();
            assert_eq!((answer.status, answer.closes()), (421, true));
            client.assert_closed();
            assert_eq!(edge.reason(), "handshake_outdated");
        }
    };
    let good = (200, "forwarded");
    for _ in 0..2 {
        let mut clients = on_every_core(&edge, Some(&registered));
        answered(&edge, &mut clients, &get("/", &token), good);
        edge.reload(|setup| setup.without_tunnels().tunnel(asks.clone()));
        outdated(&edge, &mut clients);
        let mut clients = on_every_core(&edge, Some(&registered));
        answered(&edge, &mut clients, &get("/", ""), good);
        let ambiguous = (401, "ambiguous_proofs");
        answered(&edge, &mut clients, &get("/", &token), ambiguous);
        // Who has no certificate was asked for one as well.
        clients.extend(on_every_core(&edge, None));
        edge.reload(|setup| setup.without_tunnels().tunnel(asks_not.clone()));
        outdated(&edge, &mut clients);
    }
    let all: Vec<u8> = (0..upstream.connections())
        .flat_map(|connection| upstream.bytes(connection))
        .collect();
    assert!(memchr::memmem::find(&all, b"/behind").is_none());
}

/// A request whose head came in part before the change is judged by what holds when it is whole. One that was let through
/// before goes on while it would still be, and is cut off within its body where it would not (S5.7).
#[test]
fn a_request_under_way_ends_where_it_would_not_be_let_in() {
    let upstream = Upstream::serving(|request| ok(&request.body));
    let registered = ClientCertificate::self_signed();
    let mut edge = over_tls()
        .tunnel(Tunnel::public(HOST, &upstream))
        .tables(&registered.credential("laptop"))
        .start();
    let [mut begun, mut half] = [(); 2].map(|()| showing(&edge, Some(&registered)));
    begun.send(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nin"
    ));
    // The upstream has its head: it was let through.
    crate::support::eventually("the head arrives", || {
        upstream.connections() == 1 && upstream.bytes(0).ends_with(b"in")
    });
    half.send(format!("GET /half HTTP/1.1\r\nHost: {HOST}\r\n"));
    edge.settle();
    edge.reload(|setup| setup.tables("# the same"));
    begun.send("t");
    crate::support::eventually("more of it arrives", || upstream.bytes(0).ends_with(b"int"));
    edge.reload(|setup| {
        setup
            .without_tunnels()
            .tunnel(Tunnel::certified(HOST, &upstream))
    });
    assert!(begun.read_to_end().0.is_empty());
    let line = edge.log_line();
    assert_eq!(line["reason"], "permission_ended", "{line}");
    assert_eq!(line["detail"], "handshake_outdated", "{line}");
    half.send("\r\n");
    assert_eq!(half.response().status, 421);
    assert_eq!(edge.reason(), "handshake_outdated");
    assert_eq!(upstream.connections(), 1);
}

/// What is done, and what it makes of a certificate that was good before.
type Way = (&'static str, Box<dyn Fn(Setup) -> Setup>, u16, &'static str);

fn ways(taken: &str, kept: &str, other: &ClientCertificate, upstream: &Upstream) -> Vec<Way> {
    let tables = |text: String| {
        let kept = kept.to_owned();
        let change = move |setup: Setup| {
            let setup = setup.without_tables().tables(PATIENT);
            setup.tables(AUTHORITY).tables(&kept).tables(&text)
        };
        Box::new(change) as Box<dyn Fn(Setup) -> Setup>
    };
    let plus = |line: &str| tables(format!("{taken}{line}\n"));
    let boundary = |path: &str| {
        plus(&format!(
            "[credential.resources.tunnels]\nprojects = [\"proj-1\"]\n\
             [credential.resources.tunnels.scopes.tunnels.connect.params.path]\nexact = \"{path}\"\n"
        ))
    };
    let elsewhere = Tunnel::certified(HOST, upstream).in_project("proj-2");
    vec![
        ("revoked", plus("revoked = true"), 401, "credential_revoked"),
        ("removed", tables(String::new()), 401, "certificate_unknown"),
        (
            "listed",
            Box::new(|setup| setup.file("revoked", "taken\n")),
            401,
            "credential_revoked",
        ),
        (
            "replaced",
            tables(other.credential("taken")),
            401,
            "certificate_unknown",
        ),
        (
            "no permission",
            plus("permissions = []"),
            403,
            "permission_missing",
        ),
        (
            "another permission",
            plus("permissions = [\"tunnels.read\"]"),
            403,
            "permission_missing",
        ),
        ("boundary", boundary("/other"), 403, "path_outside_boundary"),
        (
            "project",
            Box::new(move |setup| setup.without_tunnels().tunnel(elsewhere.clone())),
            403,
            "project_not_owned",
        ),
    ]
}

/// Its file is there in every one of these configurations.
const AUTHORITY: &str = "[[client_ca]]\nname = \"corp\"\nca_file = \"corp.pem\"\n[[project]]\nid = \"proj-2\"\nworkspace = \"ws-2\"\n";

#[test]
fn what_is_taken_back_is_so_on_every_core_and_nothing_else_is() {
    let authority = ClientAuthority::new("corp");
    let by_name = "[[credential]]\nid = \"taken\"\nkind = \"mtls\"\nclient_ca = \"corp\"\nsan_dns = \"laptop.corp.test\"\nprojects = [\"proj-1\"]\n";
    let by_bytes = ClientCertificate::self_signed();
    let named = authority.issue(&[dns("laptop.corp.test")]);
    let [kept, other] = [(); 2].map(|()| ClientCertificate::self_signed());
    for (taken, credential) in [
        (&by_bytes, by_bytes.credential("taken")),
        (&named, by_name.to_owned()),
    ] {
        let upstream = Upstream::serving(|_| ok("inside"));
        let keeps = kept
            .credential("kept")
            .replace("[\"proj-1\"]", "[\"proj-1\", \"proj-2\"]");
        let setup = over_tls()
            .cores(2)
            .tokens("revocations_file = \"revoked\"")
            .file("revoked", "# nobody yet\n")
            .file("corp.pem", &authority.pem())
            .tunnel(Tunnel::certified(HOST, &upstream))
            .tables(AUTHORITY)
            .tables(&keeps)
            .tables(&credential);
        let mut edge = setup.clone().start();
        let mut clients = on_every_core(&edge, Some(taken));
        let mut others = on_every_core(&edge, Some(&kept));
        for (way, change, status, reason) in ways(&credential, &keeps, &other, &upstream) {
            let (request, good) = (get("/", ""), (200, "forwarded"));
            answered(&edge, &mut clients, &request, good);
            answered(&edge, &mut others, &request, good);
            edge.reload(|_| change(setup.clone()));
            let before = Stage::weight_of(&upstream);
            answered(&edge, &mut clients, &request, (status, reason));
            assert_eq!(Stage::weight_of(&upstream), before, "{way}");
            answered(&edge, &mut others, &request, good);
            edge.reload(|_| setup.clone());
        }
    }
}

/// A boundary is asked with the path of each request.
#[test]
fn a_boundary_bounds_a_certificate_request_by_request() {
    let certificate = ClientCertificate::self_signed();
    let rule = json!({ "regex": "^/api(/|$)" }).to_string();
    let credential = certificate.credential("laptop");
    let stage = super::stage(&format!(
        "{credential}resources = {{ tunnels = {{ projects = [\"proj-1\"], scopes = {{ tunnels = {{ connect = {{ params = {{ path = {} }} }} }} }} }} }}\n",
        rule.replace("\":", "\" =")
    ));
    let mut client = showing(&stage.edge, Some(&certificate));
    for (target, status, reason) in [
        ("/api", 200, "forwarded"),
        ("/api/x?y=/z", 200, "forwarded"),
        ("/apix", 403, "path_outside_boundary"),
        ("/", 403, "path_outside_boundary"),
        ("/api/../x", 403, "path_ambiguous"),
        ("/api/%2e%2e/x", 403, "path_ambiguous"),
        ("/api/..;/x", 403, "path_ambiguous"),
    ] {
        let judged = stage.judges(&mut client, &get(target, ""));
        assert_eq!(judged, (status, reason.to_owned()), "{target}");
    }
}

#[test]
fn a_certificate_begins_and_ends_on_open_connections() {
    let now = adit::runtime::clock::Clock::default().now().unix_seconds();
    let (hour, day) = (3600, 24 * 3600);
    let authority = ClientAuthority::new("corp");
    let by_bytes = |times| {
        let key = KeyPair::generate().unwrap();
        ClientCertificate::self_signed_with(&key, |params| set_validity(params, times))
    };
    let by_name = |name: &str, times| {
        authority.issue_with(|params| {
            params.subject_alt_names.push(dns(name));
            set_validity(params, times);
        })
    };
    let (early, late) = ((now - hour, now + 2 * hour), (now + 4 * hour, now + day));
    let certificates = [
        by_bytes(early),
        by_bytes(late),
        by_name("e.corp.test", early),
        by_name("l.corp.test", late),
    ];
    let named = |id: &str, name: &str| {
        format!(
            "[[credential]]\nid = \"{id}\"\nkind = \"mtls\"\nclient_ca = \"corp\"\nsan_dns = \"{name}\"\nprojects = [\"proj-1\"]\n"
        )
    };
    let upstream = Upstream::serving(|_| ok("inside"));
    let edge = over_tls()
        .cores(2)
        .tunnel(Tunnel::certified(HOST, &upstream))
        .file("corp.pem", &authority.pem())
        .tables("[timeouts]\nidle = \"24h\"")
        .tables(AUTHORITY)
        .tables(&certificates[0].credential("early"))
        .tables(&certificates[1].credential("late"))
        .tables(&named("named-early", "e.corp.test"))
        .tables(&named("named-late", "l.corp.test"))
        .start();
    let mut clients = certificates
        .each_ref()
        .map(|one| on_every_core(&edge, Some(one)));
    let expired = (401, "certificate_expired");
    let not_yet = (401, "certificate_not_yet_valid");
    let good = (200, "forwarded");
    for (early, late) in [
        (good, not_yet),
        (good, not_yet),
        (expired, not_yet),
        (expired, not_yet),
        (expired, good),
    ] {
        for (number, clients) in clients.iter_mut().enumerate() {
            let expected = if number % 2 == 0 { early } else { late };
            answered(&edge, clients, &get("/", ""), expected);
        }
        edge.pass(Duration::from_secs(hour + 60));
    }
}

/// Nobody gains time by not asking: a connection that was refused is as open as before, and ends when it is idle.
#[test]
fn a_refused_connection_goes_on_and_can_be_let_in_later() {
    let certificate = ClientCertificate::self_signed();
    let credential = certificate.credential("laptop");
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = over_tls()
        .tunnel(Tunnel::certified(HOST, &upstream))
        .tables(&ClientCertificate::self_signed().credential("another"))
        .start();
    for version in VERSIONS {
        let mut client = connected(&edge, version, Some(&certificate));
        for (tables, status) in [("", 401), (&*credential, 200), ("", 401)] {
            let another = ClientCertificate::self_signed().credential("another");
            edge.reload(|setup| {
                setup
                    .without_tables()
                    .tables(PATIENT)
                    .tables(&another)
                    .tables(tables)
            });
            assert_eq!(client.ask(get("/", "")).status, status);
        }
        client.finish();
        assert_eq!(client.read_to_end(), (Vec::new(), Ending::Clean));
    }
    let options = TlsOptions::new(HOST).showing(&certificate);
    assert!(edge.tls_client_with(&options).is_ok());
}
