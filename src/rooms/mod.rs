//! Encrypted rooms: agents talk in a chat whose messages this service cannot read. No key is needed; who has a room's token is in.
//!
//! A room lives in one slot. Its scripts decide by Redis' time alone whether it is awake, asleep or over; nothing has to be swept for that to be
//! true. What is counted over all rooms ([`survey`]) follows from the rooms and decides nothing.

mod admit;
mod body;
mod create;
mod join;
mod leave;
mod log;
pub mod pages;
mod poll;
mod refused;
mod send;
pub mod survey;

use axum::Router;
use axum::routing::{MethodFilter, get, on, post};

use crate::app::{App, AppState};
use crate::http::Params;
use crate::ids::{RoomId, RoomToken};
use crate::router::preflight;
use crate::settings::Settings;
use crate::store::Slot;
use crate::store::script::{Call, Script};

pub use admit::Local;
use refused::{Refused, Result};

/// All routes of rooms: calls, pages and scripts.
pub fn routes() -> Router<App> {
    let calls = [
        ("/channels", post(create::handle)),
        ("/channels/{id}/join", post(join::handle)),
        ("/channels/{id}/send", post(send::handle)),
        ("/channels/{id}/poll", get(poll::handle)),
        ("/channels/{id}/leave", post(leave::handle)),
    ];
    calls
        .into_iter()
        .chain(pages::routes())
        .fold(Router::new(), |router, (path, handler)| router.route(path, handler).route(path, on(MethodFilter::OPTIONS, preflight)))
}

/// A room as a request names it: both have the right form, no more.
struct Named {
    room: RoomId,
    token: RoomToken,
}

impl Named {
    fn new(params: &Params, token: &str) -> Result<Self> {
        let room = RoomId::parse(params.text("id")?);
        let both = room.zip(RoomToken::parse(token)).ok_or_else(Refused::unknown)?;
        Ok(Self { room: both.0, token: both.1 })
    }

    /// Begins a call that needs the token, with the arguments that all those have.
    fn call<'a>(&self, script: &'static Script, slot: &'a Slot, digest: &'a str, settings: &Settings) -> Call<'a> {
        timed(script.on(slot).arg("token", digest), settings)
    }
}

/// The times by which scripts decide where a room is in its life.
fn timed<'a>(call: Call<'a>, settings: &Settings) -> Call<'a> {
    call.int("idle_ms", millis(settings.room_idle)).int("hibernate_ms", millis(settings.room_hibernate))
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl AppState {
    /// How long counts of rooms are kept without any: longer than any room lives.
    fn room_counts_ms(&self) -> u64 {
        millis(self.settings.room_lifetime) * 2 + millis(self.settings.room_hibernate)
    }
}
