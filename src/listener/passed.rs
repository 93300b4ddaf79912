//! Sockets that a service manager has bound and passes on: whoever starts next accepts on the same ones.
//!
//! Each is found by its address. Refuses what nobody can accept on, and what would let in more than the configuration
//! says.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{SockAddr, Socket, Type};

use crate::runtime::passed::Passed;

/// The sockets that were passed and that nobody has taken yet.
#[derive(Debug, Default)]
pub struct PassedSockets {
    sockets: Vec<PassedSocket>,
}

#[derive(Debug)]
struct PassedSocket {
    name: String,
    place: Place,
    socket: Socket,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl PassedSockets {
    /// Looks at what was passed. The error says which socket it is and what would do.
    pub fn open(passed: Vec<Passed>) -> Result<Self, String> {
        let mut sockets: Vec<PassedSocket> = Vec::new();
        for one in passed {
            let socket = PassedSocket::open(one)?;
            if sockets.iter().any(|other| other.place == socket.place) {
                return Err(format!("{socket} is passed twice"));
            }
            sockets.push(socket);
        }
        Ok(PassedSockets { sockets })
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// The one that listens on this address.
    pub fn take_tcp(&mut self, address: SocketAddr) -> Option<TcpListener> {
        self.take(&Place::Tcp(address)).map(TcpListener::from)
    }

    /// The one that listens on this path.
    pub fn take_unix(&mut self, path: &Path) -> Option<UnixListener> {
        self.take(&Place::Unix(path.to_owned()))
            .map(UnixListener::from)
    }

    fn take(&mut self, place: &Place) -> Option<Socket> {
        let mut sockets = self.sockets.iter();
        let at = sockets.position(|socket| socket.place == *place)?;
        Some(self.sockets.swap_remove(at).socket)
    }
}

/// What is left, each with its name.
impl fmt::Display for PassedSockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.sockets.iter().map(PassedSocket::to_string).collect();
        f.write_str(&all.join(", "))
    }
}

impl PassedSocket {
    fn open(passed: Passed) -> Result<Self, String> {
        let name = passed.name;
        let socket = Socket::from(passed.descriptor);
        let place = look(&socket)
            .map_err(|problem| format!("the socket that is passed as {name:?} {problem}"))?;
        Ok(PassedSocket {
            name,
            place,
            socket,
        })
    }
}

impl fmt::Display for PassedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp(address) => write!(f, "{address}")?,
            Place::Unix(path) => write!(f, "unix:{}", path.display())?,
        }
        match self.name.as_str() {
            "" => Ok(()),
            name => write!(f, " ({name})"),
        }
    }
}

/// Where it listens.
fn look(socket: &Socket) -> Result<Place, String> {
    let unusable = |error: io::Error| format!("cannot be used: {error}");
    let address = socket.local_addr().map_err(unusable)?;
    let streams = socket.r#type().map_err(unusable)? == Type::STREAM;
    if !streams || !socket.is_listener().map_err(unusable)? {
        return Err(
            "is none that connections are accepted on: use ListenStream= with Accept=no".to_owned(),
        );
    }
    if address.as_socket_ipv6().is_some() && !socket.only_v6().map_err(unusable)? {
        let port = address.as_socket_ipv6().map_or(0, |address| address.port());
        return Err(format!(
            "takes IPv4 too: use BindIPv6Only=ipv6-only, and ListenStream=0.0.0.0:{port} for IPv4"
        ));
    }
    place(&address).ok_or_else(|| "has no address of TCP and no path".to_owned())
}

fn place(address: &SockAddr) -> Option<Place> {
    let tcp = address.as_socket().map(Place::Tcp);
    tcp.or_else(|| Some(Place::Unix(address.as_pathname()?.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::OwnedFd;

    use socket2::Domain;

    use super::*;

    fn passed(name: &str, descriptor: impl Into<OwnedFd>) -> Passed {
        let (name, descriptor) = (name.to_owned(), descriptor.into());
        Passed { name, descriptor }
    }

    fn refused(descriptor: impl Into<OwnedFd>) -> String {
        PassedSockets::open(vec![passed("web", descriptor)]).unwrap_err()
    }

    #[test]
    fn each_is_found_once_by_its_address_or_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let unix = UnixListener::bind(&path).unwrap();
        let all = vec![passed("web", tcp), passed("", unix)];
        let mut sockets = PassedSockets::open(all).unwrap();
        assert_eq!(
            sockets.to_string(),
            format!("{address} (web), unix:{}", path.display())
        );
        let other_port = SocketAddr::new(address.ip(), address.port() ^ 1);
        let other_address = SocketAddr::from(([127, 0, 0, 2], address.port()));
        assert!(sockets.take_tcp(other_port).is_none());
        assert!(sockets.take_tcp(other_address).is_none());
        let taken = sockets.take_tcp(address).unwrap();
        assert_eq!(taken.local_addr().unwrap(), address);
        assert!(sockets.take_tcp(address).is_none());
        assert!(!sockets.is_empty());
        assert!(sockets.take_unix(folder.path()).is_none());
        assert!(sockets.take_unix(&path).is_some() && sockets.is_empty());
    }

    #[test]
    fn what_nobody_can_accept_on_is_refused() {
        let wrong = "the socket that is passed as \"web\" is none that connections are accepted on";
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(refused(datagrams).starts_with(wrong));
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        bound.bind(&any.into()).unwrap();
        assert!(refused(bound).starts_with(wrong));
        let file = tempfile::tempfile().unwrap();
        assert!(refused(file).contains("cannot be used"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let same = listener.try_clone().unwrap();
        let twice = PassedSockets::open(vec![passed("a", listener), passed("b", same)]);
        assert!(twice.unwrap_err().ends_with("(b) is passed twice"));
    }

    #[test]
    fn a_socket_of_both_families_is_refused_and_one_of_one_is_not() {
        for (only_v6, good) in [(true, true), (false, false)] {
            let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
            socket.set_only_v6(only_v6).unwrap();
            let any: SocketAddr = "[::]:0".parse().unwrap();
            socket.bind(&any.into()).unwrap();
            socket.listen(1).unwrap();
            match PassedSockets::open(vec![passed("web", socket)]) {
                Ok(_) => assert!(good),
                Err(error) => assert!(!good && error.contains("ipv6-only"), "{error}"),
            }
        }
    }
}
