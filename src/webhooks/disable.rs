//! Taking a webhook away: its target says that it wants nothing any more, or has only failed for days. The owner's audit says so, and for a
//! channel its events.

use serde_json::json;

use super::job::Target;
use super::load::Ready;
use super::push::Outcome;
use crate::app::App;
use crate::audit::{self, Kind};
use crate::error::{Code, Result};
use crate::store::scripts;

/// Takes the webhook away, unless it was changed since it failed.
///
/// # Errors
/// Redis trouble.
pub async fn disable(app: &App, target: &Target, ready: &Ready, last: &Outcome) -> Result<()> {
    let reply = match target {
        Target::Channel(id) => {
            let slot = app.keys.channel(id);
            match scripts::WEBHOOK_DISABLE.on(&slot).arg("url", &ready.hook.stored).may_send_again(true).run(&app.redis).await {
                Err(e) if e.code() == Code::ChannelNotFound => return Ok(()),
                reply => reply?,
            }
        }
        Target::Actor(id) => {
            let slot = app.keys.actor(id);
            let call = scripts::WEBHOOK_DISABLE_ACTOR.on(&slot).arg("id", id.as_str()).arg("hook", &ready.hook.stored);
            call.may_send_again(true).run(&app.redis).await?
        }
    };
    if reply.status() != "disabled" {
        return Ok(());
    }
    app.metrics.webhooks.disabled();
    tracing::info!(target = target.as_str(), status = last.status, error = last.error, "a webhook was taken away: its target is gone");
    let detail = json!({ "target": target.as_str(), "url_host": ready.hook.url.host_str(), "status": last.status, "error": last.error });
    // Nobody asked for it, so no client address has a part in it.
    let event = audit::Event::new(Kind::WebhookDisable, Some(&ready.hook.owner), None, None, &detail);
    audit::tell(app, Some(&ready.hook.owner), event).await;
    Ok(())
}
