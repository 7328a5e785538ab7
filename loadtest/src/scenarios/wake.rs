//! Wake-up across replicas: a reader waits on the last replica, a post goes to the first one.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;

use crate::api::{self, Target};
use crate::drive::{Step, Window, Work, drive};
use crate::http::{Ask, Connection, Failure, read};
use crate::proc::Watched;
use crate::stats::Measured;

/// Between the start of the wait and the post: long enough for the reader to have read, found nothing, and gone to sleep.
pub const PAUSE: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
struct Page {
    data: Vec<serde::de::IgnoredAny>,
    next_cursor: Option<String>,
}

struct Pair {
    poster: Connection,
    reader: Connection,
    post: Ask,
    channel: String,
    cursor: String,
}

impl Pair {
    async fn once(&mut self) -> Result<Duration, Failure> {
        let wait = api::list(&self.channel, &self.cursor, 10, 20);
        let reader = async { self.reader.send(wait).await.map(|page| (page, Instant::now())) };
        let poster = async {
            tokio::time::sleep(PAUSE).await;
            let sent = Instant::now();
            self.poster.send(self.post.clone()).await.map(|_| sent)
        };
        let ((page, woken), sent) = tokio::try_join!(reader, poster)?;
        let page: Page = read(&page)?;
        if page.data.is_empty() {
            return Err(Failure("not woken".into()));
        }
        self.cursor = page.next_cursor.unwrap_or_else(|| self.cursor.clone());
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
            channel,
            cursor: "0".to_owned(),
        });
    }
    drive("wake", pairs, window, watched).await
}
