//! `GET /channels/{id}/poll`: what is there at once, else as soon as something is, else 204.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::log::{Message, Participant, carried, roster};
use super::refused::{Refused, Result, json_response};
use super::{Named, millis};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Context, Params, Query, address};
use crate::ids::Micros;
use crate::store::scripts;
use crate::wait::{HubError, Subscribed, recheck_delay};

/// Beyond this a number loses digits in a script; no room has so many messages.
const LARGEST_INDEX: u64 = 1 << 52;

/// A reader counts as there for as much longer than it sleeps.
const MARGIN: Duration = Duration::from_secs(1);

/// What a poll asks for.
struct Ask {
    named: Named,
    digest: String,
    participant: String,
    since: u64,
    /// Whether it wants the roster also when there is nothing.
    always_roster: bool,
}

/// What a poll is answered.
#[derive(Serialize)]
struct Page {
    messages: Vec<Message>,
    cursor: u64,
    roster: Vec<Participant>,
    /// The store lost its newest messages in a failover: this page begins with what is left.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reset: bool,
}

/// What one look into the room found.
enum Found {
    Page(Page),
    Nothing(Nothing),
}

/// There is nothing yet.
struct Nothing {
    roster: Vec<Participant>,
    now: Micros,
    /// The end of the room's lifetime.
    ends: Micros,
}

pub async fn handle(State(app): State<App>, context: Context, params: Params, query: Query) -> Result<Response> {
    let ask = read_query(&params, &query)?;
    let waits = app.settings.longpoll_enabled && !app.shutdown.begun();
    let place = if waits { app.waiting.enter_from(address::limit_group(context.client())) } else { None };
    // Where the replica listens to the room already, the first look is the one after which the reader sleeps.
    let topic = place.as_ref().and_then(|_| app.hub.standing(&app.keys.room_topic(&ask.named.room)));
    let (seen, nap) = (topic.as_ref().map_or(0, Subscribed::seq), nap(&app));
    let park = if topic.is_some() { nap + MARGIN } else { Duration::ZERO };
    // What is held is boxed, so that who is answered at once carries no room for a wait.
    let first = match Box::pin(look(&app, &ask, park)).await? {
        Found::Page(page) => return answer(&page),
        Found::Nothing(nothing) => nothing,
    };
    if place.is_none() {
        return empty(&ask, first.roster);
    }
    let _counted = app.metrics.waits.began();
    let began = Instant::now();
    let held =
        Box::pin(hold(&app, &ask, topic.map(|topic| Asleep { topic, seen, nap, last: first }), began + app.settings.room_poll_timeout))
            .await;
    let end = match &held {
        Ok(Found::Page(_)) => "messages",
        Ok(Found::Nothing(_)) => "empty",
        Err(_) => "error",
    };
    app.metrics.waits.ended("room", end, began.elapsed());
    match held? {
        Found::Page(page) => answer(&page),
        Found::Nothing(nothing) => empty(&ask, nothing.roster),
    }
}

fn read_query(params: &Params, query: &Query) -> Result<Ask> {
    let wrong = || Refused::because("missing_or_invalid_query");
    let (token, participant) = query.as_sent("token").zip(query.as_sent("participant_id")).ok_or_else(wrong)?;
    let since = match query.as_sent("since") {
        None => 0,
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse::<u64>().map_err(|_| wrong())?.min(LARGEST_INDEX),
        Some(_) => return Err(wrong()),
    };
    let named = Named::new(params, token)?;
    let digest = named.token.digest();
    Ok(Ask { named, digest, participant: participant.to_owned(), since, always_roster: query.text("roster") == Some("1") })
}

/// How long a reader sleeps at most between two looks: who waits keeps the room awake, so it says so well before the room would fall asleep.
fn nap(app: &App) -> Duration {
    recheck_delay().min(app.settings.room_idle / 3)
}

/// A reader that found nothing and listens.
struct Asleep {
    topic: Subscribed,
    /// How often the topic had been woken before the last look.
    seen: u64,
    /// How long it said that it would sleep.
    nap: Duration,
    last: Nothing,
}

/// Looks whenever the room is woken, now and then in any case, and when its lifetime ends.
async fn hold(app: &App, ask: &Ask, asleep: Option<Asleep>, until: Instant) -> Result<Found> {
    let Asleep { topic, mut seen, mut nap, mut last } = match asleep {
        Some(asleep) => asleep,
        None => {
            let topic = match Box::pin(app.hub.topic(&app.keys.room_topic(&ask.named.room))).await {
                Ok(topic) => topic,
                Err(HubError::Full) => return look(app, ask, Duration::ZERO).await,
                Err(e) => return Err(Refused::Service(ApiError::new(Code::StorageUnavailable).cause(e.to_string()))),
            };
            let (seen, nap) = (topic.seq(), self::nap(app));
            match Box::pin(look(app, ask, nap + MARGIN)).await? {
                page @ Found::Page(_) => return Ok(page),
                Found::Nothing(last) => Asleep { topic, seen, nap, last },
            }
        }
    };
    loop {
        let to_the_end = Duration::from_micros(last.ends.0.saturating_sub(last.now.0)) + Duration::from_millis(1);
        tokio::select! {
            now = topic.changed(seen) => {
                seen = now;
                if let Some((message, roster)) = topic.carried(now).and_then(|entry| carried(&entry, ask.since, &ask.participant)) {
                    return Ok(Found::Page(Page { cursor: message.index + 1, messages: vec![message], roster, reset: false }));
                }
            }
            () = sleep(nap.min(to_the_end)) => seen = topic.seq(),
            () = app.shutdown.signal() => return Ok(Found::Nothing(last)),
            () = sleep_until(until) => return Ok(Found::Nothing(last)),
        }
        nap = self::nap(app);
        match Box::pin(look(app, ask, nap + MARGIN)).await? {
            page @ Found::Page(_) => return Ok(page),
            Found::Nothing(nothing) => last = nothing,
        }
    }
}

async fn look(app: &App, ask: &Ask, park: Duration) -> Result<Found> {
    let slot = app.keys.room(&ask.named.room);
    let call = ask.named.call(&scripts::ROOM_POLL, &slot, &ask.digest, &app.settings).arg("participant", &ask.participant);
    let reply = call.int("since", ask.since).int("park_ms", millis(park)).may_send_again(true).run(&app.redis).await?;
    match reply.status() {
        "nothing" => Ok(Found::Nothing(Nothing { roster: roster(&reply, 1)?, now: reply.now(), ends: reply.micros(2)? })),
        "page" => {
            let mut messages = reply.list(0)?.iter().map(Message::read).collect::<std::result::Result<Vec<_>, _>>()?;
            let (cursor, last_word) = (reply.uint(1)?, reply.text(3)?);
            if !last_word.is_empty() {
                messages.push(Message::last_word(cursor.saturating_sub(1), &last_word, reply.now()));
            }
            Ok(Found::Page(Page { messages, cursor, roster: roster(&reply, 2)?, reset: reply.int(4)? == 1 }))
        }
        _ => Err(Refused::by(&reply)),
    }
}

fn empty(ask: &Ask, roster: Vec<Participant>) -> Result<Response> {
    if ask.always_roster {
        return answer(&Page { messages: Vec::new(), cursor: ask.since, roster, reset: false });
    }
    Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response())
}

fn answer(page: &Page) -> Result<Response> {
    let body = serde_json::to_string(page).map_err(|e| ApiError::internal(e.to_string()))?;
    Ok(json_response(StatusCode::OK, body))
}
