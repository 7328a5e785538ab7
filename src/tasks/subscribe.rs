//! `POST /v1/tasks/subscribe`

use axum::extract::State;
use utoipa::ToSchema;

use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::params::parse_time;
use crate::http::{Answer, Body, Caller, Fields, Once};
use crate::messages::MessagePage;
use crate::messages::list::{Ask, Status};
use crate::messages::poll::{Wait, poll};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static TASK_SUBSCRIBE: Operation = Operation {
    id: "taskSubscribe",
    method: "POST",
    path: "/v1/tasks/subscribe",
    tag: "Tasks",
    summary: "Read messages of a channel after a cursor",
    about: "The same as GET …/messages, with the channel in the body.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[],
    request: Some(schema::of::<Subscribe>),
    success: (200, Some(schema::of::<MessagePage>)),
    also: None,
    scripts: &[&scripts::MESSAGE_LIST, &scripts::MESSAGE_LIFT],
    refusals: &[Code::MissingField, Code::InvalidString, Code::InvalidCursor, Code::InvalidLimit, Code::InvalidField],
};

/// What to send.
#[derive(ToSchema)]
pub struct Subscribe {
    /// Id, name of yours, or alias.
    pub channel: String,
    /// next_cursor of your last page. Absent: from the start.
    pub cursor: Option<String>,
    /// The old name of cursor.
    pub since: Option<String>,
    #[schema(default = 50, minimum = 1, maximum = 100)]
    pub limit: Option<u64>,
    /// Seconds to wait while there is nothing; the server caps it.
    pub wait: Option<f64>,
}

fn read(fields: &Fields) -> Result<Ask> {
    let (name, sent) = match fields.text("cursor")?.filter(|c| !c.is_empty()) {
        Some(cursor) => ("cursor", Some(cursor)),
        None => ("since", fields.text("since")?.filter(|c| !c.is_empty())),
    };
    let cursor = sent.as_deref().map_or(Ok(None), |text| parse_time(text, name, Code::InvalidCursor))?.unwrap_or_default();
    let limit = fields.integer("limit", Code::InvalidLimit, 1, 100)?.unwrap_or(50);
    Ok(Ask { cursor, status: Status::All, before: crate::ids::Micros(0), limit, sent })
}

pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let ask = read(&body.fields)?;
    let wait = Wait::seconds(body.fields.seconds("wait")?.unwrap_or(0.0), &app);
    let channel = super::channel(&app, &caller, &body.fields, &Once::none()).await?;
    Answer::ok(&poll(&app, &caller, &channel, ask, wait).await?)
}
