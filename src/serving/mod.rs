//! HTTP/1.1 over TCP: accepts connections, bounds their number and their slowness, and ends them in order.
//!
//! What bounds a client: [`Limits`]. A request's headers must come within `request_read_timeout` of their first byte (the body's
//! time is bounded where bodies are read), the next request within `idle_timeout`, and a response must not stall for `write_timeout`.
//! A client that hangs up drops its handler's future (hyper's half-close is off).

mod stream;
#[cfg(test)]
mod tests;
mod unreadable;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::settings::Settings;
use crate::shutdown::Shutdown;
use stream::{Phase, TimedStream};
pub use unreadable::Unreadable;

/// Connections that may wait in the kernel to be accepted.
const BACKLOG: u32 = 4096;

/// What one connection may buffer of a request's head, and so the longest head: 431 beyond.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// How long a connection on which nothing is asked may still ask something when the replica begins to leave: a request may be on its way,
/// and proxies that keep connections do not send it again. Its answer tells the client to close.
const LAST_CALL: Duration = Duration::from_millis(100);

/// How long accepting pauses after an error such as "too many open files": doubling between these two.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What bounds the clients of one listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; further ones wait in the kernel's backlog.
    pub max_connections: usize,
    /// From the first byte of a request's head to its last; for a new connection from its beginning.
    pub request_read_timeout: Duration,
    /// From one response to the next request's first byte.
    pub idle_timeout: Duration,
    /// Without any progress of a response.
    pub write_timeout: Duration,
    /// From the beginning of the graceful stop until what still runs is cut.
    pub drain: Duration,
}

impl Limits {
    /// The limits that the settings name.
    pub fn of(settings: &Settings) -> Self {
        Self {
            max_connections: settings.max_connections,
            request_read_timeout: settings.request_read_timeout,
            idle_timeout: settings.idle_timeout,
            write_timeout: settings.write_timeout,
            drain: settings.drain,
        }
    }
}

/// Listens on an address; from here on connections queue up until [`serve`] accepts them.
///
/// # Errors
/// If the address is taken, not ours or not allowed.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown` begins, then ends in order: stops accepting, lets each connection finish the request it is in and
/// closes it, cuts after `limits.drain` what still runs. Returns when the last connection is closed.
///
/// The router finds the peer as `ConnectInfo<SocketAddr>`, an IPv4 peer of an IPv6 socket as IPv4.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, shutdown: Shutdown) {
    let gate = Arc::new(Semaphore::new(limits.max_connections));
    let connections = TaskTracker::new();
    let serving = Serving { router, limits, leaving: CancellationToken::new() };

    let mut begun = pin!(shutdown.signal());
    let mut pause = PAUSES.0;
    loop {
        let accepting = async {
            // Never closed, so there is always a permit in the end.
            let permit = gate.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            () = &mut begun => break,
            next = accepting => next,
        };
        match (permit, accepted) {
            (Ok(permit), Ok((tcp, peer))) => {
                pause = PAUSES.0;
                connections.spawn(serving.connection(tcp, peer, permit));
            }
            (Err(_), Ok(_)) => break,
            (_, Err(error)) if is_of_one_connection(&error) => {}
            (_, Err(error)) => {
                tracing::error!(%error, "a connection cannot be accepted");
                tokio::select! {
                    () = &mut begun => break,
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                }
            }
        }
    }

    // Whoever is in the backlog believes to be connected: closing the listener would reset them. The kernel is asked, and not tokio,
    // which learns of a connection only when it next looks.
    match listener.into_std() {
        Ok(listener) => {
            while let Ok(permit) = gate.clone().try_acquire_owned() {
                match listener.accept().and_then(|(tcp, peer)| {
                    tcp.set_nonblocking(true)?;
                    Ok((TcpStream::from_std(tcp)?, peer))
                }) {
                    Ok((tcp, peer)) => drop(connections.spawn(serving.connection(tcp, peer, permit))),
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(_) => break,
                }
            }
        }
        Err(error) => tracing::warn!(%error, "connections that were not accepted yet are cut"),
    }
    serving.leaving.cancel();
    connections.close();
    connections.wait().await;
}

/// Errors of the one connection that was to be accepted, not of accepting.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What every connection of a listener needs.
struct Serving {
    router: Router,
    limits: Limits,
    /// Each connection has a child of it: thousands of them waiting for the same token would all take its lock on every read.
    leaving: CancellationToken,
}

impl Serving {
    /// One connection from its acceptance to its end.
    fn connection(&self, tcp: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) -> impl Future<Output = ()> + Send + use<> {
        let (router, limits, leaving) = (self.router.clone(), self.limits, self.leaving.child_token());
        async move {
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            if let Err(error) = talk(tcp, peer, router, limits, leaving).await {
                tracing::debug!(%error, %peer, "a connection ended early");
            }
            drop(permit);
        }
    }
}

async fn talk(tcp: TcpStream, peer: SocketAddr, router: Router, limits: Limits, leaving: CancellationToken) -> hyper::Result<()> {
    // Answers are small and written at once: waiting for more would only delay them. Without it they still arrive.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, %peer, "TCP_NODELAY");
    }
    let phase = Arc::new(Phase::new());
    let service = service_fn(|request| answer(&router, request, peer, Arc::clone(&phase), leaving.clone()));
    let stream = TimedStream::new(tcp, Arc::clone(&phase), &limits);
    // Without a timer of hyper's own: the stream ends what comes too late.
    let mut connection = http1::Builder::new().max_buf_size(MAX_BUFFER_BYTES).serve_connection(TokioIo::new(stream), service);
    let ended = until_closed(&mut connection, &phase, limits, peer, &leaving).await;
    let Some(bare) = phase.bare_answer() else { return ended };
    let tcp = connection.into_parts().io.into_inner().into_tcp();
    if let Err(error) = unreadable::answer(tcp, bare, router.clone(), peer).await {
        tracing::debug!(%error, %peer, "a client that sent what cannot be read has gone");
    }
    ended
}

/// Serves a connection to its end, or until the replica leaves and its time is over.
async fn until_closed<S>(
    connection: &mut http1::Connection<TokioIo<TimedStream>, S>,
    phase: &Phase,
    limits: Limits,
    peer: SocketAddr,
    leaving: &CancellationToken,
) -> hyper::Result<()>
where
    S: HttpService<Incoming, ResBody = axum::body::Body, Error = Infallible>,
{
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = leaving.cancelled() => {}
    }
    let deadline = tokio::time::Instant::now() + limits.drain;
    // hyper closes such a connection unread.
    if phase.is_between_requests()
        && let Ok(ended) = tokio::time::timeout(LAST_CALL.min(limits.drain), connection.as_mut()).await
    {
        return ended;
    }
    Pin::new(&mut **connection).graceful_shutdown();
    match tokio::time::timeout_at(deadline, connection).await {
        Ok(ended) => ended,
        Err(_) => {
            tracing::warn!(%peer, "the drain time is over: a connection is cut");
            Ok(())
        }
    }
}

/// One request. The future owns what it needs, so that a connection's requests do not borrow from each other.
fn answer(
    router: &Router,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    phase: Arc<Phase>,
    leaving: CancellationToken,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    phase.head_read();
    request.extensions_mut().insert(ConnectInfo(peer));
    // A Router is always ready, so it may be called right away.
    let response = router.clone().call(request);
    async move {
        let Ok(mut response) = response.await;
        phase.answered();
        // hyper says so itself once it was told to stop, but in the last call it was not yet.
        if leaving.is_cancelled() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}
