//! The verb aliases `/v1/tasks/*`: each calls an operation of messages or claims; no rule of its own but how the channel is found.

pub mod broadcast;
pub mod claim;
pub mod claim_and_ack;
pub mod post;
pub mod post_with_result;
pub mod result;
pub mod session;
pub mod subscribe;

use crate::app::App;
use crate::channels::resolve;
use crate::error::Result;
use crate::http::{Caller, Fields, Once};
use crate::ids::ChannelId;

/// The channel that the body names.
async fn channel(app: &App, caller: &Caller, fields: &Fields, once: &Once) -> Result<ChannelId> {
    resolve::resolve_once(app, caller, &fields.required_text("channel")?, once).await
}
