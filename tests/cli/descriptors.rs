//! Descriptors run out: the edge makes room, says so, and goes on (S9).

use std::process::Command;

use crate::support::folder::{self, TOKENS};
use crate::support::http::{connect, get, plain, request};
use crate::support::{Folder, Origin, Process};

/// Tunnels, so that each leaves an unused connection to an upstream.
const TUNNELS: usize = 120;

fn host(number: usize) -> String {
    format!("app-{number}.t.edge.example")
}

/// An edge of one core with `limit` descriptors.
fn edge(origin: &Origin, limit: u64) -> (Folder, Process) {
    let folder = Folder::new();
    let tunnels: String = (0..TUNNELS)
        .map(|number| folder::tunnel(&host(number), origin.address).replace("token_auth", "public"))
        .collect();
    folder.configure(&format!(
        "[engine]\nhost = \"{}\"\n[cores]\ncount = 1\ndriver = \"{}\"\n\
         [http]\nlisten = [\"127.0.0.1:0\"]\nmode = \"serve\"\n{TOKENS}{tunnels}",
        folder::BASE_HOST,
        folder::driver(),
    ));
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!(
            "ulimit -n {limit} && exec \"$0\" run --config \"$1\""
        ))
        .arg(env!("CARGO_BIN_EXE_adit"))
        .arg(folder.path("adit.toml"));
    let mut process = Process::spawn(command);
    process.event("started");
    (folder, process)
}

#[test]
fn without_descriptors_the_edge_makes_room_and_goes_on() {
    let origin = Origin::start();
    let (_folder, process) = edge(&origin, 100);
    let address = process.address("http");
    // Each request leaves a connection in a pool of its own: soon there is no descriptor for the next one.
    let mut statuses = std::collections::BTreeMap::new();
    for number in 0..TUNNELS {
        let status = plain(address, &get(&host(number), "/", &[])).status();
        *statuses.entry(status).or_insert(0) += 1;
    }
    let failed = statuses.get(&503).copied().unwrap_or_default();
    assert_eq!(
        statuses.get(&200).copied().unwrap_or_default() + failed,
        TUNNELS
    );
    assert!(failed <= 5, "{statuses:?}");
    // Silent clients on top, more than there are descriptors: whoever comes next still gets its answer.
    let silent: Vec<_> = (0..200).map(|_| connect(address)).collect();
    for number in 0..TUNNELS {
        while plain_or_cut(address, &host(number)) != Some(200) {}
    }
    drop(silent);
    assert_eq!(
        plain(address, &request("GET", &host(1), "/", &[])).status(),
        200
    );
}

/// The status, or nothing where the connection was ended for another one.
fn plain_or_cut(address: std::net::SocketAddr, host: &str) -> Option<u16> {
    use std::io::{Read, Write};
    let mut stream = connect(address);
    stream.write_all(get(host, "/", &[]).as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let status = std::str::from_utf8(answer.get(9..12)?).ok()?;
    status.parse().ok()
}
