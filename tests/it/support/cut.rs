//! A network in trouble: a proxy on the loopback between the replicas and their Redis, which loses what it is told to lose.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::redis::RedisServer;

/// Give [`Cut::url`] to the replicas as BACKCHANNEL_REDIS_URL. It passes everything on until it is told otherwise.
///
/// Runs on a thread of its own, so that a test that blocks does not stop the network. Ends when dropped.
pub struct Cut {
    port: u16,
    orders: Arc<watch::Sender<Orders>>,
    tally: Arc<Tally>,
    /// The thread ends when this goes.
    _alive: tokio::sync::oneshot::Sender<()>,
}

/// What is done with connections, by their numbers, and with what is on them.
#[derive(Clone, Debug)]
struct Orders {
    /// The port of the server that new connections lead to.
    redis: u16,
    accept: Accept,
    /// Connections numbered below it are closed.
    close_below: usize,
    /// Connections numbered below it stay open, and nothing is read from them or written to them again.
    black_hole_below: usize,
    delay: Duration,
    /// What to lose, and how often.
    lose: Option<(Part, Vec<u8>, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accept {
    Yes,
    /// Closed as soon as they come.
    Close,
    /// Left in the kernel's queue: they stand, and nobody answers.
    Ignore,
}

/// Which half of an exchange gets lost; the connection is closed with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Redis never sees it.
    Request,
    /// Redis has done it, and nobody hears.
    Reply,
}

#[derive(Default)]
struct Tally {
    accepted: AtomicUsize,
    open: AtomicUsize,
    lost: AtomicUsize,
}

impl Cut {
    pub fn before(redis: &RedisServer) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let port = listener.local_addr().expect("it is bound").port();
        let calm =
            Orders { redis: redis.port(), accept: Accept::Yes, close_below: 0, black_hole_below: 0, delay: Duration::ZERO, lose: None };
        let (orders, tally) = (Arc::new(watch::Sender::new(calm)), Arc::new(Tally::default()));
        let (alive, dropped) = tokio::sync::oneshot::channel();
        let accepting = accept(listener, orders.clone(), tally.clone());
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    result = accepting => result.expect("a listener accepts"),
                    _ = dropped => {}
                }
            });
        };
        std::thread::Builder::new().name("cut".into()).spawn(run).expect("a thread can be started");
        Self { port, orders, tally, _alive: alive }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> usize {
        self.tally.accepted.load(SeqCst)
    }

    /// Connections that stand now, dead or alive.
    pub fn open(&self) -> usize {
        self.tally.open.load(SeqCst)
    }

    /// How many requests or replies were lost.
    pub fn lost(&self) -> usize {
        self.tally.lost.load(SeqCst)
    }

    /// New connections are served, without delay, and nothing more is lost. What was black-holed stays so.
    pub fn pass(&self) {
        self.orders.send_modify(|orders| {
            (orders.accept, orders.delay, orders.lose) = (Accept::Yes, Duration::ZERO, None);
        });
    }

    /// Closes all connections, and each new one as soon as it comes.
    pub fn refuse(&self) {
        self.orders.send_modify(|orders| (orders.accept, orders.close_below) = (Accept::Close, self.accepted()));
    }

    /// All connections stay open and silent for ever; new ones are left waiting until [`Cut::pass`].
    pub fn black_hole(&self) {
        self.orders.send_modify(|orders| (orders.accept, orders.black_hole_below) = (Accept::Ignore, self.accepted()));
    }

    /// What a failover is to clients: all connections close, and new ones lead to another server.
    pub fn lead_to(&self, redis: &RedisServer) {
        self.orders.send_modify(|orders| (orders.redis, orders.close_below) = (redis.port(), self.accepted()));
    }

    /// New connections lead to another server; those that stand stay where they are.
    pub fn lead_new_to(&self, redis: &RedisServer) {
        self.orders.send_modify(|orders| orders.redis = redis.port());
    }

    /// Holds back each piece, in both directions.
    pub fn delay(&self, each: Duration) {
        self.orders.send_modify(|orders| orders.delay = each);
    }

    /// Loses that part of the next `times` exchanges whose request has these bytes in it, each time with its connection.
    /// A script that Redis did not know is no exchange: it did not run.
    pub fn lose(&self, part: Part, with: &str, times: usize) {
        self.orders.send_modify(|orders| orders.lose = Some((part, with.into(), times)));
    }
}

async fn accept(listener: std::net::TcpListener, orders: Arc<watch::Sender<Orders>>, tally: Arc<Tally>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut changes = orders.subscribe();
    loop {
        let mut client = listener.accept().await?.0;
        // Who is ignored stands, as in the kernel's queue, and is served when that is over.
        while changes.borrow_and_update().accept == Accept::Ignore {
            changes.changed().await.map_err(io::Error::other)?;
        }
        // Numbered and judged in one step: an order is for all connections before it or after it.
        let judged = {
            let now = orders.borrow();
            (now.accept == Accept::Yes).then(|| (tally.accepted.fetch_add(1, SeqCst), now.redis))
        };
        let Some((number, redis)) = judged else {
            let _ = client.shutdown().await;
            continue;
        };
        let (orders, tally) = (orders.clone(), tally.clone());
        tokio::spawn(async move {
            tally.open.fetch_add(1, SeqCst);
            // An error is the end of a connection, on one side or the other: that is passed on by closing both.
            let _ = carry(client, redis, number, &orders, &tally).await;
            tally.open.fetch_sub(1, SeqCst);
        });
    }
}

/// Carries bytes both ways until one side closes or the orders say so.
async fn carry(mut client: TcpStream, redis: u16, number: usize, orders: &watch::Sender<Orders>, tally: &Tally) -> io::Result<()> {
    let mut redis = TcpStream::connect(("127.0.0.1", redis)).await?;
    redis.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let mut changes = orders.subscribe();
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    // The reply to what is on its way is to be lost.
    let mut marked = false;
    loop {
        let (closed, dead, delay) = {
            let now = changes.borrow_and_update();
            (number < now.close_below, number < now.black_hole_below, now.delay)
        };
        if closed {
            return Ok(());
        }
        if dead {
            std::future::pending::<()>().await;
        }
        tokio::select! {
            biased;
            _ = changes.changed() => {}
            read = client.read(&mut asked) => {
                let piece = &asked[..some(read?)?];
                match to_lose(orders, piece) {
                    Some(Part::Request) => {
                        tally.lost.fetch_add(1, SeqCst);
                        return Ok(());
                    }
                    Some(Part::Reply) => marked = true,
                    None => {}
                }
                tokio::time::sleep(delay).await;
                redis.write_all(piece).await?;
            }
            read = redis.read(&mut answered) => {
                let piece = &answered[..some(read?)?];
                if marked && !piece.starts_with(b"-NOSCRIPT") {
                    tally.lost.fetch_add(1, SeqCst);
                    return Ok(());
                }
                if std::mem::take(&mut marked) {
                    give_back(orders);
                }
                tokio::time::sleep(delay).await;
                client.write_all(piece).await?;
            }
        }
    }
}

/// Reading nothing is the end.
fn some(read: usize) -> io::Result<usize> {
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
}

/// Whether this request is one to lose; counts it.
fn to_lose(orders: &watch::Sender<Orders>, piece: &[u8]) -> Option<Part> {
    let mut part = None;
    orders.send_if_modified(|orders| {
        if let Some((of, with, left)) = &mut orders.lose
            && *left > 0
            && piece.windows(with.len()).any(|bytes| bytes == with.as_slice())
        {
            *left -= 1;
            part = Some(*of);
        }
        false
    });
    part
}

/// What was counted as lost was not.
fn give_back(orders: &watch::Sender<Orders>) {
    orders.send_if_modified(|orders| {
        if let Some((_, _, left)) = &mut orders.lose {
            *left += 1;
        }
        false
    });
}

#[test]
fn what_is_cut_does_not_arrive_and_what_is_passed_does() {
    use deadpool_redis::redis::{Client, cmd};

    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    let ask_for = |limit: Duration, words: &[&str]| {
        let client = Client::open(cut.url()).expect("a loopback URL is valid");
        let mut conn = client.get_connection_with_timeout(limit)?;
        conn.set_read_timeout(Some(limit))?;
        cmd(words[0]).arg(&words[1..]).query::<Option<String>>(&mut conn)
    };
    // Where an answer comes, or an end, nobody is in a hurry.
    let ask = |words: &[&str]| ask_for(Duration::from_secs(30), words);
    assert_eq!(ask(&["SET", "passed", "1"]), Ok(Some("OK".into())));
    assert!(cut.accepted() == 1);

    cut.lose(Part::Reply, "unheard", 1);
    assert!(ask(&["SET", "unheard", "1"]).is_err());
    assert_eq!(ask(&["GET", "unheard"]), Ok(Some("1".into())), "Redis has done it, and only once it was lost");
    cut.lose(Part::Request, "unseen", 1);
    assert!(ask(&["SET", "unseen", "1"]).is_err());
    assert_eq!(ask(&["GET", "unseen"]), Ok(None));
    assert_eq!(cut.lost(), 2);

    cut.black_hole();
    assert!(ask_for(Duration::from_millis(500), &["PING"]).is_err_and(|e| e.is_timeout()), "it stands, and nobody answers");
    cut.refuse();
    assert!(ask(&["PING"]).is_err_and(|e| !e.is_timeout()));
    cut.pass();
    cut.delay(Duration::from_millis(5));
    assert_eq!(ask(&["PING"]), Ok(Some("PONG".into())));
    let other = RedisServer::start_private(&[]);
    cut.lead_to(&other);
    assert_eq!(ask(&["GET", "unheard"]), Ok(None), "it is not there");
}
