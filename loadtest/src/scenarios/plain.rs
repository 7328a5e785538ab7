//! Scenarios where an operation is one request: post, claim, ack, list, and the same of a yardstick.

use std::time::Instant;

use anyhow::Result;

use crate::api::{self, Posted, Target};
use crate::drive::{Step, Window, Work, drive};
use crate::http::{Ask, Connection, Failure};
use crate::proc::Watched;
use crate::stats::Measured;

/// How many different cursors a list scenario starts from.
const CURSORS: usize = 1000;

/// Sends one request after the other.
struct Requests<I> {
    connection: Connection,
    asks: I,
}

impl<I: Iterator<Item = Ask>> Work for Requests<I> {
    async fn begin(&mut self) -> Result<(), Failure> {
        self.connection.open().await
    }

    async fn step(&mut self) -> Step {
        let Some(ask) = self.asks.next() else { return Step::Exhausted };
        let began = Instant::now();
        match self.connection.send(ask).await {
            Ok(_) => Step::Done(began.elapsed()),
            Err(failure) => Step::Failed(failure),
        }
    }
}

/// Posts, round the channels.
///
/// # Errors
/// When nothing can be measured; refusals are counted instead.
pub async fn posts(target: &Target, channels: &[String], window: Window, watched: &[Watched]) -> Result<Measured> {
    let asks: Vec<Ask> = channels.iter().map(|c| api::post(c)).collect();
    endless("post", target, asks, window, watched).await
}

/// Pages after cursors that lie all over the channel, each with a whole page behind it where the channel is long enough.
///
/// # Errors
/// When nothing can be measured; refusals are counted instead.
pub async fn list(target: &Target, channel: &str, backlog: &[Posted], page: u64, window: Window, watched: &[Watched]) -> Result<Measured> {
    let mut cursors: Vec<&str> = backlog.iter().map(|p| p.created_at.as_str()).collect();
    cursors.sort_unstable();
    cursors.truncate(cursors.len().saturating_sub(usize::try_from(page).unwrap_or(0)).max(1));
    let step = cursors.len().div_ceil(CURSORS).max(1);
    let asks: Vec<Ask> = cursors.iter().step_by(step).map(|c| api::list(channel, c, page, 0)).collect();
    endless("list", target, asks, window, watched).await
}

/// One page of a listing, again and again.
///
/// # Errors
/// When nothing can be measured; refusals are counted instead.
pub async fn pages(name: &str, target: &Target, ask: Ask, window: Window, watched: &[Watched]) -> Result<Measured> {
    endless(name, target, vec![ask], window, watched).await
}

/// Claims each message once, by its id. [`acks`] of the same messages are by the same workers, hence by their holders.
///
/// # Errors
/// When nothing can be measured; refusals are counted instead.
pub async fn claims(target: &Target, messages: &[Posted], window: Window, watched: &[Watched]) -> Result<Measured> {
    each("claim", target, messages.iter().map(|m| api::claim(&m.id)).collect(), window, watched).await
}

/// Acknowledges each message once.
///
/// # Errors
/// When nothing can be measured; refusals are counted instead.
pub async fn acks(target: &Target, messages: &[Posted], window: Window, watched: &[Watched]) -> Result<Measured> {
    each("ack", target, messages.iter().map(|m| api::ack(&m.id)).collect(), window, watched).await
}

/// A path of the minimal server, asked with the body of a post.
///
/// # Errors
/// When nothing can be measured.
pub async fn yardstick(url: &str, path: &str, connections: usize, window: Window, watched: &[Watched]) -> Result<Measured> {
    let ask = Ask::post(path, &serde_json::json!({ "content": api::content() }));
    let workers = (0..connections).map(|_| Ok(Requests { connection: Connection::new(url, None)?, asks: std::iter::repeat(ask.clone()) }));
    drive(&format!("minimal {path}"), workers.collect::<Result<_>>()?, window, watched).await
}

/// Each connection asks its share of these again and again.
pub(super) async fn endless(name: &str, target: &Target, asks: Vec<Ask>, window: Window, watched: &[Watched]) -> Result<Measured> {
    let worker = |i: usize| {
        let mine: Vec<Ask> =
            asks.iter().cycle().skip(i % asks.len().max(1)).step_by(target.connections).take(asks.len()).cloned().collect();
        Ok(Requests { connection: target.connect(i)?, asks: mine.into_iter().cycle() })
    };
    drive(name, (0..target.connections).map(worker).collect::<Result<_>>()?, window, watched).await
}

async fn each(name: &str, target: &Target, asks: Vec<Ask>, window: Window, watched: &[Watched]) -> Result<Measured> {
    let stock = u64::try_from(asks.len()).unwrap_or(u64::MAX);
    let worker = |i: usize| {
        let mine: Vec<Ask> = asks.iter().skip(i).step_by(target.connections).cloned().collect();
        Ok(Requests { connection: target.connect(i)?, asks: mine.into_iter() })
    };
    drive(name, (0..target.connections).map(worker).collect::<Result<_>>()?, window.of_stock(stock), watched).await
}
