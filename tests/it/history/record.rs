//! The history: what was asked, when, and how it ended. One JSON line an operation.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt;
use serde::Serialize;
use serde_json::Value;

use crate::support::client::Ask;
use crate::support::process::{scratch, serial};

/// Shorter ones are not written down, µs.
const SHORT_PULSE: u64 = 5_000;

/// What was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    #[default]
    Post,
    Retract,
    ClaimNext,
    /// By id.
    Claim,
    Heartbeat,
    Release,
    Ack,
    /// A page of a reader that follows its cursor.
    Page,
    /// The same of one that waits for messages.
    WaitingPage,
    /// A page of a reader that looks at everything once all is over.
    FinalPage,
    /// The same, of what has expired.
    HistoryPage,
    /// Not asked by anybody: from `start` to `end` something was broken on purpose, and not yet whole again.
    Fault,
    /// How long it took to be heard at all, of the one that `by` names: the measure of a busy machine. Only long ones.
    Pulse,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    #[default]
    Ok,
    /// A 4xx and its code: it had no effect.
    Refused(String),
    /// A 503 that says that nothing was done.
    Unavailable(String),
    /// Broken or refused connection, no answer in time, 503 of something that may be asked again: whether it had an effect is not known.
    Unknown(String),
    /// An answer that must never be given, like a 500.
    Fault(String),
}

/// A message that a claim was answered with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Grant {
    pub message: String,
    pub attempt: u64,
    /// µs; none: held until the ack.
    pub lease_end: Option<u64>,
    /// By Redis' clock, µs.
    pub claimed_at: Option<u64>,
    /// Of the message, µs.
    pub expires: Option<u64>,
    #[serde(skip)]
    pub token: Option<String>,
}

/// A message as a page showed it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Shown {
    pub message: String,
    pub content: String,
    pub created_at: String,
    pub state: String,
    pub attempt: u64,
    pub expires: Option<u64>,
}

/// One operation. What does not apply to it stays empty. Times are µs, comparable with those that Redis gives: tests and
/// Redis run on one machine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Entry {
    pub by: String,
    pub op: Op,
    pub channel: String,
    /// Where it was asked; of a fault and a pulse: whose. None: any, or all.
    pub replica: Option<usize>,
    /// Idempotency-Key.
    pub key: Option<String>,
    /// Of a post: nobody else posts the same.
    pub content: Option<String>,
    /// The one that was acted on, or that a post made.
    pub message: Option<String>,
    /// Which claim the caller says it holds; 0: a lease token that was never given out.
    pub attempt: Option<u64>,
    /// Of a claim-next and a page: how many at most.
    pub max: u64,
    /// Of a claim-next: it is held until there is something.
    pub waits: bool,
    /// Of the message that a post made, µs.
    pub expires: Option<u64>,
    pub start: u64,
    pub end: u64,
    pub outcome: Outcome,
    pub grants: Vec<Grant>,
    pub shown: Vec<Shown>,
}

impl Entry {
    pub fn new(by: &str, op: Op) -> Self {
        Self { by: by.to_owned(), op, ..Self::default() }
    }

    pub fn of(by: &str, op: Op, channel: &str) -> Self {
        Self { channel: channel.to_owned(), ..Self::new(by, op) }
    }

    pub fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether it may have had an effect.
    pub fn may_have_acted(&self) -> bool {
        !matches!(self.outcome, Outcome::Refused(_) | Outcome::Unavailable(_))
    }

    pub fn is_claim(&self) -> bool {
        matches!(self.op, Op::Claim | Op::ClaimNext)
    }
}

/// Writes down what generators do.
pub struct Recorder {
    began: Instant,
    /// µs of the clock at `began`.
    base: u64,
    path: PathBuf,
    book: Mutex<(BufWriter<File>, Vec<Entry>)>,
}

impl Recorder {
    pub fn new(name: &str, seed: u64) -> Self {
        let path = scratch().join(format!("history-{name}-{seed}-{}.jsonl", serial()));
        let file = File::create(&path).expect("the scratch directory can be written to");
        let base = SystemTime::UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_micros();
        let base = u64::try_from(base).expect("fits for 500,000 years");
        Self { began: Instant::now(), base, path, book: Mutex::new((BufWriter::new(file), Vec::new())) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn now(&self) -> u64 {
        self.base + u64::try_from(self.began.elapsed().as_micros()).expect("a short test")
    }

    /// Asks, and fills in when and how it ended; the body of a success. `repeatable`: the service may do it again by
    /// itself, so its 503 says nothing about an effect. [`Recorder::keep`] writes it down.
    pub async fn perform(&self, entry: &mut Entry, ask: Ask, limit: Duration, repeatable: bool) -> Value {
        entry.start = self.now();
        // A reply that breaks the protocol panics in the harness: here that is an outcome, so that the history is kept.
        let answer = AssertUnwindSafe(ask.within(limit).attempt()).catch_unwind().await;
        entry.end = self.now();
        let (outcome, body) = match answer {
            Err(panic) => (Outcome::Fault(words_of(&*panic)), Value::Null),
            Ok(Err(error)) => (Outcome::Unknown(error.to_string()), Value::Null),
            Ok(Ok(reply)) => {
                let code = reply.body["error"].as_str().unwrap_or_default().to_owned();
                let outcome = match reply.status {
                    200..=299 => Outcome::Ok,
                    400..=499 => Outcome::Refused(code),
                    503 if reply.seconds("retry-after").is_none_or(|s| s == 0) => Outcome::Fault(format!("{code} without Retry-After")),
                    503 if repeatable || code == "outcome_unknown" => Outcome::Unknown(code),
                    503 => Outcome::Unavailable(code),
                    status => Outcome::Fault(format!("{status} {code}")),
                };
                (outcome, reply.body)
            }
        };
        entry.outcome = outcome;
        body
    }

    /// Does something that breaks a promise for a while: what happens in that time is excused. It ends when all is whole again.
    pub async fn fault(&self, what: &str, replica: Option<usize>, broken: impl Future<Output = ()>) {
        let mut entry = Entry { replica, start: self.now(), ..Entry::new(what, Op::Fault) };
        broken.await;
        entry.end = self.now();
        self.keep(&entry);
    }

    /// Notes how much longer something took than on an idle machine; nothing, if nobody was heard.
    pub async fn pulse(&self, of: &str, replica: Option<usize>, idle: Duration, asked: impl Future<Output = bool>) {
        let due = self.now() + u64::try_from(idle.as_micros()).expect("a short time");
        let heard = asked.await;
        let entry = Entry { replica, start: due, end: self.now(), ..Entry::new(of, Op::Pulse) };
        if heard && entry.end.saturating_sub(entry.start) > SHORT_PULSE {
            self.keep(&entry);
        }
    }

    /// Asks something whose answer nobody waits for.
    pub async fn unheard(&self, entry: &mut Entry, ask: impl Future<Output = std::io::Result<()>>) {
        entry.start = self.now();
        let asked = ask.await;
        entry.end = self.now();
        entry.outcome = Outcome::Unknown(asked.err().map_or("hung up".into(), |error| error.to_string()));
    }

    pub fn keep(&self, entry: &Entry) {
        let line = serde_json::to_string(entry).expect("an entry is plain data");
        let mut book = self.book.lock().expect("writing does not panic");
        writeln!(book.0, "{line}").expect("the history can be written");
        book.1.push(entry.clone());
    }

    /// All that was kept so far; the file is complete then.
    pub fn history(&self) -> Vec<Entry> {
        let mut book = self.book.lock().expect("writing does not panic");
        book.0.flush().expect("the history can be written");
        book.1.clone()
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    words.unwrap_or("a panic without words").to_owned()
}

/// µs of an RFC 3339 time.
pub fn micros(text: &Value) -> Option<u64> {
    let time: jiff::Timestamp = text.as_str()?.parse().ok()?;
    u64::try_from(time.as_microsecond()).ok()
}
