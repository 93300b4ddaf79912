//! A browser in small: it follows redirects at the provider and keeps its cookies.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::Url;

use super::PATIENCE;

#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
    root: Option<CertificateDer<'static>>,
}

/// What came back.
pub struct Page {
    pub status: u16,
    pub location: Option<Url>,
    pub body: String,
}

impl Browser {
    pub fn new() -> Browser {
        Browser::default()
    }

    pub fn trusting(root: CertificateDer<'static>) -> Browser {
        Browser {
            root: Some(root),
            ..Browser::default()
        }
    }

    /// Signs in as this user, agrees to all, and gives the query of the callback.
    pub fn sign_in(&mut self, url: &Url, user: &str) -> String {
        self.follow(url, &format!("yes?user={user}"))
    }

    pub fn decline(&mut self, url: &Url) -> String {
        self.follow(url, "no")
    }

    /// Follows redirects until one leads away from the provider; pages that ask something are answered.
    pub fn follow(&mut self, url: &Url, answer: &str) -> String {
        let (at_home, mut url) = (url.origin(), url.clone());
        for _ in 0..20 {
            if url.origin() != at_home {
                return url.query().unwrap_or_default().to_owned();
            }
            let page = self.get(&url);
            url = match page.location {
                Some(location) => location,
                None if page.body.contains("\"prompt\"") => {
                    Url::parse(&format!("{url}/{answer}")).unwrap()
                }
                None => panic!("{} at {url}: {}", page.status, page.body),
            };
        }
        panic!("redirects without end")
    }

    pub fn get(&mut self, url: &Url) -> Page {
        self.request("GET", url, "")
    }

    pub fn post(&mut self, url: &Url, form: &str) -> Page {
        self.request("POST", url, form)
    }

    fn request(&mut self, method: &str, url: &Url, form: &str) -> Page {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let length = form.len();
        // The answer to an old request is never in chunks.
        let request = format!(
            "{method} {target} HTTP/1.0\r\nHost: {host}\r\nCookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}",
            cookies.join("; ")
        );
        let stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let answer = match url.scheme() {
            "https" => exchange(self.secured(stream), &request),
            _ => exchange(stream, &request),
        };
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let mut location = None;
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "location" => location = Some(url.join(value).unwrap()),
                "set-cookie" => self.keep(value),
                _ => {}
            }
        }
        Page {
            status: head[9..12].parse().unwrap(),
            location,
            body: body.to_owned(),
        }
    }

    fn keep(&mut self, cookie: &str) {
        let (name, rest) = cookie.split_once('=').unwrap();
        match rest.split(';').next() {
            None | Some("") => self.cookies.remove(name),
            Some(value) => self.cookies.insert(name.to_owned(), value.to_owned()),
        };
    }

    fn secured(&self, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone().unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(session, stream)
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Some servers end TLS without saying so.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}
