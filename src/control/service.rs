//! What a service manager is told of this process, where one started it (`sd_notify`(3)): systemd with `Type=notify`.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::runtime::clock::Clock;

/// How much longer than the drain time an ending process may take.
const ENDING: Duration = Duration::from_secs(10);

/// The way to the service manager; nothing is told where there is none.
#[derive(Debug, Default)]
pub struct ServiceManager(Option<UnixDatagram>);

impl ServiceManager {
    /// `path` is what `NOTIFY_SOCKET` says: a path from the root, or `@` and an abstract name.
    pub fn at(path: Option<&str>) -> Self {
        let socket = path.map(connect).transpose();
        let socket = socket.unwrap_or_else(|error| {
            tracing::warn!(event = "service_manager_lost", %error, "NOTIFY_SOCKET cannot be used");
            None
        });
        ServiceManager(socket)
    }

    /// All cores accept; also after a reload, whatever it came to.
    pub fn ready(&self, tunnels: usize) {
        self.tell(&format!("READY=1\nSTATUS=serving {tunnels} tunnels"));
    }

    /// The configuration is being read again.
    pub fn reloading(&self, clock: &Clock) {
        let since = clock.monotonic().as_micros();
        self.tell(&format!(
            "RELOADING=1\nMONOTONIC_USEC={since}\nSTATUS=reading the configuration again"
        ));
    }

    /// The process drains, at most so long: until then it must not be killed.
    pub fn stopping(&self, drain: Duration) {
        let within = (drain + ENDING).as_micros();
        self.tell(&format!(
            "STOPPING=1\nEXTEND_TIMEOUT_USEC={within}\nSTATUS=draining"
        ));
    }

    fn tell(&self, state: &str) {
        if let Some(socket) = &self.0
            && let Err(error) = socket.send(state.as_bytes())
        {
            tracing::warn!(event = "service_manager_lost", %error);
        }
    }
}

fn connect(path: &str) -> io::Result<UnixDatagram> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not read must not hold us up.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn what_happens_is_told_on_a_path_and_under_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("adit-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, told) in [
            (
                UnixDatagram::bind(&path).unwrap(),
                path.to_str().unwrap().to_owned(),
            ),
            (
                UnixDatagram::bind_addr(&abstract_name).unwrap(),
                format!("@{name}"),
            ),
        ] {
            let manager = ServiceManager::at(Some(&told));
            manager.ready(3);
            assert!(said(&socket).starts_with("READY=1\n"));
            manager.reloading(&Clock::default());
            let reloading = said(&socket);
            assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="));
            manager.stopping(Duration::from_secs(600));
            let stopping = said(&socket);
            assert!(
                stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=610000000\n"),
                "{stopping}"
            );
        }
    }

    #[test]
    fn without_a_manager_or_with_a_lost_one_nothing_is_told_and_nothing_fails() {
        for path in [None, Some("/nowhere/notify"), Some("")] {
            let manager = ServiceManager::at(path);
            manager.ready(1);
            manager.stopping(Duration::ZERO);
        }
    }
}
