//! Wake-up across replicas: a reader waits on the last replica, a post goes to the first one.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;
use serde_json::json;

use crate::api::{self, Target};
use crate::drive::{Step, Window, Work, drive};
use crate::http::{Ask, Connection, Failure, read};
use crate::proc::Watched;
use crate::stats::Measured;

/// Between the start of the wait and the post, 20 ms in the middle: long enough for the reader to have read, found nothing, and gone to sleep. Pairs
/// that pause equally long would go on in step, all posting in the same millisecond, and measure a queue.
pub fn pause() -> Duration {
    Duration::from_micros(rand::random_range(10_000..30_000))
}

#[derive(Deserialize)]
struct Page {
    data: Vec<serde::de::IgnoredAny>,
    next_cursor: Option<String>,
}

/// What a reader asks again and again.
enum Waits {
    /// For what comes after a cursor.
    Page { channel: String, cursor: String },
    /// For anything.
    Any(Ask),
}

impl Waits {
    fn ask(&self) -> Ask {
        match self {
            Self::Page { channel, cursor } => api::list(channel, cursor, 10, 20),
            Self::Any(ask) => ask.clone(),
        }
    }

    fn heard(&mut self, answer: &[u8]) -> Result<(), Failure> {
        let Self::Page { cursor, .. } = self else { return Ok(()) };
        let page: Page = read(answer)?;
        if page.data.is_empty() {
            return Err(Failure("not woken".into()));
        }
        *cursor = page.next_cursor.unwrap_or_else(|| std::mem::take(cursor));
        Ok(())
    }
}

struct Pair {
    poster: Connection,
    reader: Connection,
    post: Ask,
    waits: Waits,
}

impl Pair {
    async fn once(&mut self) -> Result<Duration, Failure> {
        let wait = self.waits.ask();
        let reader = async { self.reader.send(wait).await.map(|answer| (answer, Instant::now())) };
        let poster = async {
            tokio::time::sleep(pause()).await;
            let sent = Instant::now();
            self.poster.send(self.post.clone()).await.map(|_| sent)
        };
        let ((answer, woken), sent) = tokio::try_join!(reader, poster)?;
        self.waits.heard(&answer)?;
        Ok(woken.saturating_duration_since(sent))
    }
}

impl Work for Pair {
    async fn begin(&mut self) -> Result<(), Failure> {
        self.poster.open().await?;
        self.reader.open().await?;
        self.once().await.map(|_| ()) // the first wait subscribes
    }

    async fn step(&mut self) -> Step {
        match self.once().await {
            Ok(took) => Step::Done(took),
            Err(failure) => Step::Failed(failure),
        }
    }
}

/// A pair of connections and a channel for each connection of the target: from the sending of the post to the reader's answer.
///
/// # Errors
/// When nothing can be measured; readers that slept on are counted as errors.
pub async fn wake(target: &Target, window: Window, watched: &[Watched]) -> Result<Measured> {
    let mut pairs = Vec::new();
    let (first, last) = (&target.urls[0], &target.urls[target.urls.len() - 1]);
    for (i, channel) in target.channels("claimable", target.connections).await?.into_iter().enumerate() {
        pairs.push(Pair {
            poster: Connection::new(first, Some(target.key(i)))?,
            reader: Connection::new(last, Some(target.key(i)))?,
            post: api::post(&channel),
            waits: Waits::Page { channel, cursor: "0".to_owned() },
        });
    }
    drive("wake", pairs, window, watched).await
}

/// The same over two minimal servers, so many pairs.
///
/// # Errors
/// When nothing can be measured.
pub async fn minimal_wake(urls: [String; 2], pairs: usize, window: Window) -> Result<Measured> {
    let pair = |i| {
        Ok(Pair {
            poster: Connection::new(&urls[0], None)?,
            reader: Connection::new(&urls[1], None)?,
            post: Ask::post(&format!("/tell/{i}"), &json!({ "content": api::content() })),
            waits: Waits::Any(Ask::get(&format!("/wait/{i}"))),
        })
    };
    drive("wake, minimal servers", (0..pairs).map(pair).collect::<Result<_>>()?, window, &[]).await
}
