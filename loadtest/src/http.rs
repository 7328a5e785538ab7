//! HTTP/1.1 over one kept-alive connection: no pool, no redirects, nothing between the measurement and the socket.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than the longest wait a replica grants.
const ANSWER_LIMIT: Duration = Duration::from_secs(65);

/// Why a request did not succeed: the error code of the answer, or what happened to the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// What a request got: the body of a 2xx.
pub type Answer = Result<Bytes, Failure>;

/// A request that can be sent any number of times.
#[derive(Clone, Debug)]
pub struct Ask {
    method: Method,
    path: Uri,
    body: Bytes,
}

impl Ask {
    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path, Bytes::new())
    }

    pub fn post(path: &str, body: &Value) -> Self {
        Self::new(Method::POST, path, body.to_string().into())
    }

    pub fn patch(path: &str, body: &Value) -> Self {
        Self::new(Method::PATCH, path, body.to_string().into())
    }

    /// A path that is none becomes `/`, which no scenario asks for: it would show as an error.
    fn new(method: Method, path: &str, body: Bytes) -> Self {
        Self { method, path: path.parse().unwrap_or_default(), body }
    }
}

/// A connection that is opened again when it breaks.
pub struct Connection {
    address: String,
    authorization: Option<HeaderValue>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// To the host and port of `url`; the rest of it is ignored. Opened at the first request.
    ///
    /// # Errors
    /// When it is not an `http://` URL.
    pub fn new(url: &str, key: Option<&str>) -> Result<Self> {
        let rest = url.strip_prefix("http://").ok_or_else(|| anyhow!("{url} is not an http:// URL"))?;
        let host = rest.split('/').next().unwrap_or_default();
        let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let authorization = key.map(|k| HeaderValue::from_str(&format!("Bearer {k}"))).transpose().context("a key is plain text")?;
        Ok(Self { address, authorization, sender: None })
    }

    /// Opens the connection now, so that the first request does not pay for it.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(&mut self) -> Result<(), Failure> {
        if self.sender.as_ref().is_some_and(|s| !s.is_closed()) {
            return Ok(());
        }
        let stream = TcpStream::connect(&self.address).await.map_err(|e| Failure(format!("connect: {}", e.kind())))?;
        let _ = stream.set_nodelay(true); // a delay would show in the numbers, nothing else
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Failure("connect: handshake".into()))?;
        tokio::spawn(connection); // its error reaches the request that runs
        self.sender = Some(sender);
        Ok(())
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// Any answer but a 2xx, by its error code; a broken connection; no answer in time.
    pub async fn send(&mut self, ask: Ask) -> Answer {
        self.open().await?;
        let mut request = Request::builder().method(ask.method).uri(ask.path).header(HOST, &self.address);
        if !ask.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(ask.body)).map_err(|e| Failure(format!("request: {e}")))?;
        let answer = timeout(ANSWER_LIMIT, self.exchange(request)).await.unwrap_or_else(|_| Err(Failure("no answer".into())));
        if matches!(&answer, Err(e) if e.0 == "no answer" || e.0 == "connection lost") {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Answer {
        let lost = |_| Failure("connection lost".into());
        let Some(sender) = self.sender.as_mut() else { return Err(Failure("connection lost".into())) };
        sender.ready().await.map_err(lost)?;
        let (head, body) = sender.send_request(request).await.map_err(lost)?.into_parts();
        let body = body.collect().await.map_err(lost)?.to_bytes();
        if head.status.is_success() { Ok(body) } else { Err(refusal(head.status.as_u16(), &body)) }
    }
}

/// `429 rate_limited`: the status, and the code where the body has one.
fn refusal(status: u16, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match body["error"].as_str() {
        Some(code) => Failure(format!("{status} {code}")),
        None => Failure(status.to_string()),
    }
}

/// Reads an answer's JSON.
///
/// # Errors
/// When it does not have this shape.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|e| Failure(format!("unexpected answer: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_counted_by_status_and_code() {
        assert_eq!(refusal(409, br#"{"error":"already_claimed","message":"x"}"#).0, "409 already_claimed");
        assert_eq!(refusal(502, b"<html>").0, "502");
    }

    #[test]
    fn a_url_is_a_host_and_a_port() {
        assert_eq!(Connection::new("http://127.0.0.1:8080/", None).expect("fine").address, "127.0.0.1:8080");
        assert_eq!(Connection::new("http://bus.example", None).expect("fine").address, "bus.example:80");
        assert!(Connection::new("https://bus.example", None).is_err());
    }
}
