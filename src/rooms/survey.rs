//! How many rooms there are. Each room knows how it is; a look at it goes into the counts of the fleet. Rooms that this replica changed are looked at
//! within a second, others when they would fall asleep or end by themselves, by whichever replica comes first.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::admit::Limit;
use super::{millis, timed};
use crate::app::App;
use crate::documents;
use crate::error::Result;
use crate::ids::{Micros, RoomId};
use crate::store::reply::text_of;
use crate::store::scripts;

/// Between two rounds while there is something to count.
const EVERY: Duration = Duration::from_secs(1);
/// Between two rounds while nothing is due: another replica may have made rooms and died.
const IDLE: Duration = Duration::from_secs(60);
/// Rooms looked at in one round.
const MOST: usize = 64;

/// What a look at a room found.
pub struct Look {
    state: String,
    reason: String,
    /// When it falls asleep or ends if nobody uses it.
    pub next_change: Micros,
    participants: u64,
    length: u64,
    texts: u64,
    resumes: u64,
    slept: u64,
}

impl Look {
    pub fn is_awake(&self) -> bool {
        self.state == "awake"
    }
}

/// Rooms of the fleet, as `/health` tells them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    pub channels: u64,
    pub channels_hibernating: u64,
    pub total_participants: u64,
    pub total_messages: u64,
    pub evictions: Evictions,
    pub total_channels_created: u64,
    pub total_messages_sent: u64,
    pub total_hibernations: u64,
    pub total_resumes: u64,
}

/// How often rooms fell asleep (`idle`), and how many ended for which reason.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct Evictions {
    pub idle: u64,
    pub max_lifetime: u64,
    pub max_messages: u64,
    pub hibernate_expired: u64,
}

/// A room that is about to be made is counted from now on.
///
/// # Errors
/// When Redis is in trouble.
pub async fn register(app: &App, room: &RoomId) -> Result<()> {
    let slot = app.keys.rooms();
    let call = scripts::ROOM_REGISTER.on(&slot).arg("id", room.as_str()).int("due", millis(app.settings.room_idle) * 1000 + 1_000_000);
    call.int("life_ms", app.room_counts_ms()).may_send_again(true).run(&app.redis).await?;
    app.rooms.changed(room);
    Ok(())
}

/// Looks at a room; None if there is none.
///
/// # Errors
/// When Redis is in trouble.
pub async fn look(app: &App, room: &RoomId) -> Result<Option<Look>> {
    let slot = app.keys.room(room);
    let reply = timed(scripts::ROOM_SURVEY.on(&slot), &app.settings).may_send_again(true).run(&app.redis).await?;
    if reply.status() != "room" {
        return Ok(None);
    }
    Ok(Some(Look {
        state: reply.text(0)?,
        reason: reply.text(1)?,
        next_change: reply.micros(2)?,
        participants: reply.uint(3)?,
        length: reply.uint(4)?,
        texts: reply.uint(5)?,
        resumes: reply.uint(6)?,
        slept: reply.uint(7)?,
    }))
}

/// Looks at a room and files what it found.
async fn count(app: &App, room: &RoomId) -> Result<()> {
    let found = look(app, room).await?;
    let (state, reason) = found.as_ref().map_or(("unknown", ""), |f| (f.state.as_str(), f.reason.as_str()));
    if state == "over" {
        tracing::info!(room.id = room.as_str(), reason, "a room has ended");
    }
    let slot = app.keys.rooms();
    let number = |of: fn(&Look) -> u64| found.as_ref().map_or(0, of);
    let call = scripts::ROOM_FILE.on(&slot).arg("id", room.as_str()).arg("state", state).arg("reason", reason);
    let call = call.int("due", number(|f| f.next_change.0) + 1).int("participants", number(|f| f.participants));
    let call = call.int("length", number(|f| f.length)).int("texts", number(|f| f.texts)).int("resumes", number(|f| f.resumes));
    let call = call.int("slept", number(|f| f.slept)).int("life_ms", app.room_counts_ms());
    call.may_send_again(true).run(&app.redis).await.map(|_| ())
}

/// Counts what this replica changed. What Redis refuses is counted when it is due.
async fn count_changed(app: &App) {
    for room in app.rooms.take_changed(MOST) {
        if let Err(error) = count(app, &room).await {
            tracing::debug!(cause = error.log_cause(), "a room is counted later");
            return;
        }
    }
}

/// Counts what is due; how long until more is.
async fn count_due(app: &App) -> Result<Duration> {
    let slot = app.keys.rooms();
    let reply = scripts::ROOM_DUE.on(&slot).may_send_again(true).run(&app.redis).await?;
    for room in reply.list(0)?.iter().filter_map(text_of).filter_map(|id| RoomId::parse(&id)) {
        count(app, &room).await?;
    }
    let due = reply.uint(1)?;
    let until = Duration::from_micros(due.saturating_sub(reply.now().0));
    Ok(if due == 0 { IDLE } else { until.clamp(EVERY, IDLE) })
}

/// Starts the counting of this replica.
pub fn start(app: &App) {
    let weak = std::sync::Arc::downgrade(app);
    tokio::spawn(async move {
        let mut pause = IDLE;
        loop {
            // Jitter: replicas do not look at the same moment.
            let rest = tokio::time::sleep(pause.mul_f64(rand::random_range(0.7..1.0)));
            let Some(app) = weak.upgrade() else { return };
            tokio::select! {
                () = rest => {}
                () = app.shutdown.signal() => return,
                () = app.rooms.next_change() => tokio::time::sleep(EVERY.mul_f64(rand::random_range(0.5..1.0))).await,
            }
            count_changed(&app).await;
            pause = count_due(&app).await.unwrap_or_else(|error| {
                tracing::debug!(cause = error.log_cause(), "rooms are counted later");
                EVERY
            });
        }
    });
}

/// How many rooms there are now.
///
/// # Errors
/// When Redis is in trouble.
pub async fn counts(app: &App) -> Result<Counts> {
    count_changed(app).await;
    let slot = app.keys.rooms();
    let reply = scripts::ROOM_COUNTS.on(&slot).may_send_again(true).run(&app.redis).await?;
    let totals = reply.pairs(2)?;
    let total = |name: &str| totals.iter().find(|(n, _)| n == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    Ok(Counts {
        channels: reply.uint(0)?,
        channels_hibernating: reply.uint(1)?,
        total_participants: total("participants"),
        total_messages: total("messages"),
        evictions: Evictions {
            idle: total("hibernations"),
            max_lifetime: total("over_max_lifetime"),
            max_messages: total("over_max_messages"),
            hibernate_expired: total("over_hibernate_expired"),
        },
        total_channels_created: total("created"),
        total_messages_sent: total("sent"),
        total_hibernations: total("hibernations"),
        total_resumes: total("resumes"),
    })
}

/// The part of `/metrics` that is about rooms. What Redis counts is left out while it does not answer.
pub async fn metrics(app: &App) -> String {
    let mut page = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "# HELP agentalk_{name} {help}\n# TYPE agentalk_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(page, "agentalk_{name}{labels} {value}");
        }
    };
    let one = |value: u64| [(String::new(), value)];
    metric("uptime_seconds", "gauge", "Seconds since this replica began.", &one(documents::uptime_s()));
    if let Ok(counts) = counts(app).await {
        let reason = |word: &str, value: u64| (format!("{{reason=\"{word}\"}}"), value);
        let ended = &counts.evictions;
        metric("channels", "gauge", "Rooms that are awake, in the fleet.", &one(counts.channels));
        metric("participants", "gauge", "Participants of rooms that are awake, in the fleet.", &one(counts.total_participants));
        metric("channels_created_total", "counter", "Rooms made, in the fleet.", &one(counts.total_channels_created));
        metric("messages_sent_total", "counter", "Messages sent to rooms, in the fleet.", &one(counts.total_messages_sent));
        let evictions = [
            reason("idle", ended.idle),
            reason("max_lifetime", ended.max_lifetime),
            reason("max_messages", ended.max_messages),
            reason("hibernate_expired", ended.hibernate_expired),
        ];
        metric("evictions_total", "counter", "Rooms that fell asleep (idle) or ended, in the fleet.", &evictions);
    }
    let rejections = Limit::ALL.map(|limit| (format!("{{kind=\"{}\"}}", limit.word()), app.rooms.rejections(limit)));
    metric("ratelimit_rejections_total", "counter", "Calls that this replica refused under a limit of rooms.", &rejections);
    let tracked = app.rooms.tracked_addresses() as u64;
    metric("tracked_ips", "gauge", "Client addresses that used rooms at this replica within an hour.", &one(tracked));
    page
}
