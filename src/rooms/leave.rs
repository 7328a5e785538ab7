//! `POST /channels/{id}/leave`

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;

use super::Named;
use super::body::Fields;
use super::refused::{Refused, Result, json_response};
use crate::app::App;
use crate::http::Params;
use crate::store::scripts;

/// How long a room that everybody has left stays awake: who re-joins at once finds its log.
const LINGER_MS: u64 = 10_000;

pub async fn handle(State(app): State<App>, params: Params, request: Request) -> Result<Response> {
    let fields = Fields::read(&app, request).await?;
    let given = fields.filled("token").zip(fields.filled("participant_id"));
    let (token, participant) = given.ok_or_else(|| Refused::because("missing_token_or_participant_id"))?;
    let named = Named::new(&params, token)?;
    let (slot, digest) = (app.keys.room(&named.room), named.token.digest());
    let call = named.call(&scripts::ROOM_LEAVE, &slot, &digest, &app.settings).int("max_messages", app.settings.room_max_messages);
    let reply = call.int("linger_ms", LINGER_MS).arg("participant", participant).run(&app.redis).await?;
    if reply.status() != "left" {
        return Err(Refused::by(&reply));
    }
    app.rooms.changed(&named.room);
    tracing::info!(room.id = named.room.as_str(), participant.id = participant, "left a room");
    Ok(json_response(StatusCode::OK, "{\"ok\":true}".to_owned()))
}
