//! The heartbeats of the sandbox: a message whenever nobody posted for a while, from one replica of the fleet.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{LABEL, channel, owner, prepare};
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::{Caller, Fields, Once};
use crate::ids;
use crate::messages::post::{self, PostMessage};
use crate::store::scripts;

/// A replica that dies posts no more; after so long another one does.
const LEASE: Duration = Duration::from_secs(10);
/// Between two looks, at most. Often enough for the lease to outlive a look that fails.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Between two looks, at least.
const PAUSE: Duration = Duration::from_millis(20);
/// For so long a heartbeat that was decided on cannot be posted a second time.
const ONCE: Duration = Duration::from_secs(600);

/// Where the sandbox is on: makes it, and posts its heartbeats while it is this replica's turn, until the replica leaves.
pub fn start(app: &App) {
    if !app.settings.sandbox {
        return;
    }
    let weak = Arc::downgrade(app);
    let shutdown = app.shutdown.clone();
    tokio::spawn(async move {
        let mut poster = Poster { replica: ids::suffix(), prepared: false, trouble: None };
        while let Some(app) = weak.upgrade() {
            let pause = poster.look(&app).await;
            drop(app);
            tokio::select! {
                () = tokio::time::sleep(pause.clamp(PAUSE, LOOK_EVERY)) => {}
                () = shutdown.signal() => return,
            }
        }
    });
}

struct Poster {
    /// This process among those of the fleet.
    replica: String,
    /// Whether this replica has made sure that the sandbox is there, with the limits of its settings.
    prepared: bool,
    /// What went wrong last time: it is logged once, not at every look.
    trouble: Option<Code>,
}

impl Poster {
    /// Does what is due now; answers when to look again.
    async fn look(&mut self, app: &App) -> Duration {
        let done = self.step(app).await;
        let trouble = done.as_ref().err().map(ApiError::code);
        if let (Err(error), true) = (&done, trouble != self.trouble) {
            tracing::warn!(code = error.code().spec().word, cause = error.log_cause(), "{}", advice(error.code()));
        }
        self.trouble = trouble;
        done.unwrap_or(LOOK_EVERY)
    }

    async fn step(&mut self, app: &App) -> Result<Duration> {
        if !self.prepared {
            prepare(app).await?;
            self.prepared = true;
        }
        let (id, ms) = (channel(), |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let slot = app.keys.channel(&id);
        let quiet = Duration::from_secs(app.settings.sandbox_heartbeat_s);
        let call = scripts::SANDBOX_TURN.on(&slot).arg("replica", &self.replica).int("lease_ms", ms(LEASE)).int("quiet_ms", ms(quiet));
        let turn = match call.may_send_again(true).run(&app.redis).await {
            Err(error) if error.code() == Code::ChannelNotFound => {
                self.prepared = false; // the operator deleted it; it comes back
                return Ok(PAUSE);
            }
            turn => turn?,
        };
        match turn.status() {
            "theirs" => Ok(Duration::from_millis(turn.uint(0)?)),
            "paused" => Ok(LOOK_EVERY),
            _ => match turn.uint(1)? {
                0 => post_after(app, turn.uint(0)?).await.map(|()| quiet),
                due_ms => Ok(Duration::from_millis(due_ms)),
            },
        }
    }
}

/// Posts the heartbeat that follows the message of this number. A replica that was frozen between its look and this posts none after
/// another one did.
async fn post_after(app: &App, newest: u64) -> Result<()> {
    let body = json!({ "content": "heartbeat", "actor_label": LABEL, "metadata": { "heartbeat": true } }).to_string();
    let message = PostMessage::read(&Fields::parse(body.as_bytes())?, app)?;
    let once = Once::of_service(&format!("heartbeat-after-{newest}"), ONCE);
    match post::post(app, &Caller::of_service(owner(), LABEL), &channel(), message, false, &once).await {
        // Paused in between, or others have posted as much as it takes.
        Err(error) if !matches!(error.code(), Code::ChannelPaused | Code::ChannelWriteRateExceeded) => Err(error),
        _ => Ok(()),
    }
}

/// What the operator reads when there is no sandbox although it is on.
fn advice(code: Code) -> &'static str {
    match code {
        Code::LabelInUse => "no sandbox: a key had its label before it was turned on; revoke that key (DELETE /v1/admin/keys/{key_id})",
        Code::AliasConflict => "no sandbox: a channel had its alias before it was turned on; delete that channel or its alias",
        _ => "the sandbox cannot be looked after; trying again",
    }
}
