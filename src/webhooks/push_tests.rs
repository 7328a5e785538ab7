use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::guard::Lookup;
use super::*;

/// Answers each question with the next of its addresses, the last one for ever.
struct Flips {
    answers: Vec<SocketAddr>,
    asked: AtomicUsize,
}

impl Lookup for Flips {
    fn addresses(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        let n = self.asked.fetch_add(1, SeqCst).min(self.answers.len() - 1);
        let answer = self.answers[n];
        Box::pin(async move { Ok(vec![answer]) })
    }
}

/// A receiver that answers with these bytes and counts its connections.
async fn receiver(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (address, accepted) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let count = accepted.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, SeqCst);
            tokio::spawn(async move {
                let mut head = [0u8; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer).await;
            });
        }
    });
    (address, accepted)
}

fn pusher(networks: &[&str], answers: Vec<SocketAddr>) -> Pusher {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let networks: Vec<_> = networks.iter().map(|n| n.parse().expect("a network")).collect();
    let guard = Guard::new(&networks, false, Arc::new(Flips { answers, asked: AtomicUsize::new(0) }));
    Pusher::new(guard, Duration::from_secs(10), 4).expect("a client")
}

async fn push(pusher: &Pusher, url: &str) -> Outcome {
    let signer = Signer::of("s");
    let url = Url::parse(url).expect("a URL");
    let push = Push {
        url: &url,
        signer: signer.as_ref(),
        delivery: "dlv_1",
        event: "webhook.test",
        attempt: 1,
        timestamp: 1_760_000_000,
        body: "{}".into(),
        span: None,
    };
    pusher.push(push).await
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

#[tokio::test]
async fn a_name_that_flips_to_loopback_is_not_connected_to() {
    let (address, accepted) = receiver(OK).await;
    // Allowed at first; the connection is closed, and the next resolution says something else.
    let other: SocketAddr = "127.9.9.9:0".parse().expect("an address");
    let loopback: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let pusher = pusher(&["127.0.0.1/32"], vec![loopback, other]);
    let url = format!("http://receiver.example:{}/", address.port());
    assert!(push(&pusher, &url).await.delivered());
    assert_eq!(push(&pusher, &url).await.error, "refused_address");
    assert_eq!(accepted.load(SeqCst), 1);
}

#[tokio::test]
async fn loopback_and_names_of_it_are_refused_before_a_connection() {
    let (address, accepted) = receiver(OK).await;
    let pusher = pusher(&[], vec!["127.0.0.1:0".parse().expect("an address")]);
    for host in ["127.0.0.1", "localhost", "receiver.example", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let outcome = push(&pusher, &format!("http://{host}:{}/", address.port())).await;
        assert_eq!((outcome.error, outcome.status), ("refused_address", 0), "{host}");
        assert!(!outcome.silent());
    }
    assert_eq!(accepted.load(SeqCst), 0, "something was connected to");
}

#[tokio::test]
async fn only_2xx_is_delivered_and_redirects_are_not_followed() {
    for (answer, status, error) in [
        (OK, 200, ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        (b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n", 302, "redirect"),
        (b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", 410, "status_4xx"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", 500, "status_5xx"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\nbroken off", 200, ""),
        (b"nonsense", 0, "broken"),
    ] as [(&'static [u8], u16, &str); 7]
    {
        let (address, accepted) = receiver(answer).await;
        let outcome = push(&pusher(&["127.0.0.0/8"], vec![address]), &format!("http://{address}/")).await;
        assert_eq!((outcome.status, outcome.error), (status, error), "{}", answer.escape_ascii());
        assert_eq!(accepted.load(SeqCst), 1);
    }
}

#[tokio::test]
async fn a_receiver_may_say_how_long_to_wait_and_a_silent_one_is_left() {
    let (address, _) = receiver(b"HTTP/1.1 429 Slow\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n").await;
    let outcome = push(&pusher(&["127.0.0.0/8"], vec![address]), &format!("http://{address}/")).await;
    assert_eq!((outcome.status, outcome.retry_after), (429, Some(Duration::from_secs(90))));

    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("an address");
    let outcome = push(&pusher(&["127.0.0.0/8"], vec![address]), &format!("http://{address}/")).await;
    assert_eq!((outcome.error, outcome.silent()), ("timeout", true));
    drop(silent);
    assert_eq!(push(&pusher(&["127.0.0.0/8"], vec![address]), &format!("http://{address}/")).await.error, "connect");
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = [0u8; 4096];
        let _ = stream.read(&mut head).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"400\r\n").await.is_ok()
            && stream.write_all(&[b'x'; 1024]).await.is_ok()
            && stream.write_all(b"\r\n").await.is_ok()
        {}
    });
    let outcome = push(&pusher(&["127.0.0.0/8"], vec![address]), &format!("http://{address}/")).await;
    assert!(outcome.delivered() && outcome.took < Duration::from_secs(8), "{outcome:?}");
}
