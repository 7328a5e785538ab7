//! Waiting for messages: register, read, sleep, read again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::list::{Ask, Read, Status, read};
use super::{MessagePage, carried, list};
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::Caller;
use crate::ids::{ChannelId, Micros};
use crate::wait::{HubError, Subscribed, recheck_delay};

/// How long a request may be held.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    pub until: Option<Instant>,
}

impl Wait {
    /// The seconds a caller asks for, within what this instance allows.
    pub fn seconds(seconds: f64, app: &App) -> Self {
        let held = app.settings.longpoll_enabled && seconds > 0.0 && !app.shutdown.begun();
        let most = app.settings.longpoll_max_wait;
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(most).min(most);
        Self { until: held.then(|| Instant::now() + wait) }
    }
}

/// A page at once if there is something; else as soon as there is, or an empty one when the time is up or the replica leaves.
///
/// # Errors
/// As [`list::read`]; also when access was lost meanwhile.
pub async fn poll(app: &App, caller: &Caller, channel: &ChannelId, ask: Ask, wait: Wait) -> Result<MessagePage> {
    // Where the replica listens to the channel already, the first look is the one after which the reader sleeps.
    let topic = wait.until.and_then(|_| app.hub.standing(&app.keys.wake_topic(channel)));
    let seen = topic.as_ref().map_or(0, Subscribed::seq);
    // What is read and held is boxed, so that those who wait do not carry room for reads, nor those who are answered at once for a wait.
    let first = Box::pin(read(app, caller.key.as_str(), channel, &ask)).await?;
    let Some(until) = wait.until.filter(|_| first.page.data.is_empty() && !first.page.gap) else { return Ok(first.page) };
    let Some(_place) = app.waiting.enter(&caller.key) else { return Ok(first.page) };
    let _counted = app.metrics.waits.began();
    let began = Instant::now();
    let page = Box::pin(hold(app, caller, channel, ask, topic.map(|topic| (topic, seen)), first, until)).await;
    let end = match &page {
        Ok(p) if p.data.is_empty() => "empty",
        Ok(_) => "messages",
        Err(_) => "error",
    };
    app.metrics.waits.ended("list", end, began.elapsed());
    let page = page?;
    Box::pin(caller.still_admitted(app)).await?;
    Ok(page)
}

/// `standing`: a place that the reader had before its first look, and how often the topic had been woken then.
async fn hold(
    app: &App,
    caller: &Caller,
    channel: &ChannelId,
    ask: Ask,
    standing: Option<(Subscribed, u64)>,
    first: Read,
    until: Instant,
) -> Result<MessagePage> {
    let mut looked = standing.is_some();
    let (place, mut seen) = match standing {
        Some(standing) => standing,
        None => match Box::pin(app.hub.topic(&app.keys.wake_topic(channel))).await {
            Ok(place) => {
                let seen = place.seq();
                (place, seen)
            }
            Err(HubError::Full) => return Ok(first.page),
            Err(e) => return Err(ApiError::new(Code::StorageUnavailable).cause(e.to_string())),
        },
    };
    let mut rev = first.rev;
    // Nothing came up to the newest message, so all who wait in vain wait behind it, and one read serves them all.
    let mut shared = Ask { cursor: behind(&ask, first.last), limit: 100, sent: None, ..ask.clone() };
    let mut read = Arc::new(first);
    loop {
        if !looked {
            read = Box::pin(shared_read(app, &place, channel, &shared, seen)).await?;
        }
        looked = false;
        if read.rev != rev || read.page.gap {
            // Who may read has changed since this reader was checked, or the store lost something: it asks for itself.
            let own = Box::pin(list::read(app, caller.key.as_str(), channel, &ask)).await?;
            rev = own.rev;
            if !own.page.data.is_empty() || own.page.gap {
                return Ok(own.page);
            }
            shared.cursor = behind(&ask, own.last);
        } else if !read.page.data.is_empty() {
            // The shared page has no limit and cursor of anyone; what is found is read once more only where they would differ.
            return Box::pin(own_part(app, caller, channel, &ask, &read)).await;
        }
        if let Some(end) = read.lease_ends.filter(|_| ask.status == Status::Unclaimed) {
            place.wake_after(Duration::from_micros(end.0.saturating_sub(read.now.0)));
        }
        tokio::select! {
            now = place.changed(seen) => {
                seen = now;
                let message = place.carried(now).filter(|_| ask.status == Status::All && ask.before.0 == 0);
                if let Some(view) = message.and_then(|m| carried::next(&m, channel, shared.cursor, rev)) {
                    return Ok(MessagePage { next_cursor: Some(view.created_at.clone()), data: vec![view], limit: ask.limit, gap: false });
                }
            }
            () = tokio::time::sleep(recheck(ask.status)) => seen = place.seq(),
            () = app.shutdown.signal() => return Ok(nothing(&ask)),
            () = sleep_until(until) => return Ok(nothing(&ask)),
        }
    }
}

/// A claim wakes nobody, since that would wake all readers of a busy channel for nothing: who waits for claims looks every second.
fn recheck(status: Status) -> Duration {
    if status == Status::Claimed { Duration::from_secs(1) } else { recheck_delay() }
}

/// What is certain for a reader without filters: it has read everything up to the newest message. With a filter older ones may still come.
fn behind(ask: &Ask, last: Micros) -> Micros {
    if ask.status == Status::All && ask.before.0 == 0 { ask.cursor.max(last) } else { ask.cursor }
}

async fn shared_read(app: &App, place: &Subscribed, channel: &ChannelId, ask: &Ask, need: u64) -> Result<Arc<Read>> {
    let key = format!("{}|{:?}|{}", ask.cursor, ask.status, ask.before);
    let (app, channel, ask) = (app.clone(), channel.clone(), ask.clone());
    let read = place.shared_read(&key, need, move || async move { list::read(&app, "", &channel, &ask).await.map(Arc::new) }).await;
    (*read).clone()
}

/// The page of one of the readers that a shared read served.
async fn own_part(app: &App, caller: &Caller, channel: &ChannelId, ask: &Ask, read: &Read) -> Result<MessagePage> {
    let served = usize::try_from(ask.limit).unwrap_or(usize::MAX).min(read.page.data.len());
    let data: Vec<_> = read.page.data[..served].to_vec();
    let next_cursor = data.last().map(|m| m.created_at.clone());
    if ask.status == Status::Claimed {
        return list::read(app, caller.key.as_str(), channel, ask).await.map(|r| r.page); // its cursor is not the last message's
    }
    Ok(MessagePage { data, limit: ask.limit, next_cursor, gap: false })
}

fn nothing(ask: &Ask) -> MessagePage {
    MessagePage { data: Vec::new(), limit: ask.limit, next_cursor: ask.sent.clone(), gap: false }
}
