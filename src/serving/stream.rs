//! A TCP stream that does not wait for ever: not for the next request, nor for the rest of its head, nor for a reader that has stopped
//! reading.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_io_timeout::TimeoutWriter;

use super::{Limits, unreadable};

/// Where a connection stands: the service (called when a head is complete) tells, the stream looks. Even: between two requests;
/// odd: within one. hyper's own timeout cannot tell an idle connection from a head that comes drop by drop, and sets a timer for each request.
#[derive(Debug)]
pub(super) struct Phase {
    number: AtomicUsize,
    opened: Instant,
    /// When the last answer was made, in milliseconds after `opened`.
    answered_ms: AtomicU64,
    /// hyper's answer to a head that it could not read, held back. Nothing of the connection is used after it.
    bare: OnceLock<Vec<u8>>,
    /// An answer is made of which nothing was sent yet.
    unsent: AtomicBool,
}

impl Phase {
    pub(super) fn new() -> Self {
        Self {
            number: AtomicUsize::new(0),
            opened: Instant::now(),
            answered_ms: AtomicU64::new(0),
            bare: OnceLock::new(),
            unsent: AtomicBool::new(false),
        }
    }

    /// A request's head is complete.
    pub(super) fn head_read(&self) {
        self.number.fetch_add(1, Ordering::Relaxed);
    }

    /// Its answer is made; what comes next is the next head.
    pub(super) fn answered(&self) {
        self.unsent.store(true, Ordering::Relaxed);
        self.answered_ms.store(u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.number.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether nothing is asked, as far as was read.
    pub(super) fn is_between_requests(&self) -> bool {
        is_between_requests(self.now())
    }

    /// What hyper said to a head that it could not read, if that happened.
    pub(super) fn bare_answer(&self) -> Option<&[u8]> {
        self.bare.get().map(Vec::as_slice)
    }

    /// Takes away what hyper says by itself: only between two requests, when no answer of ours is on its way.
    fn holds_back(&self, bytes: &[u8]) -> bool {
        let nothing_to_say = is_between_requests(self.now()) && !self.unsent.load(Ordering::Relaxed);
        nothing_to_say && unreadable::is_bare(bytes) && self.bare.set(bytes.to_vec()).is_ok()
    }

    /// Part of an answer went out.
    fn sent(&self) {
        self.unsent.store(false, Ordering::Relaxed);
    }

    fn now(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }

    /// Since when nothing is asked; None within a request.
    fn idle_since(&self) -> Option<Instant> {
        is_between_requests(self.now()).then(|| self.opened + Duration::from_millis(self.answered_ms.load(Ordering::Relaxed)))
    }
}

/// The head that is being read.
struct Head {
    phase: usize,
    due: Instant,
}

/// See the module.
pub(super) struct TimedStream {
    // Boxed, because hyper wants a stream that can be moved and the writer's timer cannot.
    tcp: Pin<Box<TimeoutWriter<TcpStream>>>,
    phase: Arc<Phase>,
    head_timeout: Duration,
    head: Head,
    /// Only made when a head does not come in one piece.
    head_timer: Option<Pin<Box<Sleep>>>,
    idle_timeout: Duration,
    /// Kept over requests and moved only when it rings: a busy connection does not touch it.
    idle_timer: Option<Pin<Box<Sleep>>>,
}

impl TimedStream {
    /// The first head's time begins now.
    pub(super) fn new(tcp: TcpStream, phase: Arc<Phase>, limits: &Limits) -> Self {
        let mut tcp = TimeoutWriter::new(tcp);
        tcp.set_timeout(Some(limits.write_timeout));
        let head = Head { phase: phase.now(), due: Instant::now() + limits.request_read_timeout };
        Self {
            tcp: Box::pin(tcp),
            phase,
            head_timeout: limits.request_read_timeout,
            head,
            head_timer: None,
            idle_timeout: limits.idle_timeout,
            idle_timer: None,
        }
    }

    /// What is below, once hyper is done with it.
    pub(super) fn into_tcp(self) -> Pin<Box<TimeoutWriter<TcpStream>>> {
        self.tcp
    }

    /// Ready with an error once what must come next is overdue.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.head.phase == self.phase.now() {
            let due = self.head.due;
            let timer = self.head_timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            ready!(timer.as_mut().poll(cx));
            return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the request's head did not come in time"));
        }
        self.head_timer = None;
        // Within a request too: hyper does not look again when it is answered.
        let timer = self.idle_timer.get_or_insert_with(|| Box::pin(sleep(self.idle_timeout)));
        loop {
            ready!(timer.as_mut().poll(cx));
            let due = self.phase.idle_since().map(|since| since + self.idle_timeout);
            if due.is_some_and(|due| due <= timer.deadline()) {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "no further request came in time"));
            }
            timer.as_mut().reset(due.unwrap_or_else(|| Instant::now() + self.idle_timeout));
        }
    }
}

fn is_between_requests(phase: usize) -> bool {
    phase.is_multiple_of(2)
}

impl AsyncRead for TimedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Poll::Ready(read) = self.tcp.as_mut().poll_read(cx, buffer) else {
            return self.poll_overdue(cx).map(Err);
        };
        let phase = self.phase.now();
        if is_between_requests(phase) && phase != self.head.phase {
            self.head = Head { phase, due: Instant::now() + self.head_timeout };
            self.head_timer = None;
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.phase.holds_back(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = self.tcp.as_mut().poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(_))) {
            self.phase.sent();
        }
        written
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let [bytes] = parts
            && self.phase.holds_back(bytes)
        {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = self.tcp.as_mut().poll_write_vectored(cx, parts);
        if matches!(written, Poll::Ready(Ok(_))) {
            self.phase.sent();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.phase.bare_answer().is_some() {
            return Poll::Ready(Ok(())); // hyper's part ends here, the answer is still to be sent
        }
        self.tcp.as_mut().poll_shutdown(cx)
    }
}
