//! A base host that has nothing but the pages, and remembers what comes back from them. Where they lead is on a second
//! origin, and redirects once more to a third.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use adit::pages::{
    self, Brand, ChallengePage, Failure, Header, Logo, Page, SignInError, SignInPage,
};

use crate::support::process::PATIENCE;

/// Pages to look at, by the last part of their address.
pub const PAGES: [&str; 17] = [
    "sign_in",
    "wrong_password",
    "too_many_attempts",
    "form_expired",
    "denied",
    "sign_out",
    "signed_out",
    "hand_over",
    "challenge",
    "expired",
    "unavailable",
    "unauthorized",
    "not_found",
    "misdirected",
    "bad_gateway",
    "overloaded",
    "logo",
];

pub const NONCE: &str = "q83vEjRWeJCrze8SNFZ4kA";
const HOST: &str = "app.t.edge.example:8443";
const LONG_HOST: &str =
    "a-rather-long-name-of-a-tunnel-that-somebody-chose-one-day.eu-west-1.t.edge.example";

/// A request that came back from a page.
pub struct Got {
    pub target: String,
    pub body: String,
    head: String,
}

impl Got {
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

pub struct Server {
    address: SocketAddr,
    posts: Receiver<Got>,
    solutions: Receiver<Got>,
    arrivals: Receiver<Got>,
}

impl Server {
    pub fn start() -> Server {
        let (post, posts) = channel();
        let (solution, solutions) = channel();
        let (arrival, arrivals) = channel();
        let third = serve(|_| Response::text("there"));
        let second = serve(move |got| {
            drop(arrival.send(got));
            Response::redirect(&format!("http://{third}/"))
        });
        let address = serve(move |got| base_host(got, second, &post, &solution));
        Server {
            address,
            posts,
            solutions,
            arrivals,
        }
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn url(&self, page: &str) -> String {
        format!("http://{}/page/{page}", self.address)
    }

    pub fn next_post(&self) -> Got {
        self.posts.recv_timeout(PATIENCE).expect("no form came")
    }

    pub fn next_solution(&self) -> Got {
        self.solutions
            .recv_timeout(PATIENCE)
            .expect("no solution came")
    }

    pub fn next_arrival(&self) -> Got {
        self.arrivals
            .recv_timeout(PATIENCE)
            .expect("nobody was led on")
    }
}

fn base_host(got: Got, tunnel: SocketAddr, post: &Sender<Got>, solution: &Sender<Got>) -> Response {
    let path = got.target.split('?').next().unwrap().to_owned();
    if let Some(name) = path.strip_prefix("/page/") {
        return Response::page(page(name, tunnel));
    }
    if path == "/rstream/challenge" {
        solution.send(got).unwrap();
        return Response::redirect(&format!("http://{tunnel}/arrived"));
    }
    if path == pages::SIGN_IN_PATH || path == pages::SIGN_OUT_PATH {
        post.send(got).unwrap();
        let address = format!("http://{tunnel}/arrived?code=c&request=r-1");
        return Response::page(pages::hand_over(&brand(None), HOST, &address));
    }
    let logo = logo();
    match pages::asset(Some(&logo), &path) {
        Some(asset) => Response::new(200, asset.content_type, &asset.headers, asset.body),
        None => Response::new(404, "text/plain", &[], b""),
    }
}

fn logo() -> Logo {
    let svg = br##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><style>circle{fill:#c2410c}</style><circle cx="20" cy="20" r="18"/><circle cx="60" cy="20" r="18" opacity=".6"/><circle cx="100" cy="20" r="18" opacity=".3"/></svg>"##;
    Logo::parse(svg.to_vec()).unwrap()
}

fn brand(logo: Option<Logo>) -> Brand {
    Brand {
        title: "Example Works".to_owned(),
        logo,
    }
}

fn sign_in(brand: &Brand, tunnel_host: &str, error: Option<SignInError>) -> Page {
    let page = SignInPage {
        tunnel_host,
        request: "r-1",
        form_token: "f-1",
        user_name: error.map(|_| "ana <ana@example.com>"),
        error,
    };
    pages::sign_in(brand, &page)
}

fn page(name: &str, tunnel: SocketAddr) -> Page {
    let brand = &brand((name == "logo").then(logo));
    let failed = |which| pages::failure(brand, which, "01JD5Z3QK8-7f3a9c");
    match name {
        "sign_in" => sign_in(brand, HOST, None),
        "logo" => sign_in(brand, LONG_HOST, None),
        "wrong_password" => sign_in(brand, HOST, Some(SignInError::WrongPassword)),
        "too_many_attempts" => sign_in(brand, HOST, Some(SignInError::TooManyAttempts)),
        "form_expired" => sign_in(brand, HOST, Some(SignInError::Expired)),
        "denied" => {
            let page = pages::DeniedPage {
                tunnel_host: HOST,
                user_name: Some("ana"),
                form_token: "f-1",
            };
            pages::denied(brand, &page)
        }
        "sign_out" => pages::sign_out(brand, "f-1"),
        "signed_out" => pages::signed_out(brand),
        // It would be gone before it was seen.
        "hand_over" => {
            let mut page = pages::hand_over(brand, HOST, "https://app.t.edge.example:8443/");
            page.body = page.body.replace(" http-equiv=\"refresh\"", "");
            page
        }
        // As hard as no browser solves: it stays as it is.
        "challenge" => challenge(brand, NONCE, pages::BITS_MAX, tunnel),
        // Over one block, which the worker does not take.
        "broken_challenge" => challenge(brand, &"n".repeat(60), 12, tunnel),
        "expired" => pages::expired(brand, Some(HOST)),
        "unavailable" => pages::unavailable(brand),
        "unauthorized" => failed(Failure::Unauthorized),
        "not_found" => failed(Failure::NotFound),
        "misdirected" => failed(Failure::Misdirected),
        "bad_gateway" => failed(Failure::BadGateway),
        "overloaded" => failed(Failure::Unavailable),
        other => {
            let bits = other.strip_prefix("solve/").unwrap();
            challenge(brand, NONCE, bits.parse().unwrap(), tunnel)
        }
    }
}

fn challenge(brand: &Brand, nonce: &str, difficulty_bits: u8, tunnel: SocketAddr) -> Page {
    let page = ChallengePage {
        tunnel_host: HOST,
        request: "r-1&a",
        nonce,
        difficulty_bits,
        return_url: &format!("http://{tunnel}/again"),
    };
    pages::challenge(brand, &page)
}

struct Response(Vec<u8>);

impl Response {
    fn new(status: u16, content_type: &str, headers: &[Header], body: &[u8]) -> Response {
        let mut head = format!(
            "HTTP/1.1 {status} -\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("Connection: close\r\n\r\n");
        Response([head.as_bytes(), body].concat())
    }

    fn page(page: Page) -> Response {
        // A status that is an error would be a line in the console, which is to stay empty.
        Response::new(200, page.content_type, &page.headers, page.body.as_bytes())
    }

    fn text(text: &str) -> Response {
        Response::new(200, "text/plain", &[], text.as_bytes())
    }

    fn redirect(to: &str) -> Response {
        let head = format!("HTTP/1.1 303 -\r\nLocation: {to}\r\nContent-Length: 0\r\n");
        Response([head.as_bytes(), b"Connection: close\r\n\r\n"].concat())
    }
}

/// Answers on a port that the kernel picks, until the test ends.
fn serve(answer: impl Fn(Got) -> Response + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            // A browser opens connections that it never uses.
            std::thread::spawn(move || drop(exchange(stream, answer)));
        }
    });
    address
}

fn exchange(mut stream: TcpStream, answer: impl Fn(Got) -> Response) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let target = head.split(' ').nth(1).unwrap().to_owned();
    let body = String::from_utf8(body).unwrap();
    let response = answer(Got { target, body, head });
    stream.write_all(&response.0)
}
