//! Lists of what a CA has taken back, and what is so on every core after a new one.

use std::time::Duration;

use crate::stage::{Stage, get};
use crate::support::client_certificate::dns;
use crate::support::{ClientAuthority, ClientCertificate, Edge, HOST, Tunnel, Upstream, ok};

use super::{PATIENT, named, over_tls, showing};

const LAPTOP: &str = "laptop.corp.test";
const CORP: &str = "[timeouts]\nidle = \"24h\"\n[[client_ca]]\nname = \"corp\"\nca_file = \"corp.pem\"\ncrl_file = \"corp.crl\"\n";

fn numbered(authority: &ClientAuthority, serial: u64) -> ClientCertificate {
    authority.issue_with(|params| {
        params.subject_alt_names.push(dns(LAPTOP));
        params.serial_number = Some(serial.into());
    })
}

fn now() -> u64 {
    adit::runtime::clock::Clock::default().now().unix_seconds()
}

fn edge(corp: &ClientAuthority, list: &str, upstream: &Upstream) -> Edge {
    over_tls()
        .cores(2)
        .tunnel(Tunnel::certified(HOST, upstream))
        .file("corp.pem", &corp.pem())
        .file("corp.crl", list)
        .tables(CORP)
        .tables(&named("laptop", "corp", &format!("san_dns = \"{LAPTOP}\"")))
        .start()
}

const GOOD: (u16, &str) = (200, "forwarded");
const REVOKED: (u16, &str) = (401, "certificate_revoked");
const UNCLEAR: (u16, &str) = (401, "certificate_revocation_unknown");

#[test]
fn a_new_list_is_in_force_at_the_next_request_of_every_core() {
    let corp = ClientAuthority::new("corp CA");
    let current = (now() - 3600, now() + 3600);
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = edge(&corp, &corp.revocations(&[], current), &upstream);
    let [taken, kept] = [7, 8].map(|serial| numbered(&corp, serial));
    let mut clients = super::reloads::on_every_core(&edge, Some(&taken));
    let mut others = super::reloads::on_every_core(&edge, Some(&kept));
    let later = (now(), now() + 7200);
    let none = corp.revocations(&[], current);
    let (revoked, nine) = (corp.revocations(&[7], later), corp.revocations(&[9], later));
    for (list, expected) in [
        (none.clone(), GOOD),
        (revoked.clone(), REVOKED),
        (corp.revocations(&[9, 7, 10], later), REVOKED),
        // A list that takes it off again is the newest word of the CA.
        (none, GOOD),
        // Two lists at once: it is enough that one of them says so, whichever stands first.
        (revoked.clone() + &nine, REVOKED),
        (nine + &revoked, REVOKED),
    ] {
        edge.reload(|setup| setup.file("corp.crl", &list));
        let before = Stage::weight_of(&upstream);
        super::reloads::answered(&edge, &mut clients, &get("/", ""), expected);
        if expected != GOOD {
            assert_eq!(Stage::weight_of(&upstream), before);
        }
        super::reloads::answered(&edge, &mut others, &get("/", ""), GOOD);
    }
}

#[test]
fn a_list_that_is_too_old_lets_nobody_in_and_time_makes_it_so() {
    let corp = ClientAuthority::new("corp CA");
    let list = corp.revocations(&[9], (now() - 3600, now() + 3600));
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = edge(&corp, &list, &upstream);
    let mut clients = super::reloads::on_every_core(&edge, Some(&numbered(&corp, 7)));
    let request = get("/", "");
    super::reloads::answered(&edge, &mut clients, &request, GOOD);
    edge.pass(Duration::from_secs(3000));
    super::reloads::answered(&edge, &mut clients, &request, GOOD);
    edge.pass(Duration::from_secs(700));
    super::reloads::answered(&edge, &mut clients, &request, UNCLEAR);
    // The next list is there at last.
    let next = corp.revocations(&[9], (now(), now() + 24 * 3600));
    edge.reload(|setup| setup.file("corp.crl", &next));
    super::reloads::answered(&edge, &mut clients, &request, GOOD);
}

#[test]
fn a_list_of_somebody_else_says_nothing() {
    let corp = ClientAuthority::new("corp CA");
    let (same_name, other) = (
        ClientAuthority::new("corp CA"),
        ClientAuthority::new("another"),
    );
    let below = corp.below("office CA", |_| ());
    let unnamed = corp.below("desk CA", |params| {
        params.serial_number = Some(5_u64.into())
    });
    let current = (now() - 3600, now() + 3600);
    let (own, office) = (
        corp.revocations(&[9], current),
        below.revocations(&[9], current),
    );
    let upstream = Upstream::serving(|_| ok("inside"));
    let mut edge = edge(&corp, &own, &upstream);
    let direct = numbered(&corp, 7);
    let through = numbered(&below, 7);
    let desk = numbered(&unnamed, 7);
    let whole = [&*own, &office, &unnamed.revocations(&[], current)].concat();
    let desk_gone = corp.revocations(&[5], current) + &unnamed.revocations(&[], current);
    for (what, list, certificate, expected) in [
        ("own", own.clone(), &direct, GOOD),
        (
            "of one with its name",
            same_name.revocations(&[], current),
            &direct,
            UNCLEAR,
        ),
        (
            "of another",
            other.revocations(&[], current),
            &direct,
            UNCLEAR,
        ),
        ("of what it signed", office.clone(), &direct, UNCLEAR),
        // Each CA on the way must say.
        ("root only", own.clone(), &through, UNCLEAR),
        ("all", whole.clone(), &through, GOOD),
        ("all, for another", whole, &desk, GOOD),
        ("that between is revoked", desk_gone, &desk, REVOKED),
    ] {
        edge.reload(|setup| setup.file("corp.crl", &list));
        let status = showing(&edge, Some(certificate)).ask(get("/", "")).status;
        assert_eq!((status, &*edge.reason()), expected, "{what}");
    }
    // Without a list at all the CA is asked for none.
    edge.reload(|setup| {
        let setup = setup.without_tables().tables(PATIENT);
        let setup = setup.tables(&CORP.replace("crl_file = \"corp.crl\"\n", ""));
        setup.tables(&named("laptop", "corp", &format!("san_dns = \"{LAPTOP}\"")))
    });
    let mut client = [showing(&edge, Some(&through))];
    super::reloads::answered(&edge, &mut client, &get("/", ""), GOOD);
}
