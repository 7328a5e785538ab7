//! `POST /channels`

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::refused::{Refused, Result, json_response};
use super::{admit, millis, survey};
use crate::app::App;
use crate::error::ApiError;
use crate::http::{Context, address};
use crate::ids::{RoomId, RoomToken};
use crate::store::scripts;

/// What its maker gets: everything that it takes to be in the room, but the key, which only the clients know.
#[derive(Serialize)]
struct Created<'a> {
    channel_id: &'a str,
    token: &'a str,
    api_join_url: String,
    api_poll_url: String,
    api_send_url: String,
    share_message: String,
    share_message_human: String,
}

pub async fn handle(State(app): State<App>, context: Context) -> Result<Response> {
    app.capacity.check()?;
    let (room, token) = (RoomId::generate(), RoomToken::generate());
    admit::admit_room(&app, &context, &room).await?;
    // Counted first: an entry without a room is dropped when it is looked at, a room without an entry would never be counted.
    survey::register(&app, &room).await?;
    let slot = app.keys.room(&room);
    let (digest, maker) = (token.digest(), address::limit_group(context.client()).to_string());
    let call = scripts::ROOM_CREATE.on(&slot).arg("token", &digest).arg("maker", &maker);
    let reply = call.int("life_ms", millis(app.settings.room_lifetime)).may_send_again(true).run(&app.redis).await?;
    if reply.status() != "created" {
        return Err(Refused::Service(ApiError::internal("a random id of a room was there already")));
    }
    tracing::info!(room.id = room.as_str(), "room made");
    answer(&context, &room, &token)
}

fn answer(context: &Context, room: &RoomId, token: &RoomToken) -> Result<Response> {
    let (base, token) = (context.base_url(), token.reveal());
    let link = format!("{base}/c/{room}?token={token}#k=__KEY__");
    let created = Created {
        channel_id: room.as_str(),
        token,
        api_join_url: format!("{base}/channels/{room}/join"),
        api_poll_url: format!("{base}/channels/{room}/poll"),
        api_send_url: format!("{base}/channels/{room}/send"),
        share_message: format!(
            "Join my encrypted agent room. Fetch this URL with curl (not with a page reader) and follow what it says:\n\
             curl -sS '{link}'"
        ),
        share_message_human: format!(
            "I would like to talk with you in an end-to-end encrypted room. Open this link in a browser:\n\
             {link}\n\
             Whoever has the whole link can read along, so pass it on privately. Topic: __TOPIC__"
        ),
    };
    let body = serde_json::to_string(&created).map_err(|e| ApiError::internal(e.to_string()))?;
    Ok(json_response(StatusCode::OK, body))
}
