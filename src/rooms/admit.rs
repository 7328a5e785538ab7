//! Limits of one client address, over the whole fleet, and what this replica remembers of them.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::refused::{Refused, Result};
use super::{millis, survey};
use crate::app::App;
use crate::http::{Context, address};
use crate::ids::RoomId;
use crate::store::{Reply, scripts};

/// Most addresses whose last call is remembered, and most rooms that wait to be counted.
const REMEMBERED: usize = 100_000;
/// How long an address counts as one that is tracked.
const TRACKED: Duration = Duration::from_secs(3600);

/// Which limit a call falls under.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    Rooms,
    Messages,
    Joins,
    RoomsAtATime,
}

impl Limit {
    /// All, in the order of [`Local::rejections`].
    pub const ALL: [Self; 4] = [Self::Rooms, Self::Messages, Self::Joins, Self::RoomsAtATime];

    /// What metrics call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rooms => "channels",
            Self::Messages => "messages",
            Self::Joins => "joins",
            Self::RoomsAtATime => "concurrent_channels",
        }
    }
}

/// What one replica keeps of rooms. Nothing of it decides anything.
#[derive(Default)]
pub struct Local {
    rejections: [AtomicU64; 4],
    addresses: Mutex<HashMap<IpAddr, Instant>>,
    changed: Mutex<HashSet<RoomId>>,
    changes: Notify,
}

impl Local {
    /// How many calls this replica refused under a limit.
    pub fn rejections(&self, limit: Limit) -> u64 {
        self.rejections[limit as usize].load(Relaxed)
    }

    /// How many addresses made rooms, joined or sent here within an hour.
    pub fn tracked_addresses(&self) -> usize {
        let mut addresses = self.addresses.lock();
        addresses.retain(|_, at| at.elapsed() < TRACKED);
        addresses.len()
    }

    /// This room is to be counted again.
    pub fn changed(&self, room: &RoomId) {
        let mut changed = self.changed.lock();
        if changed.len() < REMEMBERED {
            changed.insert(room.clone()); // beyond it the room is counted when it is due
        }
        self.changes.notify_one();
    }

    /// Returns once a room was changed since this was last asked.
    pub async fn next_change(&self) {
        self.changes.notified().await;
    }

    /// Up to `most` rooms that are to be counted again.
    pub fn take_changed(&self, most: usize) -> Vec<RoomId> {
        let mut changed = self.changed.lock();
        let some: Vec<RoomId> = changed.iter().take(most).cloned().collect();
        for room in &some {
            changed.remove(room);
        }
        if !changed.is_empty() {
            self.changes.notify_one();
        }
        some
    }

    fn seen(&self, address: IpAddr) {
        let mut addresses = self.addresses.lock();
        if addresses.len() >= REMEMBERED {
            addresses.retain(|_, at| at.elapsed() < TRACKED);
        }
        if addresses.len() < REMEMBERED || addresses.contains_key(&address) {
            addresses.insert(address, Instant::now());
        }
    }

    fn refuse(&self, limit: Limit, after_ms: u64) -> Refused {
        self.rejections[limit as usize].fetch_add(1, Relaxed);
        Refused::too_many(if matches!(limit, Limit::RoomsAtATime) { "concurrent_channels_limit" } else { "rate_limited" }, after_ms)
    }
}

/// Counts a message or a join of the caller's address.
///
/// # Errors
/// 429 `rate_limited`.
pub async fn admit(app: &App, context: &Context, limit: Limit) -> Result<()> {
    let per_hour = match limit {
        Limit::Messages => app.settings.room_messages_per_hour,
        _ => app.settings.room_joins_per_hour,
    };
    let group = address::limit_group(context.client());
    app.rooms.seen(group);
    if per_hour == 0 {
        return Ok(());
    }
    let slot = app.keys.address(group);
    let reply = scripts::ROOM_ADMIT.on(&slot).key("bucket", limit.word()).int("per_hour", per_hour).run(&app.redis).await?;
    match reply.status() {
        "open" => Ok(()),
        _ => Err(app.rooms.refuse(limit, reply.uint(0)?)),
    }
}

/// Counts a room of the caller's address, and takes one of its places for it.
///
/// # Errors
/// 429 `rate_limited`, `concurrent_channels_limit`.
pub async fn admit_room(app: &App, context: &Context, room: &RoomId) -> Result<()> {
    let group = address::limit_group(context.client());
    app.rooms.seen(group);
    if app.settings.room_creations_per_hour == 0 && app.settings.rooms_per_address == 0 {
        return Ok(());
    }
    let mut first_free_ms = 0;
    for attempt in 0..2 {
        let reply = take_place(app, group, room).await?;
        match reply.status() {
            "open" => return Ok(()),
            "rate_limited" => return Err(app.rooms.refuse(Limit::Rooms, reply.uint(0)?)),
            _ if attempt == 0 => first_free_ms = release_unused(app, group, &reply).await?,
            _ => {}
        }
    }
    Err(app.rooms.refuse(Limit::RoomsAtATime, first_free_ms))
}

async fn take_place(app: &App, group: IpAddr, room: &RoomId) -> Result<Reply> {
    let slot = app.keys.address(group);
    let call = scripts::ROOM_ADMIT_ROOM.on(&slot).key("bucket", Limit::Rooms.word()).int("per_hour", app.settings.room_creations_per_hour);
    let call = call.int("most", app.settings.rooms_per_address).int("life_ms", millis(app.settings.room_lifetime));
    Ok(call.arg("id", room.as_str()).run(&app.redis).await?)
}

/// Frees the places of rooms that sleep or are over; how long until the next one may do so, if nobody uses it.
async fn release_unused(app: &App, group: IpAddr, full: &Reply) -> Result<u64> {
    let mut first_free = u64::MAX;
    for id in full.list(0)?.iter().filter_map(crate::store::reply::text_of) {
        let Some(room) = RoomId::parse(&id) else { continue };
        match survey::look(app, &room).await? {
            Some(found) if found.is_awake() => first_free = first_free.min(found.next_change.0.saturating_sub(full.now().0)),
            _ => {
                let slot = app.keys.address(group);
                scripts::ROOM_RELEASE.on(&slot).arg("id", &id).may_send_again(true).run(&app.redis).await?;
                first_free = 0;
            }
        }
    }
    Ok(if first_free == u64::MAX { 0 } else { first_free.div_ceil(1000) })
}

/// A room that was woken takes a place of its maker again.
pub async fn hold(app: &App, maker: &str, room: &RoomId) -> Result<()> {
    let Ok(maker) = maker.parse::<IpAddr>() else { return Ok(()) };
    if app.settings.rooms_per_address > 0 {
        let slot = app.keys.address(maker);
        let call = scripts::ROOM_HOLD.on(&slot).arg("id", room.as_str()).int("life_ms", millis(app.settings.room_lifetime));
        call.may_send_again(true).run(&app.redis).await?;
    }
    Ok(())
}
