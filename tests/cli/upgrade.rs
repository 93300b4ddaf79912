//! A new process takes the place of an old one: on sockets that systemd passes to both, or beside it with `--takeover`.

mod load;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::support::folder::{serving, token};
use crate::support::http::{bearer, connect, get, plain, rest, tls, tls_stream, unix};
use crate::support::websocket::{echoes, open_websocket, service};
use crate::support::{Folder, HOST, Origin, Process};
use load::Load;

/// The socket on which a service manager hears of a process.
fn manager(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket
        .set_read_timeout(Some(crate::support::process::PATIENCE))
        .unwrap();
    socket
}

fn hear(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 512];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

/// A configuration that listens on these addresses: of `[https]`, of `[http]`, and then others in order.
fn listening_on(text: &str, addresses: &[SocketAddr]) -> String {
    let mut text = text.to_owned();
    for address in addresses {
        text = text.replacen("127.0.0.1:0", &address.to_string(), 1);
    }
    text
}

fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn over_passed_sockets_no_request_fails_and_no_websocket_is_dropped() {
    const MORE: &str = "[timeouts]\ndrain = \"10m\"\n[log]\naccess = \"off\"\n";
    const REQUESTS: usize = 400;

    let (https, https_address) = bind();
    let (http, http_address) = bind();
    let folder = Folder::new();
    let addresses = [https_address, http_address];
    folder.configure(&listening_on(&serving(service(), MORE), &addresses));
    let notify = folder.path("notify");
    let manager = manager(&notify);
    let start = || {
        let sockets = [("web", &https), ("plain", &http)];
        let process = Process::activated(&folder, &sockets, |command| {
            command.env("NOTIFY_SOCKET", &notify);
        });
        // One that ends may say so before.
        while !hear(&manager).starts_with("READY=1\n") {}
        process
    };
    let mut old = start();
    let mut plain: Vec<_> = (0..4)
        .map(|_| open_websocket(connect(http_address)))
        .collect();
    let mut secure = open_websocket(tls_stream(&folder, https_address, HOST));
    let load = Load::start(&folder, http_address, https_address);
    load.wait_for(REQUESTS);
    let mut new = start();
    load.wait_for(REQUESTS);
    old.signal("TERM");
    assert!(hear(&manager).starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=610000000\n"));
    old.event("draining");
    load.wait_for(REQUESTS);
    for socket in &mut plain {
        echoes(socket, "the old one still carries this");
    }
    echoes(&mut secure, "and this");
    let mut later = open_websocket(connect(http_address));
    let told = load.end();
    assert_eq!(told.failed, Vec::<String>::new());
    assert!(told.good >= 3 * REQUESTS);
    println!("{told:?}");
    drop((plain, secure));
    assert_eq!(old.event("stopped")["in_time"], true);
    assert_eq!(old.finish().code, 0);
    echoes(&mut later, "the new one carries this");
    assert!(
        !new.err
            .seen
            .iter()
            .any(|line| line.contains("config_refused"))
    );
    drop(later);
    new.signal("TERM");
    assert_eq!(new.event("stopped")["in_time"], true);
    // Whoever comes while nobody runs waits for the next one.
    let waiting = connect(http_address);
    let mut next = start();
    let mut waiting = waiting;
    let request = get(HOST, "/", &[&bearer(&token())]);
    waiting.write_all(request.as_bytes()).unwrap();
    assert_eq!(rest(waiting).status(), 200);
    next.signal("TERM");
    assert_eq!(next.event("stopped")["in_time"], true);
}

#[test]
fn passed_sockets_must_be_those_of_the_configuration() {
    let (https, https_address) = bind();
    let (http, http_address) = bind();
    let (other, other_address) = bind();
    let upstream = "127.0.0.1:9".parse().unwrap();
    let folder = Folder::new();
    let addresses = [https_address, http_address];
    folder.configure(&listening_on(&serving(upstream, ""), &addresses));
    let both = [("web", &https), ("plain", &http)];
    let more = [both[0], both[1], ("more", &other)];
    for (sockets, expected) in [
        (
            &both[..1],
            format!(
                "adit: sockets that were passed: {http_address} of [https] or [http] listen is not among them; add ListenStream={http_address} to the socket unit, or remove it from listen\n"
            ),
        ),
        (
            &more[..],
            format!(
                "adit: sockets that were passed: no listen entry of the configuration is {other_address} (more); add it to [https], [http] or [admin], or remove it from the socket unit\n"
            ),
        ),
    ] {
        let finished = Process::activated(&folder, sockets, |_| ()).finish();
        assert_eq!(finished.code, 1);
        assert!(finished.err.ends_with(&expected), "{}", finished.err);
    }
    let lying = Process::activated(&folder, &both, |command| {
        command.env("LISTEN_FDS", "9");
    });
    let finished = lying.finish();
    assert_eq!(finished.code, 1);
    assert!(
        finished
            .err
            .starts_with("adit: LISTEN_FDS says 9, and descriptor 5 is not open"),
        "{}",
        finished.err
    );
    let mut good = Process::activated(&folder, &both, |_| ());
    good.event("started");
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let folder = Folder::serving("127.0.0.1:9".parse().unwrap(), "");
    let process = Process::run_with(&folder, |command| {
        command.env("LISTEN_PID", "1").env("LISTEN_FDS", "2");
    });
    assert_ne!(process.address("http").port(), 0);
}

#[test]
fn the_admin_listener_may_be_passed_too() {
    let (https, https_address) = bind();
    let (http, http_address) = bind();
    let (admin, admin_address) = bind();
    let folder = Folder::new();
    let more = "[admin]\nlisten = \"127.0.0.1:0\"\n";
    let text = serving("127.0.0.1:9".parse().unwrap(), more);
    let addresses = [https_address, http_address, admin_address];
    folder.configure(&listening_on(&text, &addresses));
    let sockets = [("web", &https), ("plain", &http), ("admin", &admin)];
    let mut process = Process::activated(&folder, &sockets, |_| ());
    process.event("started");
    let ready = get("localhost", "/readyz", &[]);
    assert_eq!(plain(admin_address, &ready).status(), 200);
}

#[test]
fn who_takes_over_serves_beside_the_old_one_and_goes_on_alone() {
    let origin = Origin::start();
    let folder = Folder::new();
    let socket = folder.path("admin.sock");
    let tcp = "[admin]\nlisten = \"127.0.0.1:0\"\n".to_owned();
    let file = format!("[admin]\nlisten = \"unix:{}\"\n", socket.display());
    for admin in [tcp, file] {
        folder.configure(&serving(origin.address, &admin));
        let mut old = Process::run(&folder);
        let mut addresses = vec![old.address("https"), old.address("http")];
        if !admin.contains("unix:") {
            addresses.push(old.address("admin"));
        }
        folder.configure(&listening_on(&serving(origin.address, &admin), &addresses));
        let refused = Process::begin(&folder, |_| ()).finish();
        assert_eq!(refused.code, 1);
        assert!(refused.err.contains("--takeover"), "{}", refused.err);
        let new = Process::run_with(&folder, |command| {
            command.arg("--takeover");
        });
        old.signal("TERM");
        assert_eq!(old.event("stopped")["in_time"], true);
        assert_eq!(old.finish().code, 0);
        let request = get(HOST, "/", &[&bearer(&token())]);
        for _ in 0..8 {
            assert_eq!(plain(addresses[1], &request).status(), 200);
            assert_eq!(tls(&folder, addresses[0], HOST, &request).status(), 200);
        }
        let ready = get("localhost", "/readyz", &[]);
        let ready = match addresses.get(2) {
            Some(address) => plain(*address, &ready),
            None => unix(&socket, &ready),
        };
        assert_eq!(ready.status(), 200);
        drop(new);
    }
}

#[test]
fn a_service_manager_is_told_of_each_step() {
    let folder = Folder::serving("127.0.0.1:9".parse().unwrap(), "");
    let notify = folder.path("notify");
    let manager = manager(&notify);
    let process = Process::run_with(&folder, |command| {
        command.env("NOTIFY_SOCKET", &notify);
    });
    assert_eq!(hear(&manager), "READY=1\nSTATUS=serving 1 tunnels");
    for good in [true, false] {
        if !good {
            folder.configure("nonsense");
        }
        process.signal("HUP");
        assert!(hear(&manager).starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert!(hear(&manager).starts_with("READY=1\n"), "good: {good}");
    }
    process.signal("TERM");
    // A changed file may have been seen as well.
    while !hear(&manager).starts_with("STOPPING=1\n") {}
    assert_eq!(process.finish().code, 0);
}
