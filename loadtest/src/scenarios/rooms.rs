//! Encrypted rooms: sends, and their delivery to a participant who polls on another replica. What is sent is as long as a post's content.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::json;

use super::plain::endless;
use super::wake::pause;
use crate::api::{self, Target};
use crate::drive::{Step, Window, Work, drive};
use crate::http::{Ask, Connection, Failure, read};
use crate::proc::Watched;
use crate::stats::Measured;

/// Rooms that are prepared at the same time.
const PREPARING: usize = 16;

#[derive(Deserialize)]
struct Made {
    channel_id: String,
    token: String,
}

#[derive(Deserialize)]
struct Joined {
    participant_id: String,
    cursor: u64,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<serde::de::IgnoredAny>,
    cursor: u64,
}

/// A participant of a room.
#[derive(Clone, Debug)]
pub struct Seat {
    room: String,
    token: String,
    participant: String,
    cursor: u64,
}

impl Seat {
    /// A sealed text; what is in it, the service does not see.
    fn send(&self) -> Ask {
        let body = json!({ "token": self.token, "participant_id": self.participant, "text": api::content() });
        Ask::post(&format!("/channels/{}/send", self.room), &body)
    }

    /// What is new; held while nothing is. `roster=1`: an answer with a body also then.
    pub fn poll(&self) -> Ask {
        let Self { room, token, participant, cursor } = self;
        Ask::get(&format!("/channels/{room}/poll?token={token}&participant_id={participant}&since={cursor}&roster=1"))
    }
}

/// A room with so many participants, who have read it to its end.
///
/// # Errors
/// When the service refuses, as it does where an address may make or join few rooms.
pub async fn room(url: &str, people: usize) -> Result<Vec<Seat>> {
    let mut connection = Connection::new(url, None)?;
    let made: Made = read(&connection.send(Ask::post("/channels", &json!({}))).await.context("making a room")?)?;
    let mut seats = Vec::with_capacity(people);
    for n in 0..people {
        let ask = Ask::post(&format!("/channels/{}/join", made.channel_id), &json!({ "token": made.token, "name": format!("load-{n}") }));
        let joined: Joined = read(&connection.send(ask).await.context("joining a room")?)?;
        seats.push(Seat {
            room: made.channel_id.clone(),
            token: made.token.clone(),
            participant: joined.participant_id,
            cursor: joined.cursor,
        });
    }
    let end = seats.last().map_or(0, |seat| seat.cursor);
    seats.iter_mut().for_each(|seat| seat.cursor = end);
    Ok(seats)
}

/// Such rooms with two participants each; all participants.
///
/// # Errors
/// As [`room`].
pub async fn rooms(url: &str, count: usize) -> Result<Vec<Seat>> {
    let each = stream::iter(0..count).map(|_| room(url, 2)).buffer_unordered(PREPARING);
    Ok(each.try_collect::<Vec<_>>().await?.concat())
}

/// Sends to one room, each connection as a participant of its own.
///
/// # Errors
/// When nothing can be measured; refusals are counted instead.
pub async fn sends(target: &Target, window: Window, watched: &[Watched]) -> Result<Measured> {
    let asks = room(&target.urls[0], target.connections).await?.iter().map(Seat::send).collect();
    endless("send", target, asks, window, watched).await
}

/// Two in a room: one sends on the first replica, the other one polls on the last.
struct Pair {
    sender: Connection,
    reader: Connection,
    send: Ask,
    seat: Seat,
}

impl Pair {
    async fn once(&mut self) -> Result<Duration, Failure> {
        let reader = async { self.reader.send(self.seat.poll()).await.map(|page| (page, Instant::now())) };
        let sender = async {
            tokio::time::sleep(pause()).await;
            let sent = Instant::now();
            self.sender.send(self.send.clone()).await.map(|_| sent)
        };
        let ((page, woken), sent) = tokio::try_join!(reader, sender)?;
        let page: Page = read(&page)?;
        if page.messages.is_empty() {
            return Err(Failure("not woken".into()));
        }
        self.seat.cursor = page.cursor;
        Ok(woken.saturating_duration_since(sent))
    }
}

impl Work for Pair {
    async fn begin(&mut self) -> Result<(), Failure> {
        self.sender.open().await?;
        self.reader.open().await?;
        self.once().await.map(|_| ()) // the first poll subscribes
    }

    async fn step(&mut self) -> Step {
        match self.once().await {
            Ok(took) => Step::Done(took),
            Err(failure) => Step::Failed(failure),
        }
    }
}

/// A room for each connection of the target: from the sending to the reader's answer.
///
/// # Errors
/// When nothing can be measured; readers that slept on are counted as errors.
pub async fn delivery(target: &Target, window: Window, watched: &[Watched]) -> Result<Measured> {
    let (first, last) = (&target.urls[0], &target.urls[target.urls.len() - 1]);
    let mut pairs = Vec::new();
    for seats in rooms(first, target.connections).await?.chunks_exact(2) {
        let (sender, reader) = (Connection::new(first, None)?, Connection::new(last, None)?);
        pairs.push(Pair { sender, reader, send: seats[0].send(), seat: seats[1].clone() });
    }
    drive("rooms", pairs, window, watched).await
}
