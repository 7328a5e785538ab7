//! `POST /channels/{id}/send`

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use sha2::{Digest, Sha256};

use super::Named;
use super::admit::{self, Limit};
use super::body::Fields;
use super::refused::{Refused, Result, json_response};
use crate::app::App;
use crate::http::{Context, Params};
use crate::store::scripts;

const MAX_TEXT_CHARACTERS: usize = 65_536;
const MAX_CLIENT_ID_CHARACTERS: usize = 64;
/// How long the same `client_msg_id` is the same message.
const ONCE_MS: u64 = 600_000;

pub async fn handle(State(app): State<App>, context: Context, params: Params, request: Request) -> Result<Response> {
    app.capacity.check()?;
    admit::admit(&app, &context, Limit::Messages).await?;
    let fields = Fields::read(&app, request).await?;
    let (Some(token), Some(participant), Some(text)) = (fields.filled("token"), fields.filled("participant_id"), fields.text("text"))
    else {
        return Err(Refused::because("missing_token_participant_id_or_text"));
    };
    let named = Named::new(&params, token)?;
    // Said by the script, after it has looked at the room and at who sends.
    let fault = match text.chars().count() {
        0 => "empty_text",
        n if n > MAX_TEXT_CHARACTERS => "text_too_large",
        _ => "",
    };
    let once = fields.filled("client_msg_id").filter(|id| id.chars().count() <= MAX_CLIENT_ID_CHARACTERS);
    let (slot, digest) = (app.keys.room(&named.room), named.token.digest());
    let call = named.call(&scripts::ROOM_SEND, &slot, &digest, &app.settings).int("max_messages", app.settings.room_max_messages);
    let call = call.arg("participant", participant).arg("text", if fault.is_empty() { text } else { "" }).arg("fault", fault);
    let call = call.key("sent", once.map_or_else(|| "-".to_owned(), |id| of_participant(participant, id)));
    let call = call.int("once_ms", if once.is_some() { ONCE_MS } else { 0 }).may_send_again(once.is_some());
    let reply = call.run(&app.redis).await?;
    match reply.status() {
        "sent" => {}
        "bad_text" => return Err(Refused::because(fault)),
        _ => return Err(Refused::by(&reply)),
    }
    app.rooms.changed(&named.room);
    let index = reply.uint(0)?;
    tracing::debug!(room.id = named.room.as_str(), bytes = text.len(), index, "sent to a room");
    Ok(json_response(StatusCode::OK, format!("{{\"ok\":true,\"index\":{index}}}")))
}

/// A name for what one participant sends under this id. Hashed: the id is free text.
fn of_participant(participant: &str, id: &str) -> String {
    let digest = Sha256::digest(format!("{participant}\u{1f}{id}"));
    data_encoding::HEXLOWER.encode(&digest[..16])
}
