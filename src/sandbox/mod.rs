//! The sandbox: an open broadcast channel that everybody can find, for first tries, with a bot in the workers that keeps it from falling silent.
//!
//! Its id and that of the key that owns it are always the same ones, so that no replica has to look for them and nobody can have them
//! before. The key's secret was never made. Label and alias are refused to everybody else while the sandbox is on.

mod poster;

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::channels::{aliases, listing};
use crate::error::{ApiError, Code, Result};
use crate::ids::{ChannelId, KeyId, Micros};
use crate::store::scripts;

pub use poster::post_heartbeats;

/// The label of the key that owns the sandbox.
pub const LABEL: &str = "sandbox-heartbeat-bot";
/// Its global alias, and its owner's name for it.
pub const ALIAS: &str = "sandbox";
const DESCRIPTION: &str =
    "For first tries: every key can read and post here. Everybody sees it, and it is gone soon. A bot posts when nobody does.";
/// Days that expired messages of the sandbox stay in its history: the least that a channel may have.
const RETENTION_S: u64 = 86_400;

/// Between two tries to make it, at least.
const TRY_EVERY: Duration = Duration::from_secs(3);

/// The key that owns the sandbox.
fn owner() -> KeyId {
    KeyId::well_known(LABEL)
}

/// The sandbox's id.
fn channel() -> ChannelId {
    ChannelId::well_known(ALIAS)
}

/// Whether this is the sandbox's id, also where it is off.
pub fn is(id: &ChannelId) -> bool {
    *id == channel()
}

/// Whether this label is kept for the sandbox.
pub fn keeps_label(app: &App, label: &str) -> bool {
    app.settings.sandbox && label == LABEL
}

/// Whether this alias is kept for the sandbox.
pub fn keeps_alias(app: &App, alias: &str) -> bool {
    app.settings.sandbox && alias == ALIAS
}

/// Where the sandbox is on: makes sure that it is there, with the limits of the settings, once in the life of this process. Heartbeats are for workers.
pub fn offer(app: &App) {
    if !app.settings.sandbox {
        return;
    }
    let weak = Arc::downgrade(app);
    let shutdown = app.shutdown.clone();
    tokio::spawn(async move {
        let mut trouble = Trouble::default();
        while let Some(app) = weak.upgrade() {
            let prepared = prepare(&app).await;
            trouble.look(prepared.as_ref().err());
            if prepared.is_ok() {
                return;
            }
            drop(app);
            tokio::select! {
                () = tokio::time::sleep(TRY_EVERY) => {}
                () = shutdown.signal() => return,
            }
        }
    });
}

/// What went wrong last time: it is logged once, not at every try.
#[derive(Default)]
struct Trouble(Option<Code>);

impl Trouble {
    fn look(&mut self, error: Option<&ApiError>) {
        let code = error.map(ApiError::code);
        if let (Some(error), true) = (error, code != self.0) {
            tracing::warn!(code = error.code().spec().word, cause = error.log_cause(), "{}", advice(error.code()));
        }
        self.0 = code;
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

/// Makes the sandbox, or finds it and gives it the limits of the settings. Each step may be repeated; a crash in between leaves a key that
/// nobody can use, or an alias that leads to nothing, and the next process goes on from there.
///
/// # Errors
/// `label_in_use` or `alias_conflict` when somebody had the label or the alias before the sandbox was turned on, or Redis trouble.
async fn prepare(app: &App) -> Result<()> {
    let (key, id) = (owner(), channel());
    let slot = app.keys.key(&key);
    let call = scripts::SANDBOX_OWNER.on(&slot).key("record", key.as_str()).key("channels", key.as_str()).key("owned", key.as_str());
    let call = call.arg("key", key.as_str()).arg("label", LABEL).arg("name", ALIAS).arg("id", id.as_str());
    call.may_send_again(true).run(&app.redis).await?;
    aliases::take(app, &id, ALIAS).await?;
    listing::enter(app, &id, Micros::default()).await?;
    let slot = app.keys.channel(&id);
    let call = scripts::SANDBOX_CHANNEL.on(&slot).arg("key", key.as_str()).arg("label", LABEL).arg("name", ALIAS).arg("alias", ALIAS);
    let call = call.arg("description", DESCRIPTION).int("ttl_s", app.settings.sandbox_ttl_s).int("retention_s", RETENTION_S);
    let call = call.int("most", app.settings.sandbox_max_messages).int("writes", app.settings.sandbox_max_writes_per_minute);
    call.may_send_again(true).run(&app.redis).await?;
    Ok(())
}
