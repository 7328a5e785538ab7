//! Waiting for a receipt: register, read, sleep, read again.
//!
//! Each message that somebody waits for has a topic of its own, so that a claim or an ack wakes only those who wait for that message. What
//! concerns everybody (the channel was deleted, access changed) comes on the channel's topic, on which posts do not wake them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::poll::Wait;
use super::receipt::{Receipt, Seen, Until, read};
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::Caller;
use crate::ids::MessageId;
use crate::store::scripts;
use crate::wait::{HubError, Subscribed, recheck_delay};

/// The receipt at once if the message has come so far, or never will; else as soon as it has, or as it is when the time is up or the replica
/// leaves.
///
/// # Errors
/// `message_not_found`, also when it is gone by then; `channel_access_denied`, also when access was lost meanwhile; Redis trouble.
pub async fn receipt(app: &App, caller: &Caller, id: &MessageId, until: Until, wait: Wait) -> Result<Receipt> {
    // Boxed as in poll.rs.
    let first = Box::pin(read(app, &scripts::MESSAGE_RECEIPT, caller.key.as_str(), id)).await?;
    let Some(deadline) = wait.until.filter(|_| !first.receipt.has_come(until)) else { return Ok(first.receipt) };
    let Some(_place) = app.waiting.enter(&caller.key) else { return Ok(first.receipt) };
    let _counted = app.metrics.waits.began();
    let began = Instant::now();
    let receipt = Box::pin(hold(app, caller, id, until, first, deadline)).await;
    let end = match &receipt {
        Ok(r) if r.has_come(until) => "messages",
        Ok(_) => "empty",
        Err(_) => "error",
    };
    app.metrics.waits.ended("receipt", end, began.elapsed());
    let receipt = receipt?;
    Box::pin(caller.still_admitted(app)).await?;
    Ok(receipt)
}

async fn hold(app: &App, caller: &Caller, id: &MessageId, until: Until, first: Seen, deadline: Instant) -> Result<Receipt> {
    let Some((channel, message)) = places(app, id).await? else { return Ok(first.receipt) };
    let (mut rev, mut ended) = (first.rev, false);
    let (mut all, mut seen) = (channel.all_seq(), message.seq());
    loop {
        let shared = Box::pin(shared_read(app, &message, id, all, seen)).await?;
        if shared.rev != rev {
            // Who may read has changed since this waiter was checked: it asks for itself.
            let own = Box::pin(read(app, &scripts::MESSAGE_RECEIPT, caller.key.as_str(), id)).await?;
            if ended || own.receipt.has_come(until) {
                return Ok(last(&message, own.receipt));
            }
            rev = own.rev;
        } else if ended || shared.receipt.has_come(until) {
            return Ok(last(&message, shared.receipt.clone()));
        }
        let expires_in = Duration::from_micros(shared.expires.0.saturating_sub(shared.now.0)) + Duration::from_millis(1);
        tokio::select! {
            now = message.changed(seen) => seen = now,
            now = channel.changed_for_all(all) => all = now,
            () = sleep(recheck_delay().min(expires_in)) => {}
            // Read once more, and answered whatever it is then.
            () = app.shutdown.signal() => ended = true,
            () = sleep_until(deadline) => ended = true,
        }
    }
}

/// Nobody waits again for what is done.
fn last(place: &Subscribed, receipt: Receipt) -> Receipt {
    if receipt.has_come(Until::Done) {
        place.mark_over();
    }
    receipt
}

/// A place at the channel's topic and one at the message's; none if this replica waits on as many topics as it may.
async fn places(app: &App, id: &MessageId) -> Result<Option<(Subscribed, Subscribed)>> {
    let (of_channel, of_message) = (app.keys.wake_topic(id.channel()), app.keys.receipt_topic(id));
    let both = Box::pin(async { tokio::try_join!(app.hub.topic(&of_channel), app.hub.topic(&of_message)) });
    match both.await {
        Ok(places) => Ok(Some(places)),
        Err(HubError::Full) => Ok(None),
        Err(e) => Err(ApiError::new(Code::StorageUnavailable).cause(e.to_string())),
    }
}

/// One read for all who wait for this message. `all` is part of what they ask for: a read that began before everybody was woken does not
/// know why.
async fn shared_read(app: &App, place: &Subscribed, id: &MessageId, all: u64, need: u64) -> Result<Arc<Seen>> {
    let (app, id) = (app.clone(), id.clone());
    let read = move || async move { read(&app, &scripts::MESSAGE_WATCH, "", &id).await.map(Arc::new) };
    (*place.shared_read(&all.to_string(), need, read).await).clone()
}
