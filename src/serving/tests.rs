use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;

/// What takes longer than this was not cut for being slow; far from it, since this process may have to wait for its turn.
const SOON: Duration = Duration::from_secs(30);

const LIMITS: Limits = Limits {
    max_connections: 100,
    request_read_timeout: Duration::from_millis(300),
    idle_timeout: Duration::from_secs(2),
    write_timeout: Duration::from_millis(300),
    drain: Duration::from_secs(5),
};

/// Who is cut here in seconds was too slow: nobody is cut for being idle.
const ONLY_SLOW: Limits = Limits { idle_timeout: Duration::from_secs(60), ..LIMITS };

/// A served router that can be left.
struct Running {
    address: SocketAddr,
    shutdown: Shutdown,
    ended: JoinHandle<()>,
}

fn run(router: Router, limits: Limits) -> Running {
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let shutdown = Shutdown::new();
    let ended = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
    Running { address, shutdown, ended }
}

fn hello() -> Router {
    Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
}

/// Answers after half a second.
fn slow() -> Router {
    answering_after(Duration::from_millis(500))
}

fn answering_after(pause: Duration) -> Router {
    let answer = move || async move {
        tokio::time::sleep(pause).await;
        "done"
    };
    Router::new().route("/", get(answer))
}

async fn send(to: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.expect("connected");
    stream.write_all(text.as_bytes()).await.expect("written");
    stream
}

/// Everything until the server closes, which it does within 10 s; what came before a reset counts too.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.expect("closed in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One response with a short body, on a connection that stays open.
async fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let n = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut bytes)).await.expect("in time").expect("read");
    String::from_utf8_lossy(&bytes[..n]).into_owned()
}

#[tokio::test]
async fn the_router_knows_the_peer() {
    let running = run(hello(), LIMITS);
    let mut stream = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let response = read_to_end(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 200") && response.ends_with("127.0.0.1"), "{response}");
}

#[tokio::test]
async fn a_head_that_comes_drop_by_drop_is_cut() {
    let running = run(hello(), ONLY_SLOW);
    let mut stream = send(running.address, "GET / HTTP/1.1\r\n").await;
    let began = Instant::now();
    while stream.write_all(b"a").await.is_ok() && began.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_cut() {
    let running = run(hello(), ONLY_SLOW);
    assert_eq!(read_to_end(&mut send(running.address, "").await).await, "");
}

#[tokio::test]
async fn an_idle_connection_stays_longer_than_a_slow_head_may_take() {
    let running = run(hello(), Limits { idle_timeout: Duration::from_secs(6), ..LIMITS });
    let mut stream = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_millis(800)).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("still open");
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));

    let began = Instant::now();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(began.elapsed() > Duration::from_millis(5500), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_second_head_that_does_not_end_is_cut_too() {
    let running = run(hello(), ONLY_SLOW);
    let mut stream = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
    stream.write_all(b"GET / HT").await.expect("still open");
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_handler_may_take_longer_than_a_head() {
    let running = run(slow(), LIMITS);
    let mut stream = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(read_some(&mut stream).await.ends_with("done"));
}

#[tokio::test]
async fn a_reader_that_has_stopped_reading_loses_its_connection() {
    let big = Router::new().route("/", get(|| async { vec![b'x'; 64 << 20] }));
    let running = run(big, Limits { max_connections: 1, ..LIMITS });
    let stalled = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut next = send(running.address, "HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(read_to_end(&mut next).await.starts_with("HTTP/1.1 200"));
    drop(stalled);
}

#[tokio::test]
async fn beyond_the_most_connections_one_waits_for_another_to_end() {
    let running = run(hello(), Limits { max_connections: 1, ..LIMITS });
    let mut first = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(read_some(&mut first).await.starts_with("HTTP/1.1 200"));
    let mut second = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    let early = tokio::time::timeout(Duration::from_millis(300), second.readable()).await;
    assert!(early.is_err(), "the second was served beside the first");
    drop(first);
    assert!(read_to_end(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_handler() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    let waiting = move || {
        let counted = Counted(Arc::clone(&counter));
        async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(counted);
        }
    };
    let running = run(Router::new().route("/", get(waiting)), LIMITS);
    let stream = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(stream);
    let began = Instant::now();
    while dropped.load(Ordering::SeqCst) == 0 && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_graceful_stop_finishes_what_runs_and_closes_the_rest() {
    let limits = Limits { drain: Duration::from_secs(60), ..ONLY_SLOW };
    let running = run(slow().route("/quick", get(|| async { "quick" })), limits);
    let mut idle = send(running.address, "GET /quick HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(read_some(&mut idle).await.ends_with("quick"));
    let mut busy = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;

    let began = Instant::now();
    running.shutdown.begin();
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection is closed soon");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody is accepted any more");
    let response = read_to_end(&mut busy).await;
    assert!(response.contains("connection: close") && response.ends_with("done"), "{response}");
    running.ended.await.expect("served to the end");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_request_that_came_just_before_the_stop_is_answered() {
    for _ in 0..20 {
        let running = run(hello(), LIMITS);
        let mut stream = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        running.shutdown.begin();
        let response = read_to_end(&mut stream).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response:?}");
        running.ended.await.expect("served to the end");
    }
}

/// The answer to a request that comes 20 ms after the stop, on a connection that has done this much before. A process that stands still for longer
/// than the last call misses it, so one of five tries is enough.
async fn after_the_stop(before: impl AsyncFn(SocketAddr) -> TcpStream) -> String {
    let mut response = String::new();
    for _ in 0..5 {
        let running = run(hello(), LIMITS);
        let mut stream = before(running.address).await;
        running.shutdown.begin();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await; // where it is closed, nothing is answered
        response = read_to_end(&mut stream).await;
        if !response.is_empty() {
            break;
        }
    }
    response
}

#[tokio::test]
async fn a_connection_that_was_just_accepted_may_still_send_its_request() {
    let response = after_the_stop(async |address| {
        let stream = send(address, "").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream
    });
    let response = response.await;
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("connection: close"), "{response:?}");
}

#[tokio::test]
async fn a_request_that_is_on_its_way_on_a_kept_connection_is_answered() {
    let response = after_the_stop(async |address| {
        let mut stream = send(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(read_some(&mut stream).await.ends_with("127.0.0.1"));
        stream
    });
    let response = response.await;
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("connection: close"), "{response:?}");
}

#[tokio::test]
async fn what_outlasts_the_drain_time_is_cut() {
    let running = run(answering_after(2 * SOON), Limits { drain: Duration::from_millis(150), ..LIMITS });
    let mut busy = send(running.address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    running.shutdown.begin();
    running.ended.await.expect("served to the end");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(read_to_end(&mut busy).await, "");
}
