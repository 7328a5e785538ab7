//! The heartbeats of the sandbox: a message whenever nobody posted for a while, from one worker of the fleet.

use std::time::Duration;

use serde_json::json;

use super::{LABEL, Trouble, channel, owner, prepare};
use crate::app::App;
use crate::error::{Code, Result};
use crate::http::{Caller, Fields, Once};
use crate::ids;
use crate::messages::post::{self, PostMessage};
use crate::shutdown::Shutdown;
use crate::store::scripts;

/// A worker that dies posts no more; after so long another one does.
const LEASE: Duration = Duration::from_secs(10);
/// Between two looks, at most. Often enough for the lease to outlive a look that fails.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Between two looks, at least.
const PAUSE: Duration = Duration::from_millis(20);
/// For so long a heartbeat that was decided on cannot be posted a second time.
const ONCE: Duration = Duration::from_secs(600);

/// Where the sandbox is on: posts its heartbeats while it is this worker's turn, until the worker leaves.
pub async fn post_heartbeats(app: &App, shutdown: &Shutdown) {
    if !app.settings.sandbox {
        return;
    }
    let (mut poster, mut trouble) = (Poster { worker: ids::suffix(), prepared: false }, Trouble::default());
    loop {
        let done = poster.step(app).await;
        trouble.look(done.as_ref().err());
        let pause = done.unwrap_or(LOOK_EVERY).clamp(PAUSE, LOOK_EVERY);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.signal() => return,
        }
    }
}

struct Poster {
    /// This process among those of the fleet.
    worker: String,
    /// Whether it has made sure that the sandbox is there, with the limits of its settings.
    prepared: bool,
}

impl Poster {
    /// Does what is due now; answers when to look again.
    async fn step(&mut self, app: &App) -> Result<Duration> {
        if !self.prepared {
            prepare(app).await?;
            self.prepared = true;
        }
        let (id, ms) = (channel(), |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        let slot = app.keys.channel(&id);
        let quiet = Duration::from_secs(app.settings.sandbox_heartbeat_s);
        let call = scripts::SANDBOX_TURN.on(&slot).arg("worker", &self.worker).int("lease_ms", ms(LEASE)).int("quiet_ms", ms(quiet));
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

/// Posts the heartbeat that follows the message of this number. A worker that was frozen between its look and this posts none after
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
