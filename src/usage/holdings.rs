//! How much memory the channels of one key take, so that one key alone cannot fill Redis, over however many days.
//!
//! Scripts that post look now and then at what their channel holds, and answer it. The replica tells a ledger in the slot of the key that
//! owns the channel, five times as often as it flushes counters, and hears what all its channels hold. If that is too much, the channel is marked: its posts are refused
//! for half a minute. The first one after that is asked to look again, before anything is posted.

use std::collections::HashMap;

use futures::StreamExt;
use parking_lot::Mutex;

use super::{FLUSHED_AT_ONCE, of_a_read};
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::ids::{ChannelId, KeyId, Micros};
use crate::store::{Reply, scripts};

/// Most channels that are remembered between two reports; others are reported when they are looked at again.
const CHANNELS: usize = 65_536;
/// Most channels that one script takes in.
const A_STEP: usize = 64;
/// So many times between two flushes of counters.
const REPORTS: u32 = 5;
/// For how long a channel is left alone once its owner holds too much.
const FULL_S: u64 = 30;
/// Stands in place of the bytes of a channel that was deleted.
const DELETED: &str = "-";

/// What channels held when somebody looked, until it is reported.
pub struct Holdings {
    /// 0: no limit, and nothing is kept.
    most: u64,
    seen: Mutex<HashMap<ChannelId, Seen>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    owner: KeyId,
    bytes: u64,
    /// When all of it is gone.
    ends_ms: u64,
}

impl Holdings {
    /// `most`: bytes that the channels of a key may hold; 0: no limit.
    pub fn new(most: u64) -> Self {
        Self { most, seen: Mutex::default() }
    }

    /// Takes in what a script answers about its channel from this value on, if it does.
    ///
    /// # Errors
    /// When the answer is not as its header says.
    pub fn saw(&self, channel: &ChannelId, reply: &Reply, from: usize) -> Result<()> {
        if self.most > 0 && reply.len() > from {
            self.keep(channel, seen(reply, from)?);
        }
        Ok(())
    }

    fn keep(&self, channel: &ChannelId, what: Seen) {
        let mut seen = self.seen.lock();
        if seen.len() < CHANNELS || seen.contains_key(channel) {
            seen.insert(channel.clone(), what);
        }
    }

    /// What is to be reported, by owner.
    fn take_all(&self) -> HashMap<KeyId, Vec<(ChannelId, Seen)>> {
        let mut owners: HashMap<_, Vec<_>> = HashMap::new();
        for (channel, seen) in std::mem::take(&mut *self.seen.lock()) {
            owners.entry(seen.owner.clone()).or_default().push((channel, seen));
        }
        owners
    }

    fn put_back(&self, channels: &[(ChannelId, Seen)]) {
        for (channel, what) in channels {
            let mut seen = self.seen.lock();
            if seen.len() < CHANNELS {
                seen.entry(channel.clone()).or_insert_with(|| what.clone());
            }
        }
    }
}

fn seen(reply: &Reply, from: usize) -> Result<Seen> {
    let owner = KeyId::parse(&reply.text(from)?).ok_or_else(|| ApiError::internal("a channel whose owner is not a key"))?;
    Ok(Seen { owner, bytes: reply.uint(from + 1)?, ends_ms: reply.uint(from + 2)? })
}

/// Reports now and then, until the replica leaves.
pub(super) fn start(app: &App) {
    let weak = std::sync::Arc::downgrade(app);
    let every = app.settings.usage_flush / REPORTS;
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let Some(app) = weak.upgrade() else { return };
            report(&app).await;
        }
    });
}

/// Reports what was seen, and marks channels whose owners hold too much. What fails is reported the next time.
pub(super) async fn report(app: &App) {
    let each = |(owner, channels): (KeyId, Vec<(ChannelId, Seen)>)| async move {
        for step in channels.chunks(A_STEP) {
            match of_owner(app, &owner, step).await {
                Ok(held) if held >= app.holdings.most => {
                    for (channel, _) in step {
                        let _ = mark(app, channel, FULL_S).await; // the next post that looks is the next chance
                    }
                }
                Ok(_) => {}
                Err(_) => app.holdings.put_back(step),
            }
        }
    };
    futures::stream::iter(app.holdings.take_all()).for_each_concurrent(FLUSHED_AT_ONCE, each).await;
}

async fn of_owner(app: &App, owner: &KeyId, channels: &[(ChannelId, Seen)]) -> Result<u64> {
    let rest = channels.iter().flat_map(|(channel, seen)| [channel.as_str().to_owned(), seen.bytes.to_string(), seen.ends_ms.to_string()]);
    count(app, owner, rest).await
}

/// What all channels of the owner hold, with these taken in.
async fn count(app: &App, owner: &KeyId, rest: impl IntoIterator<Item = String>) -> Result<u64> {
    let slot = app.keys.key(owner);
    let call = scripts::USAGE_HOLDINGS.on(&slot).key("holdings", owner.as_str()).key("holdings_end", owner.as_str());
    call.rest(rest).may_send_again(true).run(&app.redis).await?.uint(0)
}

/// Refuses posts to the channel for so many seconds; 0: no longer.
async fn mark(app: &App, channel: &ChannelId, seconds: u64) -> Result<()> {
    let slot = app.keys.channel(channel);
    match scripts::CHANNEL_FULL.on(&slot).int("seconds", seconds).may_send_again(true).run(&app.redis).await {
        Err(e) if e.code() != Code::ChannelNotFound => Err(e),
        _ => Ok(()),
    }
}

/// What all channels of a key hold, as far as they were looked at; None: nobody counts, since there is no limit.
///
/// # Errors
/// Redis trouble.
pub(super) async fn held_by(app: &App, key: &KeyId) -> Result<Option<u64>> {
    if app.holdings.most == 0 {
        return Ok(None);
    }
    count(app, key, []).await.map(Some).map_err(of_a_read)
}

/// Whether the script did its work; false: the owner has room again, ask once more.
///
/// # Errors
/// `quota_exceeded` while the owner of the channel holds as much as it may; Redis trouble.
pub async fn was_done(app: &App, channel: &ChannelId, reply: &Reply) -> Result<bool> {
    match reply.status() {
        "full" => Err(too_much(app, reply.micros(0)?, reply.now())),
        "look" => Box::pin(look(app, channel, reply)).await.map(|()| false),
        _ => Ok(true),
    }
}

/// The mark has run out: finds out whether the owner still holds too much, and marks the channel again, or takes the mark away.
async fn look(app: &App, channel: &ChannelId, reply: &Reply) -> Result<()> {
    let seen = seen(reply, 0)?;
    let owner = seen.owner.clone();
    let most = app.holdings.most;
    if most > 0 && of_owner(app, &owner, &[(channel.clone(), seen)]).await.map_err(of_a_read)? >= most {
        mark(app, channel, FULL_S).await.map_err(of_a_read)?;
        return Err(too_much(app, reply.now().plus_seconds(FULL_S), reply.now()));
    }
    mark(app, channel, 0).await.map_err(of_a_read)
}

fn too_much(app: &App, until: Micros, now: Micros) -> ApiError {
    ApiError::new(Code::QuotaExceeded)
        .with("limit", "bytes_per_key")
        .with("value", app.holdings.most)
        .retry_after(until.0.saturating_sub(now.0).div_ceil(1_000_000))
        .because(
            "The key that owns this channel holds as much as it may in all its channels; nothing was changed. Its owner retracts messages or \
             deletes channels, or messages expire and leave the history; that is looked at again after `retry_after` seconds.",
        )
}

/// Takes a channel that was deleted off its owner's ledger. What fails is right again at the channel's deadline.
pub async fn forget(app: &App, owner: &KeyId, channel: &ChannelId) {
    if app.holdings.most == 0 {
        return;
    }
    app.holdings.seen.lock().remove(channel);
    let _ = count(app, owner, [channel.as_str().to_owned(), DELETED.to_owned(), "0".to_owned()]).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_look_at_a_channel_is_reported_and_only_of_so_many() {
        let (holdings, owner) = (Holdings::new(100), KeyId::generate("me"));
        let (first, second) = (ChannelId::generate(), ChannelId::generate());
        let of = |bytes| Seen { owner: owner.clone(), bytes, ends_ms: 9 };
        holdings.keep(&first, of(1));
        holdings.keep(&first, of(2));
        holdings.keep(&second, Seen { owner: KeyId::generate("other"), ..of(3) });
        let taken = holdings.take_all();
        assert_eq!((taken.len(), &taken[&owner]), (2, &vec![(first.clone(), of(2))]));
        holdings.keep(&first, of(5));
        holdings.put_back(&[(first.clone(), of(2)), (second, of(3))]);
        assert_eq!(
            holdings.take_all()[&owner].iter().find(|(channel, _)| *channel == first).expect("kept").1,
            of(5),
            "newer than what failed"
        );
        for _ in 0..CHANNELS + 10 {
            holdings.keep(&ChannelId::generate(), of(1));
        }
        assert_eq!(holdings.seen.lock().len(), CHANNELS);
    }
}
