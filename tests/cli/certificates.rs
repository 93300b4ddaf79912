//! Client certificates at the command line, and files of CAs that change or break under a running process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use adit::runtime::clock::Clock;
use rcgen::KeyPair;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use crate::support::client_certificate::{dns, set_validity, uri};
use crate::support::folder::{certified, token, tunnel};
use crate::support::http::{bearer, exchange, request, tls_stream_showing};
use crate::support::process::adit_reading;
use crate::support::program::run;
use crate::support::{ClientAuthority, ClientCertificate, Folder, HOST, Origin, Process, adit};

/// Short of a CA and its list, all that a configuration of these tests names.
const CORP: &str =
    "[[client_ca]]\nname = \"corp\"\nca_file = \"corp.pem\"\ncrl_file = \"corp.crl\"\n";

fn named(id: &str, name: &str) -> String {
    format!(
        "[[credential]]\nid = \"{id}\"\nkind = \"mtls\"\nclient_ca = \"corp\"\n{name}\nprojects = [\"proj-1\"]\n"
    )
}

fn now() -> u64 {
    Clock::default().now().unix_seconds()
}

fn current() -> (u64, u64) {
    (now() - 3600, now() + 3600)
}

fn openssl_fingerprint(folder: &Folder, file: &str, form: &str) -> String {
    let mut command = Command::new("openssl");
    let path = folder.path(file);
    command.args([
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-inform",
        form,
        "-in",
    ]);
    let said = run(command.arg(path), "");
    let (_, digits) = said.trim().split_once("Fingerprint=").expect(&said);
    digits.to_owned()
}

#[test]
fn a_fingerprint_is_what_openssl_says() {
    let folder = Folder::new();
    let authority = ClientAuthority::new("corp CA");
    let certificates = [
        ClientCertificate::self_signed(),
        ClientCertificate::by_openssl(&["rsa:2048"]),
        ClientCertificate::by_openssl(&["ec", "-pkeyopt", "ec_paramgen_curve:P-521"]),
        ClientCertificate::version_1(),
        authority
            .below("office CA", |_| ())
            .issue(&[dns("laptop.corp.test")]),
    ];
    for certificate in &certificates {
        folder.write("client.pem", 0o600, certificate.pem());
        folder.write("client.der", 0o600, &certificate.chain[0]);
        // As people keep them: the key first, and text between.
        let kept = format!("{}some words\n{}", certificate.key_pem, certificate.pem());
        folder.write("kept.pem", 0o600, kept);
        let theirs = openssl_fingerprint(&folder, "client.pem", "PEM");
        assert_eq!(openssl_fingerprint(&folder, "client.der", "DER"), theirs);
        for file in ["client.pem", "client.der", "kept.pem"] {
            let path = folder.path(file);
            let ours = adit(&["credential", "fingerprint", path.to_str().unwrap()]);
            assert_eq!((ours.code, ours.err.as_str()), (0, ""), "{file}");
            assert_eq!(ours.out.trim(), theirs.replace(':', "").to_lowercase());
        }
        // What openssl prints may be pasted as it is.
        let pasted = certificate
            .credential("laptop")
            .replace(&certificate.fingerprint(), &theirs);
        folder.configure(&certified("127.0.0.1:9".parse().unwrap(), &pasted));
        let file = folder.path("adit.toml");
        let checked = adit(&["check", "--config", file.to_str().unwrap()]);
        assert_eq!((checked.code, checked.err.as_str()), (0, ""));
    }
    folder.write("none.pem", 0o600, &certificates[0].key_pem);
    folder.write("none.der", 0o600, b"garbage");
    for file in ["none.pem", "none.der", "nowhere"] {
        let path = folder.path(file);
        let refused = adit(&["credential", "fingerprint", path.to_str().unwrap()]);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{file}");
        assert!(refused.err.contains(file), "{}", refused.err);
    }
}

/// A certificate, the fields of a request and the path below which it is sent.
type Row = (
    &'static str,
    Option<ClientCertificate>,
    &'static str,
    String,
    u16,
    &'static str,
);

/// Every way in and out, with the tables that make it so.
fn rows(corp: &ClientAuthority) -> (String, Vec<Row>) {
    let new = ClientCertificate::self_signed;
    let valid = |times| {
        let key = KeyPair::generate().unwrap();
        ClientCertificate::self_signed_with(&key, |params| set_validity(params, times))
    };
    let (registered, unknown, idle, bounded, gone) = (new(), new(), new(), new(), new());
    let (expired, early) = (valid((0, now() - 60)), valid((now() + 3600, now() + 7200)));
    let (old, weak) = (
        ClientCertificate::version_1(),
        ClientCertificate::by_openssl(&["rsa:1024"]),
    );
    let laptop = || vec![dns("laptop.corp.test")];
    let below = corp.below("office CA", |_| ());
    let numbered = corp.issue_with(|params| {
        params.subject_alt_names = laptop();
        params.serial_number = Some(7_u64.into());
    });
    let for_servers = corp.issue_with(|params| {
        params.subject_alt_names = laptop();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    let several = corp.issue(&[dns("laptop.corp.test"), uri("urn:robot")]);
    let tables = [
        CORP.to_owned(),
        registered.credential("laptop"),
        idle.credential("idle") + "permissions = []\n",
        gone.credential("gone") + "revoked = true\n",
        expired.credential("expired"),
        early.credential("early"),
        old.credential("old"),
        weak.credential("weak"),
        named("named", "san_dns = \"laptop.corp.test\""),
        named("robot", "san_uri = \"urn:robot\""),
        bounded.credential("bounded"),
        "[credential.resources.tunnels]\nprojects = [\"proj-1\"]\n\
         [credential.resources.tunnels.scopes.tunnels.connect.params.path]\nregex = \"^/in/\"\n"
            .to_owned(),
    ];
    let own = || Some(registered.clone());
    let weak = weak.with_key_of(&registered);
    let beside = |line: &str| line.to_owned();
    let get = |what, certificate, status, reason| {
        (what, certificate, "GET", String::new(), status, reason)
    };
    let rows = vec![
        get("none", None, 401, "certificate_missing"),
        get("registered", own(), 200, "forwarded"),
        get("unknown", Some(unknown), 401, "certificate_unknown"),
        get("idle", Some(idle), 403, "permission_missing"),
        get("gone", Some(gone), 401, "credential_revoked"),
        get("expired", Some(expired), 401, "certificate_expired"),
        get("early", Some(early), 401, "certificate_not_yet_valid"),
        get("old", Some(old), 401, "certificate_version"),
        get("weak", Some(weak), 401, "certificate_weak_key"),
        get("in/bounded", Some(bounded.clone()), 200, "forwarded"),
        get("out/bounded", Some(bounded), 403, "path_outside_boundary"),
        (
            "bearer",
            own(),
            "GET",
            bearer(&token()),
            401,
            "ambiguous_proofs",
        ),
        (
            "cookie",
            own(),
            "GET",
            beside("Cookie: rstream_auth=session"),
            401,
            "ambiguous_proofs",
        ),
        (
            "evil",
            own(),
            "POST",
            beside("Origin: https://evil.t.edge.example"),
            403,
            "cross_origin",
        ),
        (
            "site",
            own(),
            "POST",
            beside("Sec-Fetch-Site: none"),
            200,
            "forwarded",
        ),
        get("named", Some(corp.issue(&laptop())), 200, "forwarded"),
        get("listed", Some(numbered), 401, "certificate_revoked"),
        get(
            "between",
            Some(below.issue(&laptop())),
            401,
            "certificate_revocation_unknown",
        ),
        get(
            "alone",
            Some(below.issue(&laptop()).alone()),
            401,
            "certificate_untrusted",
        ),
        get("servers", Some(for_servers), 401, "certificate_untrusted"),
        get("several", Some(several), 401, "certificate_several_names"),
    ];
    (tables.concat(), rows)
}

#[test]
fn explain_says_of_a_certificate_what_the_process_says() {
    let origin = Origin::start();
    let folder = Folder::new();
    let corp = ClientAuthority::new("corp CA");
    let (tables, rows) = rows(&corp);
    folder.write("corp.pem", 0o644, corp.pem());
    folder.write("corp.crl", 0o644, corp.revocations(&[7], current()));
    folder.configure(&certified(origin.address, &tables));
    let mut process = Process::run(&folder);
    let file = folder.path("adit.toml");
    for (what, certificate, method, field, status, reason) in rows {
        let path = format!("/{what}");
        let fields: &[&str] = if field.is_empty() { &[] } else { &[&field] };
        let request = request(method, HOST, &path, fields).replace(
            "Connection: close",
            "Content-Length: 0\r\nConnection: close",
        );
        let stream = tls_stream_showing(
            &folder,
            process.address("https"),
            HOST,
            certificate.as_ref(),
        );
        assert_eq!(exchange(stream, &request).status(), status, "{what}");
        assert_eq!(process.record(&path)["reason"], reason, "{what}");

        let mut arguments = vec!["explain", "--json", "--raw", "-", "--config"];
        arguments.push(file.to_str().unwrap());
        let shown = folder.path("shown.pem");
        if let Some(certificate) = &certificate {
            folder.write("shown.pem", 0o600, certificate.pem());
            arguments.extend(["--cert", shown.to_str().unwrap()]);
        }
        let explained = adit_reading(&arguments, request.as_bytes());
        assert_eq!((explained.code, explained.err.as_str()), (0, ""), "{what}");
        let said: Value = serde_json::from_str(&explained.out).unwrap();
        let expected = Some(status).filter(|status| *status != 200);
        assert_eq!(
            (&said["status"], &said["reason"]),
            (&expected.into(), &reason.into()),
            "{what}"
        );
    }
    // What is no certificate is a usage error, and not a request without one.
    let none = folder.path("secret");
    let url = format!("https://{HOST}/");
    let arguments = [
        "explain",
        "--url",
        &url,
        "--cert",
        none.to_str().unwrap(),
        "--config",
    ];
    let refused = adit(&[&arguments[..], &[file.to_str().unwrap()]].concat());
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
}

/// On a tunnel that asks for none, a certificate that is given to `explain` is not shown.
#[test]
fn explain_shows_a_certificate_only_where_one_is_asked_for() {
    let (folder, registered) = (Folder::new(), ClientCertificate::self_signed());
    let upstream = "127.0.0.1:9".parse().unwrap();
    let other = "open.t.edge.example";
    let open = tunnel(other, upstream).replace("token_auth", "public");
    let tables = format!("{open}{}", registered.credential("laptop"));
    folder.configure(&certified(upstream, &tables));
    folder.write("client.pem", 0o600, registered.pem());
    let (file, client) = (folder.path("adit.toml"), folder.path("client.pem"));
    let verdict = |host: &str, name: &str, fields: &[&str]| {
        let url = format!("https://{host}/");
        let mut arguments = vec!["explain", "--url", &url, "--server-name", name];
        arguments.extend(["--cert", client.to_str().unwrap()]);
        arguments.extend(["--config", file.to_str().unwrap()]);
        fields
            .iter()
            .for_each(|field| arguments.extend(["-H", field]));
        let explained = adit(&arguments);
        let last = explained.out.lines().last().unwrap().to_owned();
        last.strip_prefix("verdict")
            .unwrap()
            .trim_start()
            .to_owned()
    };
    let cookie = "Cookie: rstream_auth=session";
    assert_eq!(verdict(HOST, HOST, &[]), "forwarded");
    assert_eq!(verdict(HOST, HOST, &[cookie]), "401 ambiguous_proofs");
    assert_eq!(verdict(other, other, &[cookie]), "forwarded");
    assert_eq!(verdict(HOST, other, &[]), "421 sni_mismatch");
    assert_eq!(verdict(other, HOST, &[]), "421 sni_mismatch");
}

/// Connections that stay open, more than the kernel would ever send to one of two cores by chance.
struct Open(Vec<StreamOwned<ClientConnection, TcpStream>>);

impl Open {
    fn new(folder: &Folder, process: &Process, certificate: &ClientCertificate) -> Self {
        let address = process.address("https");
        let open = || tls_stream_showing(folder, address, HOST, Some(certificate));
        Open((0..16).map(|_| open()).collect())
    }

    /// The status that each of them gets; all get one.
    fn status(&mut self) -> String {
        let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        let statuses = self.0.iter_mut().map(|stream| {
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"origin: /") && !answer.ends_with(b"}") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.push(byte[0]);
            }
            String::from_utf8_lossy(&answer[9..12]).into_owned()
        });
        let mut statuses: Vec<String> = statuses.collect();
        statuses.dedup();
        assert_eq!(statuses.len(), 1, "{statuses:?}");
        statuses.remove(0)
    }
}

#[test]
fn a_file_of_a_ca_that_breaks_changes_nothing_and_a_new_list_is_read_by_itself() {
    let origin = Origin::start();
    let folder = Folder::new();
    let corp = ClientAuthority::new("corp CA");
    let numbered = |serial: u64| {
        corp.issue_with(|params| {
            params.subject_alt_names = vec![dns("laptop.corp.test")];
            params.serial_number = Some(serial.into());
        })
    };
    let list = |serials: &[u64]| corp.revocations(serials, current());
    folder.write("corp.pem", 0o644, corp.pem());
    folder.write("corp.crl", 0o644, list(&[9]));
    let tables = format!(
        "{CORP}{}",
        named("laptop", "san_dns = \"laptop.corp.test\"")
    );
    folder.configure(&certified(origin.address, &tables));
    let mut process = Process::run(&folder);
    let mut laptop = Open::new(&folder, &process, &numbered(7));
    let mut other = Open::new(&folder, &process, &numbered(8));
    let mut gone = Open::new(&folder, &process, &numbered(9));
    let mut all = || [laptop.status(), other.status(), gone.status()].join(" ");
    assert_eq!(all(), "200 200 401");
    // Nobody sends a signal.
    folder.write("corp.crl", 0o644, list(&[7, 9]));
    process.event("config_reloaded");
    assert_eq!(all(), "401 200 401");
    for (file, good, text) in [
        ("corp.crl", list(&[7, 9]), "nonsense".to_owned()),
        ("corp.crl", list(&[7, 9]), String::new()),
        ("corp.crl", list(&[7, 9]), corp.pem()),
        ("corp.crl", list(&[7, 9]), cut(&list(&[]))),
        ("corp.pem", corp.pem(), "nonsense".to_owned()),
        ("corp.pem", corp.pem(), cut(&corp.pem())),
        ("corp.pem", corp.pem(), numbered(7).pem()),
        ("corp.pem", corp.pem(), list(&[])),
    ] {
        folder.write(file, 0o644, &text);
        let place = format!("client_ca[1].{}", key(file));
        process.event_saying("config_refused", &place);
        assert_eq!(all(), "401 200 401", "{text}");
        // Nor does a process start with it.
        let path = folder.path("adit.toml");
        for command in ["check", "run"] {
            let refused = adit(&[command, "--config", path.to_str().unwrap()]);
            assert_eq!(refused.code, 2, "{command}: {text}");
            assert!(refused.err.contains(&place), "{}", refused.err);
        }
        folder.write(file, 0o644, good);
        process.signal("HUP");
        process.event("config_reloaded");
    }
    folder.write("corp.crl", 0o644, list(&[]));
    // The signal and the file before may each have told of the same state.
    while all() != "200 200 200" {
        process.event("config_reloaded");
    }
}

/// Nobody gets in with them, which an operator should know before a client does.
#[test]
fn a_ca_or_a_list_whose_time_it_is_not_is_warned_of() {
    let folder = Folder::new();
    let upstream = "127.0.0.1:9".parse().unwrap();
    let tables = named("laptop", "san_dns = \"laptop.corp.test\"");
    folder.configure(&certified(upstream, &format!("{CORP}{tables}")));
    let file = folder.path("adit.toml");
    let (past, future) = ((0, now() - 60), (now() + 3600, now() + 7200));
    for (of_ca, of_list, warnings) in [
        (current(), current(), &[][..]),
        (past, current(), &["corp.pem is not valid at this time"]),
        (future, current(), &["corp.pem is not valid at this time"]),
        (current(), past, &["the list is not current"]),
        (
            past,
            past,
            &["corp.pem is not valid", "the list is not current"],
        ),
    ] {
        let corp = ClientAuthority::new_with("corp CA", |params| set_validity(params, of_ca));
        folder.write("corp.pem", 0o644, corp.pem());
        folder.write("corp.crl", 0o644, corp.revocations(&[], of_list));
        let checked = adit(&["check", "--config", file.to_str().unwrap()]);
        assert_eq!((checked.code, checked.err.as_str()), (0, ""));
        let lines: Vec<&str> = checked.out.lines().collect();
        let (_, warned) = lines.split_last().unwrap();
        assert_eq!(warned.len(), warnings.len(), "{warned:?}");
        for (line, warning) in warned.iter().zip(warnings) {
            assert!(
                line.starts_with("warning: ") && line.contains(warning),
                "{line}"
            );
        }
    }
}

/// A block of PEM whose bytes end too early.
fn cut(pem: &str) -> String {
    let lines: Vec<&str> = pem.lines().collect();
    let mut kept = lines.clone();
    kept.remove(lines.len() / 2);
    kept.join("\n")
}

fn key(file: &str) -> &'static str {
    if file == "corp.crl" {
        "crl_file"
    } else {
        "ca_file"
    }
}

#[test]
fn a_certificate_is_taken_back_while_the_configuration_is_broken() {
    let origin = Origin::start();
    let folder = Folder::new();
    let [laptop, other] = [(); 2].map(|()| ClientCertificate::self_signed());
    let tables = laptop.credential("laptop") + &other.credential("other");
    let good = certified(origin.address, &tables).replace(
        "hs256_secret_file",
        "revocations_file = \"revoked\"\nhs256_secret_file",
    );
    folder.write("revoked", 0o600, "# nothing yet\n");
    folder.configure(&good);
    let mut process = Process::run(&folder);
    let mut open = Open::new(&folder, &process, &laptop);
    let mut others = Open::new(&folder, &process, &other);
    assert_eq!(
        (open.status(), others.status()),
        ("200".into(), "200".into())
    );
    folder.configure("this is no configuration");
    process.event("config_refused");
    folder.write("revoked", 0o600, "laptop # stolen\n");
    process.event("revocations_reloaded");
    assert_eq!(
        (open.status(), others.status()),
        ("401".into(), "200".into())
    );
}
