//! Requests whose head cannot be read. hyper answers them itself, with a bare status; that answer is held back ([`super::stream`]), and
//! the router's error is sent in its place, so that these errors look and are counted like all others.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use http::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tower::Service;

/// How long a client may go on sending after the answer: closing earlier resets the connection, and the answer is lost.
const LINGER: Duration = Duration::from_secs(1);
/// Longer than hyper's own answer, shorter than any of ours.
const BARE: usize = 200;

/// Stands in the extensions of the request that the router is given in place of the one that could not be read.
#[derive(Clone, Copy, Debug)]
pub struct Unreadable(pub StatusCode);

/// Whether these bytes are an answer that hyper made up: a 4xx without body and without a header of ours.
pub(super) fn is_bare(bytes: &[u8]) -> bool {
    bytes.len() < BARE
        && bytes.starts_with(b"HTTP/1.")
        && bytes.ends_with(b"\r\n\r\n")
        && status(bytes).is_some_and(|s| s.is_client_error())
        && {
            let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
            text.contains("\r\ncontent-length: 0\r\n") && !text.contains("\r\nx-request-id:")
        }
}

fn status(bytes: &[u8]) -> Option<StatusCode> {
    StatusCode::from_bytes(bytes.get(9..12)?).ok()
}

/// Sends the router's answer in place of `bare`, and closes.
///
/// # Errors
/// When the client is gone.
pub(super) async fn answer<S>(mut stream: S, bare: &[u8], mut router: Router, peer: SocketAddr) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = Request::new(Body::empty());
    // No route: what was asked for is not known.
    *request.uri_mut() = http::Uri::from_static("*");
    request.extensions_mut().insert(ConnectInfo(peer));
    request.extensions_mut().insert(Unreadable(status(bare).unwrap_or(StatusCode::BAD_REQUEST)));
    let Ok(response) = router.call(request).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(std::io::Error::other)?;

    let mut bytes = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != http::header::CONTENT_LENGTH) {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    // hyper has written the time of day already.
    let date = bare.split(|b| *b == b'\n').find(|line| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"date:")));
    bytes.extend(date.map(|line| [line, b"\n"].concat()).unwrap_or_default());
    bytes.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).into_bytes());
    bytes.extend(body);
    stream.write_all(&bytes).await?;
    stream.shutdown().await?;
    let _ = tokio::time::timeout(LINGER, async { while stream.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {} }).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_bare;

    #[test]
    fn only_an_answer_without_anything_of_ours_is_bare() {
        let bare = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sun, 22 Nov 2026 07:00:00 GMT\r\n\r\n";
        assert!(is_bare(bare));
        assert!(!is_bare(&bare[..bare.len() - 1]), "not whole");
        assert!(!is_bare(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
        assert!(!is_bare(b"HTTP/1.1 404 Not Found\r\nx-request-id: a\r\ncontent-length: 0\r\n\r\n"));
        assert!(!is_bare(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"));
    }
}
