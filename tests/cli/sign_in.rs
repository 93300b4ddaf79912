//! Signing in by browser in the process as it is run: its socket, what is kept on disk, and a second process beside it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use adit::handover::{
    BASE_COOKIE, FORM_COOKIE, FlowRequest, LOGOUT_PATH, SESSION_COOKIE, SIGN_IN_PATH, STATE_COOKIE,
    state_hash,
};
use adit::password::PasswordHash;
use adit::runtime::clock::Clock;
use adit::seal::Sealer;
use adit::secret::Secret;

use crate::support::folder::{BASE_HOST, HTTPS, driver};
use crate::support::http::Answer;
use crate::support::{Folder, HOST, Process};

const KEY: &str = "canary-key-that-everything-is-sealed-with";
const PASSWORD: &str = "canary correct horse";

fn text(folder: &Folder, sign_in: bool) -> String {
    let (driver, state) = (driver(), folder.path("state"));
    let hash = PasswordHash::make(PASSWORD.as_bytes(), [7; 16]).unwrap();
    let hash = std::str::from_utf8(hash.text()).unwrap();
    let (guard, table) = if sign_in {
        let user = format!("name = \"ana\"\npassword_hash = \"{hash}\"\nprojects = [\"proj-1\"]\n");
        (
            "rstream_auth",
            format!("[sign_in]\nseal_key_file = \"seal\"\n[[sign_in.user]]\n{user}"),
        )
    } else {
        ("public", String::new())
    };
    format!(
        "[engine]\nhost = \"{BASE_HOST}\"\nstate_dir = \"{}\"\n[cores]\ncount = 2\ndriver = \"{driver}\"\n\
         {HTTPS}[[project]]\nid = \"proj-1\"\nworkspace = \"ws-1\"\n[[tunnel]]\nhostname = \"{HOST}\"\n\
         project = \"proj-1\"\nupstream = \"http://127.0.0.1:1\"\n{guard} = true\n{table}",
        state.display()
    )
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("seal", 0o600, KEY);
    folder.configure(&text(&folder, true));
    folder
}

fn sockets(folder: &Folder) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path("state")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "sock"))
        .collect()
}

fn send(socket: &PathBuf, request: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Answer(text)
}

/// The value of a cookie that an answer leaves.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let (_, rest) = answer.0.split_once(&format!("set-cookie: {name}="))?;
    Some(rest.split_once(';')?.0.to_owned())
}

fn hidden(answer: &Answer, name: &str) -> String {
    let (_, rest) = answer
        .0
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

struct Browser {
    socket: PathBuf,
    port: u16,
}

impl Browser {
    fn get(&self, host: &str, target: &str, cookies: &str) -> Answer {
        let port = self.port;
        send(
            &self.socket,
            &format!(
                "GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nX-Forwarded-For: 192.0.2.1\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n"
            ),
        )
    }

    fn post(&self, host: &str, target: &str, cookies: &str, body: &str) -> Answer {
        let (port, length) = (self.port, body.len());
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/x-www-form-urlencoded\r\n"
        };
        send(
            &self.socket,
            &format!(
                "POST {target} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: https://{host}:{port}\r\n\
                 Cookie: {cookies}\r\n{kind}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ),
        )
    }

    /// The cookies at the base host and at the tunnel.
    fn signs_in(&self) -> (String, String) {
        let link = link();
        let page = self.get(BASE_HOST, &link, "");
        let form = cookie(&page, FORM_COOKIE).unwrap();
        let body = format!(
            "request={}&form_token={}&user=ana&password={}",
            hidden(&page, "request"),
            hidden(&page, "form_token"),
            PASSWORD.replace(' ', "+")
        );
        let answer = self.post(
            BASE_HOST,
            SIGN_IN_PATH,
            &format!("{FORM_COOKIE}={form}"),
            &body,
        );
        assert_eq!(answer.status(), 200, "{}", answer.0);
        let (_, place) = answer.0.split_once("content=\"0; url=").unwrap();
        let place = place.split('"').next().unwrap();
        let start = format!("https://{HOST}:{}", self.port);
        let back = self.get(
            HOST,
            place.strip_prefix(&start).unwrap(),
            &format!("{STATE_COOKIE}=state"),
        );
        assert_eq!(back.status(), 302, "{}", back.0);
        let base = cookie(&answer, BASE_COOKIE).unwrap();
        (base, cookie(&back, SESSION_COOKIE).unwrap())
    }

    /// Whether the base host knows who this is.
    fn is_known(&self, base: &str) -> bool {
        let answer = self.get(BASE_HOST, &link(), &format!("{BASE_COOKIE}={base}"));
        answer.status() == 302
    }

    fn signs_out(&self, session: &str) {
        let answer = self.post(
            HOST,
            LOGOUT_PATH,
            &format!("{SESSION_COOKIE}={session}"),
            "",
        );
        assert_eq!(answer.status(), 204, "{}", answer.0);
    }
}

/// What a core sends a browser to.
fn link() -> String {
    let sealer = Sealer::new(Secret::new(KEY.as_bytes().to_vec()), None).unwrap();
    let request = FlowRequest {
        host: HOST,
        target: "/a",
        state: state_hash(b"state"),
        expires_at: Clock::default().now().unix_seconds() + 60,
    };
    let sealed = request.seal(&sealer, BASE_HOST, &[9; 32]);
    format!("{SIGN_IN_PATH}?request={sealed}")
}

#[test]
fn a_sign_out_outlives_the_process_and_nothing_else_is_left_of_it() {
    let folder = folder();
    let process = Process::run(&folder);
    let [socket] = sockets(&folder).try_into().unwrap();
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let browser = Browser {
        socket,
        port: process.address("https").port(),
    };
    let (base, session) = browser.signs_in();
    assert!(browser.is_known(&base));
    browser.signs_out(&session);
    assert!(!browser.is_known(&base));
    process.signal("TERM");
    let finished = process.finish();
    assert_eq!(finished.code, 0);
    assert!(!finished.err.contains("canary") && !finished.out.contains("canary"));
    assert_eq!(sockets(&folder), Vec::<PathBuf>::new());
    let list = fs::metadata(folder.path("state/ended-sessions.json")).unwrap();
    assert_eq!(list.permissions().mode() & 0o777, 0o600);
    let process = Process::run(&folder);
    let [socket] = sockets(&folder).try_into().unwrap();
    let browser = Browser {
        socket,
        port: process.address("https").port(),
    };
    assert!(!browser.is_known(&base));
}

#[test]
fn a_process_takes_over_the_sign_outs_of_the_one_beside_it() {
    let folder = folder();
    let first = Process::run(&folder);
    let [socket] = sockets(&folder).try_into().unwrap();
    let port = first.address("https").port();
    let one = Browser { socket, port };
    let mut second = Process::run(&folder);
    let socket = sockets(&folder)
        .into_iter()
        .find(|socket| *socket != one.socket)
        .unwrap();
    let port = second.address("https").port();
    let other = Browser { socket, port };
    let (base, session) = one.signs_in();
    assert!(one.is_known(&base) && other.is_known(&base));
    one.signs_out(&session);
    second.event("sign_outs_taken_over");
    assert!(!other.is_known(&base));
}

#[test]
fn a_reload_begins_and_what_is_broken_does_not_start() {
    let folder = Folder::new();
    folder.write("seal", 0o600, KEY);
    folder.configure(&text(&folder, false));
    let mut process = Process::run(&folder);
    assert!(!folder.path("state").exists());
    folder.configure(&text(&folder, true));
    process.signal("HUP");
    process.event_saying("config_reloaded", "sign_in");
    let [socket] = sockets(&folder).try_into().unwrap();
    let port = process.address("https").port();
    let (base, _) = Browser { socket, port }.signs_in();
    assert!(!base.is_empty());
    process.signal("TERM");
    assert_eq!(process.finish().code, 0);
    folder.write("state/ended-sessions.json", 0o600, "{");
    let finished = Process::begin(&folder, |_| ()).finish();
    assert_eq!(finished.code, 1);
    assert!(
        finished.err.contains("who was signed out is not known"),
        "{}",
        finished.err
    );
}

#[test]
fn another_seal_key_is_told_by_a_reload_and_its_value_is_not() {
    let folder = folder();
    let mut process = Process::run(&folder);
    let new = "canary-another-key-that-all-is-sealed-with";
    folder.write("seal", 0o600, new);
    let event = process.event("config_reloaded");
    assert_eq!(event["changes"], "what cookies are sealed with");
    process.signal("TERM");
    let said = process.finish();
    assert!(!format!("{}{}", said.out, said.err).contains("canary"));
}
