//! Where cores send what belongs to the flows of browsers: a socket in the private folder, and the rules in force.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ring::rand::{SecureRandom, SystemRandom};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Engine;
use super::provider::KeptProvider;
use crate::config;
use crate::config::settings::Settings;
use crate::control::compile;
use crate::control::ended_sessions::EndedSessions;
use crate::control::start::StartError;
use crate::control::state::Folder;
use crate::flow::{Rules, RulesInForce};
use crate::oidc::Provider;
use crate::runtime::clock::Clock;
use crate::runtime::socket::Address;
use crate::upstream::Origin;

/// Connections that wait to be accepted: one of each core and request at most.
const BACKLOG: i32 = 1024;

/// The flows' side of an engine.
pub(super) struct Flows {
    rules: RulesInForce,
    /// See [`crate::flow::Builtin::new`].
    secret: [u8; 32],
    provider: KeptProvider,
    clock: Clock,
    state_dir: PathBuf,
    socket: Mutex<Option<SocketFile>>,
    /// To whoever serves.
    listeners: UnboundedSender<UnixListener>,
    inbox: Mutex<Option<UnboundedReceiver<UnixListener>>>,
}

/// What is known of sign-outs, which every core must have before it accepts, and the flows.
pub(super) fn open(
    settings: &Settings,
    public_port: u16,
    clock: &Clock,
) -> Result<(EndedSessions, Flows), StartError> {
    let ended = EndedSessions::load(&settings.engine.state_dir);
    let ended = ended.map_err(StartError::EndedSessions)?;
    Ok((ended, Flows::open(settings, public_port, clock)?))
}

impl Flows {
    /// Binds the socket, if these settings have use for it.
    fn open(settings: &Settings, public_port: u16, clock: &Clock) -> Result<Self, StartError> {
        let mut secret = [0; 32];
        SystemRandom::new()
            .fill(&mut secret)
            .map_err(|_| StartError::Flow("the system has no randomness to give".to_owned()))?;
        let (listeners, inbox) = unbounded_channel();
        let provider = KeptProvider::default();
        let elsewhere = provider.of(settings, public_port, clock)?;
        let first = rules(settings, public_port, &secret, elsewhere)?;
        let flows = Flows {
            rules: Arc::new(RwLock::new(Arc::new(first))),
            secret,
            provider,
            clock: clock.clone(),
            state_dir: settings.engine.state_dir.clone(),
            socket: Mutex::new(None),
            listeners,
            inbox: Mutex::new(Some(inbox)),
        };
        flows.bind(settings)?;
        Ok(flows)
    }

    /// Puts the rules of other settings in force.
    pub(super) fn follow(&self, settings: &Settings, public_port: u16) -> Result<(), StartError> {
        let elsewhere = self.provider.of(settings, public_port, &self.clock)?;
        let new = Arc::new(rules(settings, public_port, &self.secret, elsewhere)?);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Where cores send what belongs to the flows. `None`: nothing listens.
    pub(super) fn origin(&self) -> Option<Origin> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.as_ref().map(|file| Origin {
            id: ORIGIN_ID,
            address: Address::Unix(file.0.clone()),
            tls: None,
            server: 0,
        })
    }

    /// Binds the socket, if these settings have use for it and it is not there yet.
    pub(super) fn bind(&self, settings: &Settings) -> Result<(), StartError> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let is_needed = settings.sign_in.is_some() || settings.challenge.is_some();
        if !is_needed || socket.is_some() {
            return Ok(());
        }
        let (file, listener) = bind(&self.state_dir).map_err(|problem| {
            StartError::Flow(format!(
                "no socket in {} (engine.state_dir): {problem}",
                self.state_dir.display()
            ))
        })?;
        // Whoever serves may not be there yet.
        let _ = self.listeners.send(listener);
        *socket = Some(file);
        Ok(())
    }
}

/// No server of a tunnel has this number.
const ORIGIN_ID: u64 = 0;

fn rules(
    settings: &Settings,
    public_port: u16,
    secret: &[u8; 32],
    elsewhere: Option<Arc<Provider>>,
) -> Result<Rules, StartError> {
    let rules = compile::flows::rules(settings, public_port, secret, elsewhere);
    rules.ok_or_else(|| StartError::Flow("engine.host is not a host name".to_owned()))
}

impl Engine {
    /// Removes the socket: the process ends.
    pub(in crate::control) fn close_flows(&self) {
        let socket = self.flows.socket.lock();
        socket.unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(in crate::control) fn flow_rules(&self) -> RulesInForce {
        self.flows.rules.clone()
    }

    /// The listeners to serve on; only the first who asks gets them.
    pub(in crate::control) fn flow_inbox(&self) -> Option<UnboundedReceiver<UnixListener>> {
        let inbox = self.flows.inbox.lock();
        inbox.unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A socket's file, removed with this.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(event = "socket_left", %error);
        }
    }
}

/// Its name is new each time: processes of two containers may have the same number. Until it listens nobody else can
/// connect, and nobody but our user after that.
fn bind(state_dir: &Path) -> Result<(SocketFile, UnixListener), String> {
    let text = |error: io::Error| error.to_string();
    let folder = Folder::open(state_dir).map_err(text)?;
    remove_stale(state_dir).map_err(text)?;
    let mut number = [0; 4];
    SystemRandom::new()
        .fill(&mut number)
        .map_err(|_| "the system has no randomness to give".to_owned())?;
    let (process, number) = (std::process::id(), u32::from_ne_bytes(number));
    let path = folder.path(&format!("flow-{process}-{number:08x}.sock"));
    // It is not there; what is looked at is who may exchange it.
    config::state_file(&path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(text)?;
    let address = SockAddr::unix(&path).map_err(text)?;
    socket.bind(&address).map_err(text)?;
    let file = SocketFile(path);
    fs::set_permissions(&file.0, Permissions::from_mode(0o600)).map_err(text)?;
    socket.listen(BACKLOG).map_err(text)?;
    socket.set_nonblocking(true).map_err(text)?;
    Ok((file, UnixListener::from(socket)))
}

/// What processes left that did not end by themselves. Called with the folder locked, so none is about to listen.
fn remove_stale(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let is_ours = name.is_some_and(|name| name.starts_with("flow-") && name.ends_with(".sock"));
        if !is_ours {
            continue;
        }
        let connected = UnixStream::connect(&path);
        if connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_socket_is_private_and_removed_by_whoever_comes_next() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("state");
        let (file, listener) = bind(&folder).unwrap();
        let mode = fs::metadata(&file.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(UnixStream::connect(&file.0).is_ok());
        // One that is alive stays, and one that died goes.
        let (second, _second_listener) = bind(&folder).unwrap();
        assert_eq!(names(&folder).len(), 2);
        drop(listener);
        let left = file.0.clone();
        std::mem::forget(file);
        let (third, _third_listener) = bind(&folder).unwrap();
        assert!(!left.exists() && second.0.exists() && third.0.exists());
        drop((second, third));
        assert_eq!(names(&folder).len(), 0);
    }

    #[test]
    fn a_folder_that_others_can_write_holds_no_socket() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o777)).unwrap();
        let problem = bind(root.path()).unwrap_err();
        assert!(problem.contains("by other users"), "{problem}");
        assert_eq!(names(root.path()).len(), 0);
    }
}
