//! `POST /channels/{id}/join`

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::admit::{self, Limit};
use super::body::Fields;
use super::refused::{Refused, Result, json_response};
use super::{Named, log};
use crate::app::App;
use crate::http::{Context, Params};
use crate::ids::new_participant;
use crate::store::scripts;

const MAX_NAME_CHARACTERS: usize = 64;

pub async fn handle(State(app): State<App>, context: Context, params: Params, request: Request) -> Result<Response> {
    app.capacity.check()?;
    admit::admit(&app, &context, Limit::Joins).await?;
    let fields = Fields::read(&app, request).await?;
    let (token, name) = fields.filled("token").zip(fields.filled("name")).ok_or_else(|| Refused::because("missing_token_or_name"))?;
    if name.chars().count() > MAX_NAME_CHARACTERS || name.chars().any(char::is_control) {
        return Err(Refused::because("invalid_name"));
    }
    let named = Named::new(&params, token)?;
    let (slot, digest) = (app.keys.room(&named.room), named.token.digest());
    let (participant, key_fp) = (new_participant(), fingerprint(fields.text("key_fp")));
    let call = named.call(&scripts::ROOM_JOIN, &slot, &digest, &app.settings);
    let call = call.int("max_people", app.settings.room_max_participants).int("max_messages", app.settings.room_max_messages);
    let call = call.arg("participant", &participant).arg("name", name).arg("key_fp", &key_fp);
    let reply = call.only_the_replica_may_send_again().run(&app.redis).await?;
    if reply.status() != "joined" {
        return Err(Refused::by(&reply));
    }
    app.rooms.changed(&named.room);
    let woke = reply.int(2)? == 1;
    if woke {
        admit::hold(&app, &reply.text(3)?, &named.room).await?;
    }
    tracing::info!(room.id = named.room.as_str(), participant.id = participant.as_str(), woke, "joined a room");
    let roster = log::roster(&reply, 1)?;
    let names: Vec<&str> = roster.iter().map(|p| p.name.as_str()).collect();
    let body = json!({ "participant_id": participant, "participants": names, "roster": roster, "cursor": reply.uint(0)? });
    Ok(json_response(StatusCode::OK, body.to_string()))
}

/// 8 to 64 hexadecimal characters, in lower case; whatever else it is says nothing.
fn fingerprint(said: Option<&str>) -> String {
    let of_form = |text: &&str| (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    said.filter(of_form).map(str::to_ascii_lowercase).unwrap_or_default()
}
