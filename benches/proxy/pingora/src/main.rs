//! Pingora doing what adit does: signature and expiry of a bearer, a rule on the path, the bearer kept from the upstream.
//!
//! Arguments: the upstream, then for each port `road=address`, where a road is hs256, es256, rs256, tls (hs256 over TLS) or
//! plain. Keys and certificate are read from the working folder, as scripts/bench.sh leaves them there.

use std::error::Error;
use std::fs::read;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::{HttpPeer, Server};
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::services::listening::Service;
use serde::Deserialize;

/// The claim that is checked; all others are let through.
#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "exp")]
    _expires: u64,
}

struct Key {
    key: DecodingKey,
    rules: Validation,
}

impl Key {
    fn new(algorithm: Algorithm, key: DecodingKey) -> Self {
        let mut rules = Validation::new(algorithm);
        rules.leeway = 0;
        rules.validate_aud = false;
        Key { key, rules }
    }
}

struct Guard {
    /// `None`: everything passes.
    key: Option<Key>,
    upstream: HttpPeer,
}

impl Guard {
    /// The status of a refusal, if it is one.
    fn refuses(&self, request: &RequestHeader) -> Option<u16> {
        let key = self.key.as_ref()?;
        let authorization = request.headers.get("authorization");
        let token = authorization
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match token {
            Some(token) if decode::<Claims>(token, &key.key, &key.rules).is_ok() => {
                (!request.uri.path().starts_with("/api/")).then_some(403)
            }
            _ => Some(401),
        }
    }
}

#[async_trait]
impl ProxyHttp for Guard {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> pingora::Result<bool> {
        let Some(status) = self.refuses(session.req_header()) else {
            return Ok(false);
        };
        let mut answer = ResponseHeader::build(status, Some(1))?;
        answer.insert_header("Content-Length", "0")?;
        session
            .write_response_header(Box::new(answer), true)
            .await?;
        Ok(true)
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(self.upstream.clone()))
    }

    async fn upstream_request_filter(
        &self,
        _: &mut Session,
        request: &mut RequestHeader,
        (): &mut (),
    ) -> pingora::Result<()> {
        request.remove_header("authorization");
        Ok(())
    }
}

fn key_of(road: &str) -> Result<Option<Key>, Box<dyn Error>> {
    Ok(match road {
        "hs256" | "tls" => {
            let key = DecodingKey::from_secret(&read("secret")?);
            Some(Key::new(Algorithm::HS256, key))
        }
        "es256" => {
            let key = DecodingKey::from_ec_pem(&read("es256.pub")?)?;
            Some(Key::new(Algorithm::ES256, key))
        }
        "rs256" => {
            let key = DecodingKey::from_rsa_pem(&read("rs256.pub")?)?;
            Some(Key::new(Algorithm::RS256, key))
        }
        _ => None,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let upstream = arguments.next().ok_or("the upstream is missing")?;
    let mut server = Server::new(None)?;
    server.bootstrap();
    for argument in arguments {
        let (road, address) = argument.split_once('=').ok_or("expected road=address")?;
        let guard = Guard {
            key: key_of(road)?,
            upstream: HttpPeer::new(&upstream, false, String::new()),
        };
        let mut service: Service<_> = http_proxy_service(&server.configuration, guard);
        if road == "tls" {
            service.add_tls(address, "server.crt", "server.key")?;
        } else {
            service.add_tcp(address);
        }
        server.add_service(service);
    }
    server.run_forever()
}
